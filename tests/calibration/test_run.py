"""Calibration of photographs: what it measures, what it leaves out, and that everything else uses it."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lookalike.calibration import pairs as labelled
from lookalike.calibration import run
from lookalike.calibration.pairs import Labelled
from lookalike.calibration.run import CalibrationOptions
from lookalike.calibration.stored import KEY, WORDS, Calibration
from lookalike.core.errors import ConfigError, DatabaseError, DataError
from lookalike.database import Database
from lookalike.store.catalog import Catalog

FEW = CalibrationOptions(rate=0.01, edited=6)


@pytest.fixture
def photos(db: Database, tiny_bytes: list[bytes], tmp_path: Path) -> Database:
    """300 photographs, with recompressed copies of six, and copies with equal pixels of four more."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number, content in enumerate(tiny_bytes[:300]):
        (folder / f"{number:03}.jpg").write_bytes(content)
        picture = Image.open(io.BytesIO(content)).convert("RGB")
        if number < 6:
            picture.save(folder / f"{number:03} again.jpg", quality=70)
        if number in range(10, 14):
            picture.save(folder / f"{number:03} again.png")
    db.index(folder)
    return db


def test_distances_are_measured_and_kept(photos: Database) -> None:
    found, suspected = photos.calibrate(options=FEW)
    assert (found.images, found.compared, found.edited, found.is_measured) == (310, 310, 6, True)
    assert (found.equal, found.unread) == (4, 0)
    pairs = {tuple(sorted(Path(path).name for path in pair[:2])) for pair in suspected}
    assert {(f"{i:03} again.jpg", f"{i:03}.jpg") for i in range(6)} <= pairs
    assert found.suspected == len(suspected) == len(pairs)
    near = found.rates["near-duplicate"]
    assert near.pairs == 310 * 309 // 2 - 4 - len(suspected)
    assert near.low <= near.value <= 0.01
    assert near.worst == (near.false + near.suspected) / near.pairs
    same, duplicate, similar = (found.rates[word].distance for word in WORDS)
    assert 0 <= same <= duplicate <= similar
    light = found.recall["same"]["re-encoded"]
    assert light.value >= 0.95 or same == duplicate
    assert found.expected("near-duplicate")[0] == pytest.approx(near.value * 310 * 309 / 2)
    with Database.open(photos.path) as again:
        assert again.calibration == found


def test_the_same_collection_is_calibrated_in_the_same_way(photos: Database) -> None:
    first, second = (photos.calibrate(options=FEW).calibration for _ in range(2))
    assert dataclasses.replace(first, at=0) == dataclasses.replace(second, at=0)
    other = photos.calibrate(options=dataclasses.replace(FEW, seed=1)).calibration
    assert other.rates["near-duplicate"] == first.rates["near-duplicate"]
    assert other.recall != first.recall


def test_search_duplicates_and_info_go_by_it(photos: Database) -> None:
    before = photos.duplicates()
    found = photos.calibrate(options=FEW).calibration
    radii = found.radii
    assert photos.duplicate_radius() == radii.duplicate > photos.hasher.info.duplicate
    assert photos.duplicates().groups == before.groups  # pixels decide, whatever codes are called
    info = photos.info()
    assert (info.same, info.duplicate, info.similar) == radii
    assert info.calibration == found
    code_W = photos.codes()[1][:1]
    for hit in photos.search_codes(code_W, top=500)[0]:
        assert (hit.relation == "similar") == (hit.distance <= radii.similar)
    assert photos.forget_calibration()
    assert not photos.forget_calibration()
    assert photos.calibration is None
    assert photos.duplicates() == before
    assert all(finding.ok for finding in photos.verify())


