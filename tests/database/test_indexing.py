"""Indexing covers everything in the folders, each image once, without repeating work."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import data
from lookalike.core.errors import DataError, Interrupted, LookalikeError
from lookalike.data import Item
from lookalike.database import Database
from lookalike.imaging import decode
from lookalike.imaging.formats import kinds
from lookalike.store import originals

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

Check = Callable[..., None]


def lost(db: Database) -> list[str]:
    """What is out of reach."""
    return [place.path for place in db.losses().unreachable if place.images]


def ids(database: Database) -> dict[str, int]:
    return {record.name: record.id for record in database.records()}


def labels(database: Database) -> Counter[data.Label]:
    return Counter(record.label for record in database.records())


def write_table(path: Path, values: list[bytes]) -> Path:
    parquet.write_table(pyarrow.table({"image": values}), path)
    return path


# The plain case


def test_a_folder_is_indexed(indexed: Database, photo_folder: Path, check: Check) -> None:
    check(indexed.path, photo_folder)
    assert len(indexed) == 40
    assert labels(indexed) == {"cats": 26, "dogs": 14}
    assert {record.format for record in indexed.records()} == {
        "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM",
    }  # fmt: skip
    assert all((record.width, record.height) != (None, None) for record in indexed.records())
    info = indexed.info()
    assert (info.images, info.errors, info.missing, info.labelled, info.originals) == (40, 0, 0, 40, 0)
    assert (info.roots, info.bits) == ([str(photo_folder)], 64)
    assert (info.near, info.duplicate, info.similar) == (6, 4, 16)
    indexed.close()
    assert sorted(path.name for path in indexed.folder.iterdir() if path.name != "lock") == [
        "catalog.sqlite", "codes.bin", "model.onnx",
    ]  # fmt: skip


def test_what_is_unchanged_is_not_even_read(
    indexed: Database, photo_folder: Path, decoded: list[bytes], monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    before = indexed.folder.joinpath("codes.bin").read_bytes()

    def fail(item: Item) -> bytes:
        raise AssertionError(f"{item.name} was read")

    monkeypatch.setattr("lookalike.database.indexing.source", fail)
    for _ in range(2):
        report = indexed.index(photo_folder)
        assert (report.found, report.unchanged, report.indexed, report.encoded) == (40, 40, 40, 0)
    assert decoded == []
    assert indexed.folder.joinpath("codes.bin").read_bytes() == before
    assert labels(indexed) == {"cats": 26, "dogs": 14}


def test_progress_ends_at_all(db: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.database.indexing.BATCH", 9)
    steps: list[tuple[int, int | None]] = []
    db.index(photo_folder, progress=lambda _, done, total: steps.append((done, total)))
    assert steps == [(9, 40), (18, 40), (27, 40), (36, 40), (40, 40)]


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_rows_come_in_the_order_of_names_whatever_the_threads(db: Database, photo_folder: Path, workers: int) -> None:
    db.index(photo_folder, workers=workers)
    names = [record.name for record in db.records()]
    assert names == sorted(names)


def test_a_limit_indexes_no_more_and_forgets_nothing(db: Database, photo_folder: Path) -> None:
    assert db.index(photo_folder, limit=7).found == 7
    assert len(db) == 7
    assert db.index(photo_folder).encoded == 33
    report = db.index(photo_folder, limit=3)
    assert (report.unchanged, report.missing, len(db)) == (3, 0, 40)


def test_files_given_twice_count_once(db: Database, photo_folder: Path) -> None:
    one = photo_folder / "cats/01.png"
    report = db.index([one, photo_folder, one, str(photo_folder) + "/"])
    assert (report.found, report.encoded) == (40, 40)


def test_a_database_inside_the_folder_is_not_indexed(photo_folder: Path, model: Path) -> None:
    with Database.create(photo_folder / "db", model=model) as database:
        assert database.index(photo_folder, keep_originals=True).found == 40
        assert database.index(photo_folder).unchanged == 40


def test_odd_names(db: Database, tmp_path: Path, photo_bytes: list[bytes], check: Check) -> None:
    folder = tmp_path / "odd \udcff"
    folder.mkdir()
    for number, name in enumerate(["\udcff.jpg", "a%20#?.png", "new\nline", "x" * 255, "🐈", "-rf", "sp ace", "'\""]):
        (folder / name).write_bytes(photo_bytes[number])
    report = db.index(folder, labels_from_folders=True)
    assert (report.found, report.encoded) == (8, 8)
    assert db.index(folder).unchanged == 8
    check(db.path, folder)
    assert db.remove([folder / "\udcff.jpg"]) == 1
    assert db.remove([folder]) == 7


def test_a_file_called_like_a_row_is_a_file(
    db: Database, tmp_path: Path, photo_bytes: list[bytes], other_model: Path
) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a.parquet#1").write_bytes(photo_bytes[0])
    (folder / "b.jpg").write_bytes(photo_bytes[1])
    assert db.index(folder).encoded == 2
    report = db.index(folder / "b.jpg")  # looks whether the other is still there
    assert (report.unchanged, report.missing) == (1, 0)
    assert db.prune() == 0
    copy = tmp_path / "copy.png"
    copy.write_bytes(photo_bytes[0])
    assert (db.index(copy).copied, len(db)) == (1, 3)
    assert db.index(folder / "b.jpg", model=other_model, reindex=True).failed == 0
    assert len(db) == 3


# Changes


def test_a_changed_file_is_replaced(
    indexed: Database, photo_folder: Path, photo_bytes: list[bytes], decoded: list[bytes], check: Check
) -> None:
    before = ids(indexed)
    path = photo_folder / "cats/01.png"
    path.write_bytes(photo_bytes[30] + b"\0")
    report = indexed.index(photo_folder)
    assert (report.encoded, report.unchanged) == (1, 39)
    assert len(decoded) == 1
    assert ids(indexed) == before
    check(indexed.path, photo_folder)


def test_a_change_within_the_same_second_and_of_the_same_size_is_seen(
    db: Database, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    path = tmp_path / "f/a.bin"
    path.parent.mkdir()
    size = max(map(len, photo_bytes)) + 1
    for number, data_ in enumerate(photo_bytes[:3]):
        path.write_bytes(data_.ljust(size, b"\0"))
        os.utime(path, ns=(10**18 + number, 10**18 + number))
        assert db.index(path.parent).encoded == 1
        assert db.search(path)[0].distance == 0
    assert len(db) == 1


def test_a_touched_file_is_not_decoded_again_and_keeps_its_label(
    indexed: Database, photo_folder: Path, decoded: list[bytes]
) -> None:
    for path in photo_folder.rglob("*.*"):
        os.utime(path, (5, 5))
    report = indexed.index(photo_folder)
    assert (report.indexed, report.encoded) == (40, 0)
    assert decoded == []
    assert labels(indexed) == {"cats": 26, "dogs": 14}
    assert indexed.index(photo_folder).unchanged == 40


def test_a_renamed_and_a_moved_file_keep_row_and_label(
    indexed: Database, photo_folder: Path, tmp_path: Path, decoded: list[bytes], check: Check
) -> None:
    before = ids(indexed)
    old = [photo_folder / "cats/01.png", photo_folder / "dogs/00.jpg"]
    new = [photo_folder / "cats/renamed.png", tmp_path / "elsewhere/00.jpg"]
    new[1].parent.mkdir()
    for source, target in zip(old, new, strict=True):
        source.rename(target)
    report = indexed.index([photo_folder, new[1].parent])
    assert (report.found, report.moved, report.unchanged, report.missing) == (40, 2, 38, 0)
    assert decoded == []
    after = ids(indexed)
    assert [after[str(path)] for path in new] == [before[str(path)] for path in old]
    assert len(after) == 40
    assert labels(indexed) == {"cats": 26, "dogs": 14}
    check(indexed.path, photo_folder, new[1].parent)


def test_a_folder_moved_as_a_whole_keeps_its_rows(
    indexed: Database, photo_folder: Path, tmp_path: Path, decoded: list[bytes], check: Check
) -> None:
    before = {Path(name).name: id_ for name, id_ in ids(indexed).items()}
    photo_folder.rename(tmp_path / "moved")
    report = indexed.index(tmp_path / "moved")
    assert (report.moved, report.missing) == (40, 0)
    assert {Path(name).name: id_ for name, id_ in ids(indexed).items()} == before
    assert decoded == []
    check(indexed.path, tmp_path / "moved")


def test_files_that_change_names_among_each_other(indexed: Database, photo_folder: Path, check: Check) -> None:
    a, b, c = (photo_folder / f"cats/{name}" for name in ("01.png", "02.webp", "04.tif"))
    a.rename(photo_folder / "aside")
    b.rename(a)
    c.rename(b)
    (photo_folder / "aside").rename(c)
    report = indexed.index(photo_folder)
    assert (report.found, report.indexed, report.missing) == (40, 40, 0)
    check(indexed.path, photo_folder)


def test_a_copy_has_a_row_of_its_own_without_decoding(
    indexed: Database, photo_folder: Path, decoded: list[bytes], check: Check
) -> None:
    shutil.copy(photo_folder / "cats/01.png", photo_folder / "copy.png")
    os.link(photo_folder / "cats/02.webp", photo_folder / "hard link.webp")
    report = indexed.index(photo_folder)
    assert (report.copied, report.unchanged, len(indexed)) == (2, 40, 42)
    assert decoded == []
    check(indexed.path, photo_folder)
    paths = [hit.path for hit in indexed.search(photo_folder / "copy.png", radius=0)]
    assert {str(photo_folder / "cats/01.png"), str(photo_folder / "copy.png")} <= set(paths)


def test_many_copies_at_once(db: Database, tmp_path: Path, photo_bytes: list[bytes], check: Check) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}").write_bytes(photo_bytes[number % 2])
    report = db.index(folder, keep_originals=True)
    assert (report.found, report.indexed, report.encoded + report.copied) == (200, 200, 200)
    assert db.info().originals == 2
    check(db.path, folder)


def test_what_vanished_is_found_no_more_and_comes_back(
    indexed: Database, photo_folder: Path, tmp_path: Path, decoded: list[bytes], check: Check
) -> None:
    before = ids(indexed)
    path, aside = photo_folder / "cats/01.png", tmp_path / "aside.png"
    path.rename(aside)
    for _ in range(2):
        report = indexed.index(photo_folder)
        assert (report.found, report.missing, len(indexed)) == (39, 1, 39)
    assert str(path) not in [hit.path for hit in indexed.search(aside, top=None, radius=64)]
    assert indexed.info().missing == 1
    check(indexed.path, photo_folder)
    aside.rename(path)
    decoded.clear()
    report = indexed.index(photo_folder)
    assert decoded == []
    assert (report.found, report.indexed, report.missing) == (40, 40, 0)
    assert ids(indexed) == before
    assert indexed.search(path)[0].distance == 0
    assert labels(indexed) == {"cats": 26, "dogs": 14}
    check(indexed.path, photo_folder)


def test_labels_are_brought_up_to_date(indexed: Database, photo_folder: Path, decoded: list[bytes]) -> None:
    (photo_folder / "cats").rename(photo_folder / "lions")
    indexed.index(photo_folder, labels_from_folders=True)
    assert labels(indexed) == {"lions": 26, "dogs": 14}
    assert decoded == []


# Failures


BROKEN = {"a.txt": b"text", "empty.jpg": b"", "cut.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "b.svg": b"<svg/>"}


def test_failures_are_counted_and_named(db: Database, photo_folder: Path, decoded: list[bytes], check: Check) -> None:
    for name, content in BROKEN.items():
        (photo_folder / name).write_bytes(content)
    for run in range(2):
        report = db.index(photo_folder)
        assert (report.found, report.indexed, report.failed) == (44, 40, 4)
        assert sorted(Path(name).name for name, _ in report.problems) == sorted(BROKEN)
        assert all(reason for _, reason in report.problems)
        assert db.info().errors == 4
        assert len(decoded) == 41, f"run {run}"  # 40 images and the one that begins like one
    check(db.path, photo_folder, failed=4)
    (photo_folder / "a.txt").write_bytes((photo_folder / "cats/01.png").read_bytes())
    (photo_folder / "b.svg").unlink()
    report = db.index(photo_folder)
    assert (report.found, report.indexed, report.failed, report.missing) == (43, 41, 2, 1)
    check(db.path, photo_folder, failed=2)


def test_an_image_that_breaks_is_found_no_more(indexed: Database, photo_folder: Path, check: Check) -> None:
    path = photo_folder / "cats/01.png"
    path.write_bytes(path.read_bytes()[:200])
    report = indexed.index(photo_folder)
    assert (report.failed, report.unchanged, len(indexed)) == (1, 39, 39)
    check(indexed.path, photo_folder, failed=1)


def test_broken_links_are_failures_and_tried_again(db: Database, photo_folder: Path, check: Check) -> None:
    link = photo_folder / "link.png"
    link.symlink_to("not yet")
    for _ in range(2):
        report = db.index(photo_folder)
        assert (report.found, report.indexed, report.failed) == (41, 40, 1)
        assert [name for name, _ in report.problems] == [str(link)]
    shutil.copy(photo_folder / "cats/01.png", photo_folder / "not yet")
    report = db.index(photo_folder)
    assert (report.found, report.indexed, report.failed) == (42, 42, 0)
    check(db.path, photo_folder)


def test_a_file_that_vanishes_between_finding_and_reading(
    db: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = data.survey

    def survey_and_lose(*arguments: object, **options: object) -> data.Survey:
        found = survey(*arguments, **options)  # type: ignore[arg-type]
        (photo_folder / "cats/01.png").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(data, "survey", survey_and_lose)
    report = db.index(photo_folder)
    assert (report.found, report.indexed, report.failed) == (40, 39, 1)
    assert report.problems == [(str(photo_folder / "cats/01.png"), "No such file or directory")]
    monkeypatch.undo()
    report = db.index(photo_folder)
    assert (report.found, report.unchanged, report.failed, report.missing) == (39, 39, 0, 1)
    assert db.prune() == 1


@pytest.mark.parametrize("after", ["gone", "broken", "shorter"])
def test_a_table_that_changes_between_finding_and_reading(
    after: str, db: Database, photo_folder: Path, photo_bytes: list[bytes], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    table = write_table(tmp_path / "t.parquet", photo_bytes[:5])
    survey = data.survey

    def survey_and_lose(*arguments: object, **options: object) -> data.Survey:
        found = survey(*arguments, **options)  # type: ignore[arg-type]
        data.parquet._open.cache_clear()
        table.unlink()
        if after == "broken":
            table.write_bytes(b"PAR1 rubbish")
        elif after == "shorter":
            write_table(table, photo_bytes[:2])
        return found

    monkeypatch.setattr(data, "survey", survey_and_lose)
    report = db.index([table, photo_folder])
    kept = 2 if after == "shorter" else 0
    assert (report.found, report.indexed, report.failed) == (45, 40 + kept, 5 - kept)


def test_a_cap_on_pixels(db: Database, photo_folder: Path) -> None:
    report = db.index(photo_folder, max_pixels=100)
    assert (report.failed, report.indexed) == (40, 0)
    assert all("--max-pixels" in reason for _, reason in report.problems)
    report = db.index(photo_folder, max_pixels=10**6, reindex=True)
    assert (report.failed, report.indexed, len(db)) == (0, 40, 40)


def test_a_raised_cap_is_heeded_without_reindexing(db: Database, photo_folder: Path) -> None:
    db.index(photo_folder, max_pixels=100)
    assert db.index(photo_folder, max_pixels=10**6).indexed == 40  # as the message of the failure promises


def test_nothing_to_index_is_an_error_and_changes_nothing(
    indexed: Database, tmp_path: Path, photo_folder: Path
) -> None:
    (tmp_path / "empty").mkdir()
    sources: list[data.Paths] = [tmp_path / "absent", tmp_path / "empty", []]
    for source in sources:
        with pytest.raises(DataError):
            indexed.index(source)
    assert len(indexed) == 40
    assert indexed.index(photo_folder).unchanged == 40


def test_missing_packages_are_tried_again(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pi_heif")
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pi_heif", None)
        kinds._register_heif.cache_clear()
        for _ in range(2):
            (problem,) = db.index(folder).problems
            assert "pip install 'lookalike[heic]'" in problem[1]
    kinds._register_heif.cache_clear()
    (problem,) = db.index(folder).problems
    assert "pip install" not in problem[1]  # the package is there, and says that the file is broken


def test_formats_that_an_earlier_version_refused_are_read(
    db: Database, tmp_path: Path, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    pictures[0].save(folder / "a.tga")
    (folder / "b.svg").write_text("<svg/>")
    with monkeypatch.context() as earlier:
        earlier.setattr(kinds, "NO_IMAGE", "not an image in a format that is read here (JPEG, PNG)")
        earlier.setitem(kinds._ACCEPT, "TGA", lambda head: False)
        kinds._openers.cache_clear()
        assert db.index(folder).failed == 2
    kinds._openers.cache_clear()
    report = db.index(folder)
    assert (report.encoded, report.failed) == (1, 1)


def test_a_full_disk_is_one_clear_error(
    indexed: Database, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    (photo_folder / "new.png").write_bytes((photo_folder / "cats/01.png").read_bytes() + b"\0")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(originals, "keep", full)
        with pytest.raises(LookalikeError, match="No space left"):
            indexed.index(photo_folder, keep_originals=True)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(LookalikeError, match="No space left"):
            indexed.index(photo_folder)
    indexed.index(photo_folder)
    check(indexed.path, photo_folder)


# Tables


def test_a_table_is_indexed_row_by_row(
    db: Database, tmp_path: Path, photo_bytes: list[bytes], decoded: list[bytes]
) -> None:
    table = write_table(tmp_path / "t.parquet", [*photo_bytes[:10], b"no image"])
    report = db.index(table)
    assert (report.found, report.encoded, report.failed) == (11, 10, 1)
    assert db.index(table).unchanged == 10
    assert len(decoded) == 11
    assert db.search(photo_bytes[3])[0].path == f"{table}#3"
    assert db.remove([f"{table}#3"]) == 1
    assert db.index(table).indexed == 10
    assert db.remove([table]) == 11


def test_a_table_that_shrank_loses_its_last_rows(db: Database, tmp_path: Path, photo_bytes: list[bytes]) -> None:
    table = write_table(tmp_path / "t.parquet", photo_bytes[:10])
    db.index(table)
    write_table(table, photo_bytes[:6])
    report = db.index(table)
    assert (report.found, report.indexed, report.encoded, report.missing) == (6, 6, 0, 4)
    assert len(db) == 6
    assert db.prune() == 4


def test_a_broken_table_does_not_stop_others(
    db: Database, tmp_path: Path, photo_bytes: list[bytes], photo_folder: Path
) -> None:
    table = write_table(tmp_path / "t.parquet", photo_bytes[:10])
    db.index(table)
    table.write_bytes(b"PAR1 rubbish")
    assert db.index(photo_folder).indexed == 40  # the same bytes, so the rows of the table are looked at
    db.prune()
    assert {record.name for record in db.records()} >= {str(p) for p in photo_folder.rglob("*.*")}


# Roots inside roots


@pytest.mark.parametrize("order", [["cats", "."], [".", "cats"], ["cats", ".", "cats"], [".", "cats/01.png", "dogs"]])
def test_folders_inside_folders_hold_each_file_once(
    order: list[str], db: Database, photo_folder: Path, check: Check
) -> None:
    encoded = sum(db.index(photo_folder / name).encoded for name in order)
    assert (encoded, len(db)) == (40, 40)
    check(db.path, photo_folder)
    (photo_folder / "cats/01.png").unlink()
    assert db.index(photo_folder / order[-1]).missing == (0 if order[-1] == "dogs" else 1)
    check(db.path, photo_folder) if order[-1] != "dogs" else None
    assert db.prune() == 1


def test_neighbours_with_the_same_beginning(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    for name in ("photos2", "photos#1", "photos.old"):
        shutil.copytree(photo_folder / "dogs", tmp_path / name)
        db.index(tmp_path / name)
    db.index(photo_folder)
    assert db.remove([photo_folder]) == 40
    assert len(db) == 3 * 14


# Removing and pruning


def test_removing(indexed: Database, photo_folder: Path, check: Check) -> None:
    assert indexed.remove([photo_folder / "cats/01.png", str(photo_folder / "dogs")]) == 15
    assert len(indexed) == 25
    assert all("dogs" not in hit.path for hit in indexed.search(photo_folder / "dogs/00.jpg", top=None, radius=64))
    assert (photo_folder / "cats/01.png").exists()
    report = indexed.index(photo_folder)
    assert (report.encoded, report.unchanged) == (15, 25)
    check(indexed.path, photo_folder)


def test_removing_what_is_not_there_removes_nothing(indexed: Database, photo_folder: Path) -> None:
    with pytest.raises(LookalikeError, match=r"absent.png is not in .*lookalike info"):
        indexed.remove([photo_folder / "cats/01.png", photo_folder / "absent.png"])
    assert len(indexed) == 40


def test_pruning_forgets_what_is_gone(indexed: Database, photo_folder: Path, check: Check) -> None:
    assert indexed.prune() == 0
    (photo_folder / "cats/01.png").unlink()
    shutil.rmtree(photo_folder / "dogs")
    assert indexed.prune() == 15
    check(indexed.path, photo_folder)
    assert len(list(indexed.records())) == 25


def test_pruning_keeps_what_came_back(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    path = photo_folder / "cats/01.png"
    path.rename(tmp_path / "aside")
    assert indexed.index(photo_folder).missing == 1
    (tmp_path / "aside").rename(path)
    assert indexed.prune() == 0
    assert len(list(indexed.records())) == 40


def test_pruning_keeps_the_rows_of_a_root_that_is_gone_altogether(
    indexed: Database, photo_folder: Path, tmp_path: Path, check: Check
) -> None:
    photo_folder.rename(tmp_path / "unplugged")
    assert indexed.prune() == 0
    assert len(list(indexed.records())) == 40
    (tmp_path / "unplugged").rename(photo_folder)
    indexed.index(photo_folder)
    check(indexed.path, photo_folder)


def test_pruning_keeps_a_lost_root_inside_another(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    db.index(photo_folder / "dogs")  # a drive, say, that is mounted inside the photos
    db.index(photo_folder)
    (photo_folder / "dogs").rename(tmp_path / "unplugged")
    report = db.index(photo_folder)
    assert (report.missing, report.out_of_reach, len(db)) == (0, 14, 40)
    assert db.prune() == 0
    (tmp_path / "unplugged").rename(photo_folder / "dogs")
    report = db.index(photo_folder)
    assert (report.indexed, report.encoded, len(db)) == (40, 0, 40)


def test_pruning_keeps_the_rows_of_a_table_that_is_gone_altogether(
    db: Database, photo_folder: Path, photo_bytes: list[bytes], tmp_path: Path
) -> None:
    table = write_table(photo_folder / "t.parquet", photo_bytes[:4])
    db.index([table, photo_folder / "dogs"])
    assert lost(db) == []
    table.rename(tmp_path / "moved.parquet")
    (photo_folder / "dogs/00.jpg").unlink()
    assert lost(db) == [str(table)]
    assert db.prune() == 1  # the photograph
    assert len(list(db.records())) == 17
    report = db.index(tmp_path / "moved.parquet")
    assert (report.moved, report.encoded, lost(db)) == (4, 0, [])


def test_what_is_lost_can_be_removed(db: Database, photo_folder: Path, photo_bytes: list[bytes]) -> None:
    table = write_table(photo_folder / "t.parquet", photo_bytes[:4])
    db.index([table, photo_folder])
    table.unlink()
    shutil.rmtree(photo_folder / "dogs")  # below a folder that is there: gone, not lost
    assert lost(db) == [str(table)]
    shutil.rmtree(photo_folder)
    assert lost(db) == [str(photo_folder)]
    with pytest.raises(DataError) as refused:
        db.index(photo_folder)
    assert str(refused.value) == (
        f"{photo_folder} no longer exists; remove its images with: lookalike remove {photo_folder} --db {db.path}"
    )
    assert len(db) == 44
    with pytest.raises(DataError, match=r"t\.parquet no longer exists; .*lookalike remove .*t\.parquet --db"):
        db.index(table)
    assert db.remove([table]) == 5  # its rows, and itself as a file that is no image
    assert db.remove([photo_folder]) == 40
    assert lost(db) == []


# Originals


def test_originals_are_kept_and_dropped(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "db2"
    with Database.create(path, model=indexed.folder / "model.onnx") as database:
        database.index(photo_folder, keep_originals=True)
        assert database.info().originals == 40
        kept = sorted(originals.path(path, digest).read_bytes() for digest in originals.digests(path))
        assert kept == sorted(file.read_bytes() for file in photo_folder.rglob("*.*"))
        assert all(finding.ok for finding in database.verify())
        shutil.copy(photo_folder / "cats/01.png", photo_folder / "copy.png")
        database.index(photo_folder, keep_originals=True)
        database.remove([photo_folder / "cats/01.png"])
        assert database.info().originals == 40  # the copy still needs it
        database.remove([photo_folder / "copy.png"])
        assert database.info().originals == 39
        database.remove([photo_folder])
        assert database.info().originals == 0


def test_originals_can_be_kept_afterwards(indexed: Database, photo_folder: Path, decoded: list[bytes]) -> None:
    indexed.index(photo_folder, keep_originals=True)
    assert indexed.info().originals == 40
    assert decoded == []


@pytest.mark.parametrize("what", ["damaged", "lost"])
def test_a_bad_original_is_kept_again_if_its_file_is_there(what: str, db: Database, photo_folder: Path) -> None:
    db.index(photo_folder, keep_originals=True)
    digest = next(originals.digests(db.folder))
    place = originals.path(db.folder, digest)
    place.write_bytes(b"damaged") if what == "damaged" else place.unlink()
    (repaired,) = [finding for finding in db.verify() if finding.repaired]
    assert f"{digest.hex()} was {what}; restored from" in repaired.what
    assert originals.is_intact(db.folder, digest)


@pytest.mark.parametrize("what", ["damaged", "lost"])
def test_a_bad_original_without_a_file_is_named_and_the_advice_helps(
    what: str, db: Database, photo_folder: Path
) -> None:
    db.index(photo_folder, keep_originals=True)
    digest = next(originals.digests(db.folder))
    place = originals.path(db.folder, digest)
    content = place.read_bytes()
    place.write_bytes(b"damaged") if what == "damaged" else place.unlink()
    photo_folder.rename(photo_folder.with_name("elsewhere"))
    (bad,) = [finding for finding in db.verify() if not finding.ok]
    assert digest.hex() in bad.what
    assert "lookalike verify --accept" in bad.what
    place.unlink(missing_ok=True)
    assert [finding for finding in db.verify() if not finding.ok]
    assert all(finding.ok for finding in db.verify(accept=True))
    assert not any(finding.repaired or not finding.ok for finding in db.verify())
    place.write_bytes(content)
    assert [finding.what for finding in db.verify() if finding.repaired] == [
        f"originals: {digest.hex()} was not recorded; recorded"
    ]


# Interruptions


def test_ctrl_c_leaves_a_valid_database(
    db: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    monkeypatch.setattr("lookalike.database.indexing.BATCH", 8)

    def stop(stage: str, done: int, total: int | None) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"db now has 16 images; the same command resumes there"):
        db.index(photo_folder, progress=stop)
    assert len(db) == 16
    assert all(finding.ok and not finding.repaired for finding in db.verify())
    assert len(db.search(photo_folder / "cats/01.png", top=None, radius=64)) == 16
    report = db.index(photo_folder)
    assert (report.unchanged, report.encoded) == (16, 24)
    check(db.path, photo_folder)


def test_an_error_of_the_callers_own_goes_through(
    db: Database, photo_folder: Path, monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    monkeypatch.setattr("lookalike.database.indexing.BATCH", 8)

    def fail(stage: str, done: int, total: int | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.index(photo_folder, progress=fail)
    assert len(db) == 8
    db.index(photo_folder)
    check(db.path, photo_folder)


def test_a_folder_that_was_emptied_is_no_mistake(indexed: Database, photo_folder: Path) -> None:
    for path in photo_folder.rglob("*.*"):
        path.unlink()
    report = indexed.index(photo_folder)
    assert (report.found, report.missing, report.out_of_reach, len(indexed)) == (0, 0, 40, 40)


def test_only_what_was_named_is_examined(indexed: Database, photo_folder: Path) -> None:
    (photo_folder / "cats/01.png").unlink()
    assert indexed.index(photo_folder / "dogs").missing == 0
    assert indexed.index([photo_folder / "dogs", photo_folder / "cats"]).missing == 1


# Thumbnails


def kept(database: Database) -> dict[str, bytes]:
    """Packed thumbnails by name."""
    by_id = database.thumbnails([record.id for record in database.records()])
    return {record.name: by_id[record.id] for record in database.records() if record.id in by_id}


def forget_thumbnails(database: Database) -> None:
    """Make a database look like one of an earlier version after opening."""
    with database.store.local().transaction():
        database.store.local()._session.run("DELETE FROM thumbnails")


@pytest.mark.parametrize("isolation", [False, True])
def test_every_image_gets_a_thumbnail(
    isolation: bool, db: Database, photo_folder: Path, photo_bytes: list[bytes], tmp_path: Path
) -> None:
    Image.new("L", (64, 64), 9).save(photo_folder / "plain.png")
    table = write_table(tmp_path / "table.parquet", photo_bytes[:3])
    report = db.index([photo_folder, table], isolation=isolation)
    assert (report.encoded + report.copied, report.plain) == (44, 1)
    found = kept(db)
    assert len(found) == 44
    for record in db.records():
        content = photo_bytes[record.row] if record.row is not None else Path(record.name).read_bytes()
        assert found[record.name] == decode.decode(content, db.hasher.spec, with_thumbnail=True).thumbnail
    assert db.info().without_thumbnail == 0


def test_thumbnails_follow_copies_moves_and_changes(
    indexed: Database, photo_folder: Path, decoded: list[bytes]
) -> None:
    first = kept(indexed)[str(photo_folder / "cats/01.png")]
    shutil.copy(photo_folder / "cats/01.png", photo_folder / "cats/copy.png")
    (photo_folder / "cats/01.png").rename(photo_folder / "cats/moved.png")
    report = indexed.index(photo_folder)
    assert (report.copied, report.moved, report.refreshed, decoded) == (1, 1, 0, [])
    assert kept(indexed)[str(photo_folder / "cats/copy.png")] == kept(indexed)[str(photo_folder / "cats/moved.png")]
    (photo_folder / "cats/moved.png").write_bytes(b"no image")
    indexed.index(photo_folder)
    found = kept(indexed)
    assert (found[str(photo_folder / "cats/copy.png")], len(found)) == (first, 40)


def test_images_of_an_earlier_version_are_read_again_once(
    indexed: Database, photo_folder: Path, decoded: list[bytes]
) -> None:
    (photo_folder / "no image.jpg").write_bytes(b"no image")
    indexed.index(photo_folder)
    before, records, hits = kept(indexed), list(indexed.records()), indexed.search(photo_folder / "cats/01.png")
    forget_thumbnails(indexed)
    (photo_folder / "cats/01.png").rename(photo_folder.parent / "away.png")
    assert indexed.info().without_thumbnail == 40
    decoded.clear()
    report = indexed.index(photo_folder)
    assert (report.unchanged, report.refreshed, report.encoded, report.missing) == (39, 39, 0, 1)
    assert len(decoded) == 39
    assert (len(kept(indexed)), indexed.info().without_thumbnail) == (39, 0)
    (photo_folder.parent / "away.png").rename(photo_folder / "cats/01.png")
    assert indexed.index(photo_folder).unchanged == 40
    assert (kept(indexed), indexed.search(photo_folder / "cats/01.png")) == (before, hits)
    assert [replace(one, ctime_ns=None) for one in indexed.records()] == [
        replace(one, ctime_ns=None) for one in records
    ]
    decoded.clear()
    report = indexed.index(photo_folder)
    assert (report.unchanged, report.refreshed, decoded) == (40, 0, [])


def test_what_cannot_be_read_again_stays_as_it_is(indexed: Database, photo_folder: Path) -> None:
    records = list(indexed.records())
    forget_thumbnails(indexed)
    report = indexed.index(photo_folder, max_pixels=10)
    assert (report.unchanged, report.refreshed, report.failed, len(indexed)) == (40, 0, 0, 40)
    assert list(indexed.records()) == records
    assert indexed.info().without_thumbnail == 40
    assert indexed.index(photo_folder).refreshed == 40


def test_imported_codes_are_not_looked_for(indexed: Database, photo_folder: Path, tmp_path: Path) -> None:
    indexed.export_codes(tmp_path / "codes.parquet")
    with Database.create(tmp_path / "other", model=indexed.folder / "model.onnx") as other:
        other.import_codes(tmp_path / "codes.parquet")
        assert other.info().without_thumbnail == 40
        table = write_table(tmp_path / "one.parquet", [(photo_folder / "cats/01.png").read_bytes()])
        for _ in range(2):
            report = other.index(table)
            assert (report.found, report.refreshed, report.failed) == (1, 0, 0)
        assert other.info().without_thumbnail == 40
        assert other.index(photo_folder).encoded + 1 == 40
        assert other.info().without_thumbnail == 0


def test_an_animation_that_begins_in_black_gets_its_code_when_it_is_read_again(
    db: Database, photo_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    shown = [
        decode.thumbnail(path.read_bytes(), 320).resize((320, 214)) for path in sorted(photo_folder.glob("dogs/*"))
    ]
    frames = [Image.new("RGB", (320, 214)), *shown[:3]]
    frames[0].save(folder / "clip.gif", save_all=True, append_images=frames[1:], duration=100)
    frames[0].save(folder / "clip.webp", save_all=True, append_images=frames[1:], duration=100, quality=90)
    shown[0].save(folder / "still.png")
    assert db.index(folder).plain == 0
    codes = [int.from_bytes(record.code or b"") for record in db.records()]
    assert max((one ^ other).bit_count() for one, other in itertools.combinations(codes, 2)) <= db.info().near
    with db.store.local().transaction():  # as earlier versions left it
        db.store.local()._session.run("UPDATE images SET code = zeroblob(8) WHERE name LIKE 'clip%'")
        db.store.local()._session.run("UPDATE files SET quality = 0 WHERE animated")
    forget_thumbnails(db)
    report = db.index(folder)
    assert (report.encoded, report.refreshed) == (2, 1)
    assert [int.from_bytes(record.code or b"") for record in db.records()] == codes


class DataSet(list[dict[str, object]]):
    """Rows with the names of their classes, like a Hugging Face data set."""

    class Label:
        names = ("cat", "dog")

    features = {"label": Label}  # noqa: RUF012


def test_images_that_are_not_files_are_kept_in_a_table(photo_folder: Path, model: Path, tmp_path: Path) -> None:
    paths, table = sorted(photo_folder.rglob("*.png"))[:4], tmp_path / "kept.parquet"
    pictures = [Image.open(path).convert("RGB") for path in paths]
    array, row = np.asarray(pictures[0]), {"image": pictures[2], "label": 1}
    with Database.create(tmp_path / "db", model=model) as database:
        report = database.index(iter([array, (pictures[1], "tagged"), paths[3]]), table=table)
        assert (report.found, report.failed) == (3, 0)
        assert labels(database) == {None: 2, "tagged": 1}
        assert [record.name for record in database.records()] == [f"{table}#{number}" for number in range(3)]
        found = database.search([array, pictures[1]])
        assert [hits[0].path for hits in found] == [f"{table}#0", f"{table}#1"]
        assert all(hits[0].relation.is_copy for hits in found)
        database.index(DataSet([row, {"image": array}]), table=tmp_path / "rows.parquet")
        assert labels(database) == {None: 3, "tagged": 1, "dog": 1}
        before = table.read_bytes()
        with pytest.raises(DataError, match="name a Parquet file that they are kept in"):
            database.index([array])
        for wrong, message in (("gone.png", "'gone.png' is unreadable"), ("a\0", "null byte"), (3, "type int is not")):
            with pytest.raises(LookalikeError, match=message):
                database.index([array, wrong], table=table)
        assert table.read_bytes() == before
        assert len(database) == 5
