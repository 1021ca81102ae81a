"""Calibration of photographs: what is searched for, what counts as wrong, what is left out, and what is stored."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from lookalike.calibration import pairs as labelled
from lookalike.calibration import run
from lookalike.calibration.pairs import Labelled
from lookalike.calibration.rates import of_trials
from lookalike.calibration.run import CalibrationOptions
from lookalike.calibration.stored import KEY, Calibration
from lookalike.core.errors import DatabaseError, DataError
from lookalike.database import Database, Hit
from lookalike.store.records import Record
from lookalike.verification.verdict import Relation

FEW = CalibrationOptions(images=2)


class Found(NamedTuple):
    hits: list[Hit]
    unverified: int = 0


@pytest.fixture
def uploads(photo_folder: Path, tiny_bytes: list[bytes], tmp_path: Path) -> Path:
    """Three strangers, one twice; an edited copy of an indexed image, its bytes, its pixels; a damaged file."""
    folder, known = tmp_path / "uploads", photo_folder / "cats/01.png"
    folder.mkdir()
    for number, content in enumerate([*tiny_bytes[500:503], tiny_bytes[500]]):
        (folder / f"stranger {number}.jpg").write_bytes(content)
    (folder / "bytes.png").write_bytes(known.read_bytes())
    Image.open(known).save(folder / "pixels.png", compress_level=1)
    Image.open(known).convert("RGB").save(folder / "edited.jpg", quality=60)
    (folder / "damaged.jpg").write_bytes(tiny_bytes[0][:200])
    return folder


def test_searches_for_a_background_and_for_copies_are_counted(
    indexed: Database, uploads: Path, photo_folder: Path
) -> None:
    report = indexed.calibrate(options=dataclasses.replace(FEW, background=uploads))
    found, copy, known = report.calibration, str(uploads / "edited.jpg"), str(photo_folder / "cats/01.png")
    assert (found.images, found.has_background, found.unverified) == (40, True, 0)
    assert found.per_query == of_trials(1, 4)
    assert found.per_pair is not None
    assert (found.per_pair.count, found.per_pair.total, found.per_pair.suspected) == (1, 160, 0)
    assert found.copies == {kind: of_trials(2, 2) for kind in ("re-encoded", "edited", "reshaped")}
    assert report.suspected == [Labelled(copy, known, is_same=False)]
    assert sorted(Path(path).name for path in report.present) == ["bytes.png", "pixels.png"]
    assert len(report.unreadable) == 1
    assert "damaged.jpg: " in report.unreadable[0]
    with Database.open(indexed.path) as again:
        assert again.calibration == found
        assert again.info().calibration == found
    assert all(finding.ok for finding in indexed.verify())
    settled = indexed.calibrate(
        [Labelled(copy, known, is_same=True)], options=dataclasses.replace(FEW, background=uploads)
    )
    assert settled.calibration.per_query == of_trials(0, 4)
    assert settled.suspected == []
    assert indexed.forget_calibration()
    assert not indexed.forget_calibration()
    assert indexed.calibration is None


def test_without_a_background_matches_are_suspected_until_they_are_labelled(
    indexed: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {Path(record.path).stem: record for record in indexed.records()}
    copies = {("01", "02"), ("02", "01"), ("03", "01"), ("03", "04"), ("05", "05")}  # the last is the query itself

    def search(image: bytes | Record) -> Found:
        if isinstance(image, bytes):
            return Found([])
        of = Path(image.path).stem
        hits = [_hit(records[other], Relation.EDITED) for one, other in copies if one == of != other]
        return Found([_hit(image, Relation.EXACT), _hit(records["06"], Relation.SAME_PIXELS), *hits], of == "07")

    def calibrated(*pairs: Labelled) -> run.CalibrationReport:
        store, says = indexed.store.local(), labelled.by_content(indexed.store.local(), pairs)
        decoders = indexed._decode_with()
        return run.run(store, indexed.hasher, search, decoders, CalibrationOptions(images=40), says=says)

    report = calibrated()
    found = report.calibration
    assert (found.has_background, found.unverified) == (False, 1)
    assert found.per_query == of_trials(0, 40, suspected=3)
    assert found.per_pair is not None
    assert (found.per_pair.count, found.per_pair.suspected, found.per_pair.total) == (0, 4, 40 * 39)
    assert found.copies["edited"] == of_trials(0, 40)
    assert len(report.suspected) == 3  # pairs, each once
    assert all(pair.is_same for pair in report.suspected)
    first, third, fourth = (str(photo_folder / records[stem].path) for stem in ("01", "03", "04"))
    settled = calibrated(Labelled(first, third, is_same=False), Labelled(fourth, third, is_same=True))
    assert settled.calibration.per_query == of_trials(1, 40, suspected=2)
    assert [{Path(path).stem for path in pair[:2]} for pair in settled.suspected] == [{"01", "02"}]


def _hit(record: Record, relation: Relation) -> Hit:
    return Hit(path=record.name, distance=0, bits=64, relation=relation, label=None, id=record.id, verified=True)


def test_a_search_that_nothing_can_verify_is_counted(indexed: Database, photo_folder: Path) -> None:
    store, decoders = indexed.store.local(), indexed._decode_with()
    record = next(indexed.records())
    unseen = dataclasses.replace(_hit(record, Relation.DIFFERENT), verified=False)
    report = run.run(store, indexed.hasher, lambda image: Found([unseen]), decoders, FEW, says={})
    assert report.calibration.unverified == 2


def test_the_same_collection_is_calibrated_in_the_same_way(indexed: Database) -> None:
    options = CalibrationOptions(images=1)
    first, second = (indexed.calibrate(options=options).calibration for _ in range(2))
    assert dataclasses.replace(first, at=0) == dataclasses.replace(second, at=0)


def test_hits_that_are_no_copies_are_similar_as_calibrated(indexed: Database) -> None:
    found = indexed.calibrate(options=FEW).calibration
    assert indexed.info().similar == indexed.similar == found.similar != indexed.hasher.info.similar
    for hit in indexed.search_codes(indexed.codes()[1][:1], top=40)[0]:
        assert (hit.relation == "similar") == (hit.distance <= found.similar)
    assert indexed.duplicate_radius() == indexed.hasher.info.duplicate


def test_another_model_forgets_it(indexed: Database, other_model: Path) -> None:
    indexed.calibrate(options=FEW)
    kept = indexed.store.local().get(KEY)
    indexed.index(indexed.info().roots, model=other_model, reindex=True)
    assert indexed.calibration is None
    indexed.store.local().set(KEY, kept)  # as if it had been left there
    assert indexed.calibration is None


def test_who_asks_meanwhile_sees_it(indexed: Database) -> None:
    with Database.open(indexed.path) as reader:
        revision = reader.revision
        indexed.calibrate(options=FEW)
        assert reader.calibration is not None
        assert reader.revision > revision


def test_a_background_of_no_use_is_refused(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: there are no images here"):
        indexed.calibrate(options=CalibrationOptions(background=tmp_path / "empty"))
    for path in sorted((photo_folder / "dogs").iterdir())[2:]:
        path.unlink()
    (photo_folder / "dogs/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(
        DataError,
        match=r"none of the 3 images of the background can be used: 2 are in the collection, 1 are unreadable",
    ):
        indexed.calibrate(options=CalibrationOptions(images=1, background=photo_folder / "dogs"))
    assert indexed.calibration is None


def test_files_out_of_reach_leave_the_calibration_as_it_was(indexed: Database, photo_folder: Path) -> None:
    before = indexed.calibrate(options=FEW).calibration
    photo_folder.rename(photo_folder.with_name("elsewhere"))
    with pytest.raises(DatabaseError, match=r"none of 2 images could be read, so no copies could be made.*Nothing was"):
        indexed.calibrate(options=FEW)
    assert indexed.calibration == before


def test_kept_originals_are_read(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder, keep_originals=True)
    photo_folder.rename(photo_folder.with_name("elsewhere"))
    assert db.calibrate(options=FEW).calibration.copies["re-encoded"] == of_trials(2, 2)


def test_too_few_images_are_refused(db: Database, photo_folder: Path, uploads: Path) -> None:
    with pytest.raises(DatabaseError, match="has no images with enough content to be searched for"):
        db.calibrate()
    db.index(photo_folder / "cats/01.png")
    with pytest.raises(DatabaseError, match="has 1 images, which are too few; index more, or give --background FOLDER"):
        db.calibrate()
    (uploads / "edited.jpg").unlink()
    found = db.calibrate(options=CalibrationOptions(background=uploads)).calibration
    assert found.per_query == of_trials(0, 3)


def test_images_with_too_little_content_and_equal_bytes_are_not_drawn(indexed: Database, photo_folder: Path) -> None:
    (photo_folder / "copy.png").write_bytes((photo_folder / "cats/01.png").read_bytes())
    Image.new("L", (64, 64)).save(photo_folder / "black.png")
    indexed.index(photo_folder)
    drawn = run._draw(indexed.store.local(), CalibrationOptions(images=50))
    assert len(drawn) == len({record.digest for record in drawn}) == 40


def test_codes_without_images_cannot_be_calibrated(db: Database) -> None:
    np.save("codes.npy", np.random.default_rng(0).integers(0, 256, (30, 8), np.uint8))
    db.import_codes("codes.npy")
    with pytest.raises(DatabaseError, match="none of 30 images could be read"):
        db.calibrate()


def test_it_goes_through_json(indexed: Database) -> None:
    found = indexed.calibrate(options=FEW).calibration
    assert Calibration.from_json(found.to_json()) == found


def test_one_of_an_earlier_version_is_read(indexed: Database) -> None:
    rates = {word: {"distance": 19, "false": 1, "pairs": 9} for word in ("same", "near-duplicate", "similar")}
    values = {"model": indexed.hasher.digest, "at": 5, "images": 40, "rates": rates, "recall": {}, "format": 1}
    indexed.store.local().set(KEY, json.dumps(values))
    found = indexed.calibration
    assert found is not None
    assert (found.at, found.similar, found.per_query, found.copies) == (5, 19, None, {})
    assert indexed.info().similar == 19


def test_a_damaged_one_says_what_mends_it(indexed: Database) -> None:
    indexed.store.local().set(KEY, "{")
    with pytest.raises(DatabaseError, match=r"is unreadable; drop it with: lookalike calibrate --db .* --forget"):
        indexed.info()
    assert indexed.forget_calibration()
    assert indexed.calibration is None


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("a\tb", "line 2: .* is not a labelled pair"),
        ("a\tb\tperhaps", "is not a labelled pair"),
        ("a\tb\tsame\tindeed", "is not a labelled pair"),
    ],
)
def test_files_of_pairs_that_are_none(line: str, error: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(f"a\tb\tsame\n{line}\n")
    with pytest.raises(DataError, match=error):
        labelled.read(path)


def test_pairs_are_written_as_they_are_read(tmp_path: Path) -> None:
    pairs = [Labelled("a b", "c/\udcff.jpg", True), Labelled("ä", "d", False)]
    labelled.write(tmp_path / "pairs.tsv", pairs)
    assert labelled.read(tmp_path / "pairs.tsv") == pairs
    with pytest.raises(DataError, match="No such file"):
        labelled.read(tmp_path / "absent.tsv")
    with pytest.raises(DataError, match="choose a writable file"):
        labelled.write(tmp_path / "absent/pairs.tsv", pairs)


def test_labels_hold_for_all_files_of_the_same_bytes(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    store = indexed.store.local()
    one, other = (str(photo_folder / f"cats/{name}") for name in ("01.png", "02.webp"))
    copy = tmp_path / "outside.png"
    copy.write_bytes(Path(one).read_bytes())
    says = labelled.by_content(store, [Labelled(other, one, True)])
    assert labelled.by_content(store, [Labelled(str(copy), other, True)]) == says
    with pytest.raises(DataError, match="absent is neither an image of the database nor a readable file"):
        labelled.by_content(store, [Labelled(one, "absent", True)])
    with pytest.raises(DataError, match="have the same bytes; only label different files"):
        labelled.by_content(store, [Labelled(one, str(copy), True)])
    with pytest.raises(DataError, match="both same and different"):
        labelled.by_content(store, [Labelled(one, other, True), Labelled(other, str(copy), False)])