def test_another_model_forgets_it(photos: Database, other_model: Path) -> None:
    photos.calibrate(options=FEW)
    kept = photos.store.local().get(KEY)
    photos.index(photos.info().roots, model=other_model, reindex=True)
    assert photos.calibration is None
    photos.store.local().set(KEY, kept)  # as if it had been left there
    assert photos.calibration is None
    assert photos.info().duplicate == photos.hasher.info.duplicate


def test_who_asks_meanwhile_sees_it(photos: Database) -> None:
    with Database.open(photos.path) as reader:
        revision = reader.revision
        photos.calibrate(options=FEW)
        assert reader.calibration is not None
        assert reader.revision > revision


def test_labels_of_pairs_count(photos: Database) -> None:
    before = photos.calibrate(options=FEW)
    different = [pair._replace(is_same=False) for pair in before.suspected]
    after = photos.calibrate(different, options=FEW)
    assert after.suspected == []
    assert after.calibration.suspected == 0
    near = after.calibration.rates["near-duplicate"]
    assert near.pairs == before.calibration.rates["near-duplicate"].pairs + len(different)
    said = after.calibration.labelled["near-duplicate"]
    assert (said["same"].copies, said["different"].copies) == (0, len(different))
    same = photos.calibrate(before.suspected, options=FEW).calibration
    assert (same.suspected, same.equal) == (0, 4 + len(before.suspected))
    assert same.rates == {
        word: dataclasses.replace(rate, suspected=0) for word, rate in before.calibration.rates.items()
    }


def test_too_few_images_to_measure_the_rate_take_the_bound(indexed: Database) -> None:
    found = indexed.calibrate(options=CalibrationOptions(edited=2)).calibration
    near = found.rates["near-duplicate"]
    assert not found.is_measured
    assert near.false == 0
    assert near.distance <= indexed.hasher.info.duplicate
    assert near.high == pytest.approx(2.996 / near.pairs, rel=1e-3)


def test_too_few_images_at_all_are_refused(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder / "dogs")
    with pytest.raises(
        DatabaseError, match="has 14 different images that are not too plain; calibration needs at least 20"
    ):
        db.calibrate()


def test_files_that_cannot_be_read_are_reported(indexed: Database, photo_folder: Path) -> None:
    for path in sorted(photo_folder.rglob("*.*")):
        path.unlink()
    found = indexed.calibrate(options=CalibrationOptions(rate=0.01, edited=2)).calibration
    assert found.edited == 0
    assert found.unread > 0
    assert found.rates["same"].distance == 0
    assert found.recall["similar"]["edited"].copies == 0


def test_a_calibration_is_not_replaced_by_one_of_files_that_cannot_be_read(
    indexed: Database, photo_folder: Path
) -> None:
    before = indexed.calibrate(options=FEW).calibration
    photo_folder.rename(photo_folder.with_name("elsewhere"))
    with pytest.raises(DatabaseError, match=r"no image was readable, but .* was calibrated when images were"):
        indexed.calibrate(options=FEW)
    assert indexed.calibration == before


def test_originals_that_are_kept_are_read(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder, keep_originals=True)
    before = db.calibrate(options=FEW).calibration
    photo_folder.rename(photo_folder.with_name("elsewhere"))
    after = db.calibrate(options=FEW).calibration
    assert (after.edited, after.unread) == (6, 0)
    assert after.rates == before.rates


def test_equal_codes_of_files_that_cannot_be_read_are_no_ground(db: Database, photo_folder: Path) -> None:
    picture = Image.open(photo_folder / "cats/01.png")
    picture.save(photo_folder / "again.png", compress_level=1)
    db.index(photo_folder)
    photo_folder.rename(photo_folder.with_name("elsewhere"))
    with pytest.raises(DatabaseError, match=r"images with equal codes have unreadable files, .* Nothing was changed"):
        db.calibrate(options=CalibrationOptions(edited=2))
    assert db.calibration is None


