"""Banks: what an image matches, by its pixels where the entry's image is known, otherwise by a hash alone."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.calibration.stored import Calibration, Rate, keep
from lookalike.core.errors import ConfigError, DataError, LookalikeError
from lookalike.data.hashlists import Listed
from lookalike.database import Database, banks
from lookalike.database.audit import AuditLog
from lookalike.verification.verdict import Relation


@pytest.fixture
def known(indexed: Database, photo_folder: Path) -> Database:
    """A database whose images of cats are in a bank, and nothing else."""
    assert indexed.banks.add("cats", [photo_folder / "cats"]) == 26
    return indexed


def cropped(path: Path) -> bytes:
    with Image.open(path) as image:
        width, height = image.size
        file = io.BytesIO()
        image.convert("RGB").crop((width // 10, height // 10, width, height)).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_copies_of_entries_match_and_other_images_do_not(known: Database, photo_folder: Path) -> None:
    cat, dog = photo_folder / "cats/01.png", photo_folder / "dogs/00.jpg"
    exact, edited, other = known.match([cat, cropped(cat), dog])
    assert [one.matched for one in (exact, edited, other)] == [True, True, False]
    assert exact.sha256 == hashlib.sha256(cat.read_bytes()).hexdigest()
    assert exact.path == str(cat)
    assert {one.relation for one in exact.matches} == {Relation.EXACT}
    (found,) = edited.matches
    assert (found.bank, found.kind, found.relation, found.path) == ("cats", "image", Relation.EDITED, str(cat))
    assert found.words.startswith("edited copy: ")
    assert other.rate.low <= other.rate.value <= other.rate.high


def test_only_the_banks_that_are_named_are_asked(known: Database, photo_folder: Path) -> None:
    dog = photo_folder / "dogs/00.jpg"
    known.banks.add("dogs", [dog])
    known.banks.add("all", [photo_folder])
    assert {one.bank for one in known.match(dog)[0].matches} == {"dogs", "all"}
    assert not known.match(dog, banks=["cats"])[0].matched
    with pytest.raises(DataError, match="has no bank 'birds'; there are all, cats, dogs"):
        known.match(dog, banks=["birds"])


def test_without_banks_a_match_says_how_to_make_one(indexed: Database) -> None:
    with pytest.raises(DataError, match="has no bank; make one with: lookalike index"):
        indexed.match(b"")


def test_an_entry_outlives_its_image(known: Database, photo_folder: Path) -> None:
    cat = photo_folder / "cats/01.png"
    known.remove([photo_folder / "cats"])
    (found,) = known.match(cat)
    assert [(one.relation, one.path) for one in found.matches] == [(Relation.EXACT, "")]
    assert not known.match(cropped(cat))[0].matched


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_digests_of_files_match_also_what_cannot_be_decoded(kind: str, indexed: Database) -> None:
    value = hashlib.new(kind, b"no image").digest()
    assert indexed.banks.add("list", hashes=[Listed(kind, value, "bad file")]) == 1
    found, other = indexed.match([b"no image", b"no image either"])
    assert [(one.kind, one.relation, one.path) for one in found.matches] == [(kind, Relation.EXACT, "bad file")]
    assert found.error.startswith("not an image")
    assert not other.matched
    assert found.matches[0].words == f"exact copy ({kind})"
    assert found.rate == banks.MatchRate(0, 0, 0, "default")


@pytest.mark.parametrize("kind", ["pdq", "phash", "code"])
def test_hashes_of_pixels_match_within_their_threshold(
    kind: str, indexed: Database, photo_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("imagehash")
    pdqhash = pytest.importorskip("pdqhash")
    import imagehash

    cat = photo_folder / "cats/01.png"
    with Image.open(cat) as image:
        rgb = image.convert("RGB")
        text = {
            "pdq": np.packbits(pdqhash.compute(np.asarray(rgb))[0]).tobytes().hex(),
            "phash": str(imagehash.phash(rgb)),
            "code": indexed.hasher.encode(cat)[0].tobytes().hex(),
        }[kind]
    (tmp_path / "list.txt").write_text(f"{text} cat\n")
    assert indexed.banks.import_list("list", tmp_path / "list.txt", kind) == (1, 1, 0)
    (found,) = indexed.match(cat)
    (one,) = found.matches
    assert (one.kind, one.relation, one.path, one.distance) == (kind, None, "cat", 0)
    assert one.words == f"{kind} within 0 of {one.threshold} bits, not verified"
    wrong_W = np.frombuffer(bytes.fromhex(text), np.uint8) ^ np.uint8(255)
    assert indexed.banks.of_hash(kind, wrong_W.tobytes(), ("list",)) == []
    assert indexed.banks.remove("list", [tmp_path / "list.txt"], kind) == 1


def test_a_blank_image_matches_no_hash_of_pixels(indexed: Database) -> None:
    blank = Image.new("RGB", (200, 200), "white")
    (code_W,) = indexed.hasher.encode([np.full(indexed.hasher.spec.shape, 255, np.uint8)])
    indexed.banks.add("list", hashes=[Listed("code", code_W.tobytes(), "")])
    assert not indexed.match(blank)[0].matched


def test_codes_of_another_model_are_not_compared(indexed: Database, photo_folder: Path, other_model: Path) -> None:
    cat = photo_folder / "cats/01.png"
    indexed.banks.add("list", hashes=[Listed("code", indexed.hasher.encode(cat)[0].tobytes(), "")])
    assert indexed.match(cat)[0].matched
    indexed.index(photo_folder, reindex=True, model=other_model)
    assert not indexed.match(cat)[0].matched


def test_entries_are_removed_by_id_and_by_path(known: Database, photo_folder: Path) -> None:
    first = known.banks.entries("cats", top=1)[0]
    assert known.banks.paths([first])[first.id].startswith(str(photo_folder / "cats"))
    assert known.banks.remove("cats", [first.id]) == 1
    with pytest.raises(DataError, match=f"the bank cats has no entry {first.id}"):
        known.banks.remove("cats", [first.id])
    assert known.banks.remove("cats", [photo_folder / "cats"]) == 25
    assert known.banks.counts() == {}
    assert len(known) == 40  # the images stay


def test_impossible_entries_are_refused(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'a b' cannot name a bank; use up to 64 letters"):
        indexed.banks.add("a b", [photo_folder])
    with pytest.raises(DataError, match="nowhere is not in the database; add it with: lookalike index"):
        indexed.banks.add("cats", [tmp_path / "nowhere"])
    with pytest.raises(DataError, match="image 99 is not in the database"):
        indexed.banks.add("cats", [99])
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="empty has no hashes; expected one a line"):
        indexed.banks.import_list("cats", tmp_path / "empty", "md5")
    assert indexed.banks.counts() == {}


def test_the_rate_grows_with_the_entries_and_comes_from_the_calibration(known: Database) -> None:
    default = known.banks.rate(("cats",))
    assert default[:3] == pytest.approx((26 / 300_000, 26 * 8.4e-8, 26 * 1.86e-5), rel=1e-3)
    assert default.measured == "default"
    pairs = Rate(3, 30_000, 2e-5, 3e-4)
    keep(
        known.store.local(),
        Calibration(model=known.hasher.digest, at=0, images=40, similar=9, per_pair=pairs).to_json(),
    )
    rate = known.banks.rate(("cats",))
    assert rate.measured == "here"
    assert rate[:3] == pytest.approx((26e-4, 5.2e-4, 7.8e-3), rel=0.01)


def test_every_answer_is_logged_before_it_is_given(known: Database, photo_folder: Path, tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    known.match([photo_folder / "cats/01.png", b"no image"], audit=log)
    first, second = map(json.loads, log.path.read_text().splitlines())
    assert (first["matched"], first["matches"][0]["relation"], first["banks"]) == (True, "exact", ["cats"])
    assert first["model"] == known.hasher.name
    assert (second["matched"], second["sha256"]) == (False, hashlib.sha256(b"no image").hexdigest())
    assert second["error"]
    assert "cats/01" not in log.path.read_text()  # neither names nor paths
    with pytest.raises(LookalikeError, match=r"audit log .* cannot be written .*, so nothing is answered"):
        known.match(b"no image", audit=AuditLog(photo_folder / "cats/01.png/audit.jsonl"))