def test_a_picture_that_is_there_very_often_hides_nothing(
    db: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.index(photo_folder)
    expected = db.calibrate(options=FEW).calibration
    picture = Image.open(photo_folder / "cats/01.png")
    for number in range(30):  # 465 pairs of different bytes and equal pixels
        info = PngImagePlugin.PngInfo()
        info.add_text("number", str(number))
        picture.save(photo_folder / f"again {number:02}.png", pnginfo=info)
    db.index(photo_folder)
    monkeypatch.setattr(run, "LOOKED", 100)
    found, suspected = db.calibrate(options=FEW)
    assert (found.images, found.compared, found.merged, suspected) == (70, 40, 30, [])
    assert found.rates == expected.rates


def test_labels_of_a_file_hold_for_all_of_the_same_bytes(photos: Database, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    (folder / "zz.jpg").write_bytes((folder / "003.jpg").read_bytes())
    photos.index(folder)
    first, again, copy = (str(folder / name) for name in ("003.jpg", "003 again.jpg", "zz.jpg"))
    by_first, by_copy = (
        photos.calibrate([Labelled(one, again, False)], options=FEW).calibration for one in (first, copy)
    )
    assert by_first.rates == by_copy.rates
    assert by_first.rates["near-duplicate"].false >= 1
    with pytest.raises(DataError, match="labelled both same and different, by files with the same bytes"):
        photos.calibrate([Labelled(first, again, False), Labelled(copy, again, True)], options=FEW)


def test_plain_images_and_copies_of_the_same_bytes_are_not_compared(indexed: Database, photo_folder: Path) -> None:
    (photo_folder / "copy.png").write_bytes((photo_folder / "cats/01.png").read_bytes())
    Image.new("L", (64, 64)).save(photo_folder / "black.png")
    indexed.index(photo_folder)
    found = indexed.calibrate(options=FEW).calibration
    assert (found.images, found.compared) == (42, 40)


def test_a_large_collection_is_drawn_from(db: Database) -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (30_000, 8), np.uint8)
    np.save("codes.npy", codes_NW)
    db.import_codes("codes.npy")
    found = db.calibrate(options=CalibrationOptions(compared=3_000, rate=1e-4)).calibration
    assert (found.images, found.compared, found.edited) == (30_000, 3_000, 0)
    near = found.rates["near-duplicate"]
    assert near.distance == 16
    truth = sum(math.comb(64, k) for k in range(17)) / 2**64  # of uniformly random codes
    assert near.low <= truth <= near.high
    assert found.expected("near-duplicate")[0] == pytest.approx(near.value * 30_000 * 29_999 / 2)


@pytest.mark.parametrize("rate", [0, -1, 0.5, float("nan")])
def test_odd_rates_are_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="the rate of false pairs is"):
        CalibrationOptions(rate=rate)


def test_it_goes_through_json(photos: Database) -> None:
    found = photos.calibrate(options=FEW).calibration
    assert Calibration.from_json(found.to_json()) == found


def test_a_damaged_one_says_what_mends_it(indexed: Database) -> None:
    indexed.store.local().set(KEY, "{")
    with pytest.raises(DatabaseError, match=r"is unreadable; drop it with: lookalike calibrate --db .* --forget"):
        indexed.duplicate_radius()
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


def test_pairs_must_be_of_images_that_are_there(indexed: Database, photo_folder: Path) -> None:
    catalog: Catalog = indexed.store.local()
    one, other = (str(photo_folder / f"cats/{name}") for name in ("01.png", "02.webp"))
    assert list(labelled.ids(catalog, [Labelled(other, one, True)]).values()) == [True]
    with pytest.raises(DataError, match="absent is not a findable image"):
        labelled.ids(catalog, [Labelled(one, "absent", True)])
    with pytest.raises(DataError, match="paired with itself"):
        labelled.ids(catalog, [Labelled(one, one, True)])
    with pytest.raises(DataError, match="both same and different"):
        labelled.ids(catalog, [Labelled(one, other, True), Labelled(other, one, False)])
