"""A backup is complete despite concurrent writes, and opens as the same database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lookalike.core import atomic
from lookalike.core.errors import DatabaseError
from lookalike.database import Database
from lookalike.duplicates.request import DuplicateSearch
from lookalike.store import originals

WRITER = """
import sys
from lookalike.database import Database, indexing

db, photos = sys.argv[1:]
indexing.BATCH = 2
with Database.open(db) as database:
    done = 0
    while True:
        database.index(photos, keep_originals=True, reindex=done > 0, isolation=False, workers=1)
        database.remove([f"{photos}/cats"])
        done += 1
        print(done, flush=True)
"""


def clean(path: Path) -> bool:
    with Database.open(path) as database:
        return all(finding.ok and not finding.repaired for finding in database.verify())


def test_a_backup_answers_the_same(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    db.index(photo_folder, keep_originals=True, labels_from_folders=True, isolation=False)
    db.duplicates(DuplicateSearch())
    (db.folder / "codes.bin").unlink()  # derived files are optional
    made = db.backup(tmp_path / "safe/backup")
    assert (made.images, made.originals, made.linked) == (40, 40, 40)
    assert clean(tmp_path / "safe/backup")
    with Database.open(made.path) as copy:
        assert list(copy.records()) == list(db.records())
        assert copy.search_codes(db.codes()[1], top=5) == db.search_codes(db.codes()[1], top=5)
        assert copy.labels() == db.labels()
    assert sorted(path.name for path in (tmp_path / "safe").iterdir()) == ["backup"]
    shutil.rmtree(db.path)
    shutil.move(made.path, db.path)  # restored
    assert clean(db.folder)


def test_while_a_writer_runs(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    expected = {}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, os.fspath(db.path), os.fspath(photo_folder)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        try:
            assert writer.stdout.readline() == "1\n"
            made = []
            for number in range(6):
                try:
                    made.append(db.backup(tmp_path / f"backup-{number}"))
                except DatabaseError as error:  # an original was removed between catalog and copy, and that is said
                    assert "no backup was made" in str(error)  # noqa: PT017
                    assert not (tmp_path / f"backup-{number}").exists()
            assert writer.poll() is None
        finally:
            writer.kill()
    assert made
    for one in made:
        assert clean(Path(one.path))
        with Database.open(one.path) as copy:
            records = [record for record in copy.records() if record.code]
            assert len(records) == one.images
            for record in records:
                if record.name not in expected:
                    expected[record.name] = copy.hasher.encode([record.name])[0].tobytes()
                assert record.code == expected[record.name]
            ids_N, codes_NW = copy.codes()
            assert ids_N.tolist() == [record.id for record in records]
            assert all(hits[0].distance == 0 for hits in copy.search_codes(codes_NW, top=1))


def test_a_copy_shares_nothing(indexed: Database, tmp_path: Path, photo_folder: Path) -> None:
    indexed.index(photo_folder, keep_originals=True, reindex=True, isolation=False)
    made = indexed.backup(tmp_path / "backup", copy=True)
    assert (made.originals, made.linked) == (40, 0)
    mine = {path.stat().st_ino for path in indexed.folder.rglob("*") if path.is_file()}
    assert not mine & {path.stat().st_ino for path in Path(made.path).rglob("*") if path.is_file()}


@pytest.mark.parametrize("link", [OSError(18, "Invalid cross-device link"), PermissionError(1, "no links")])
def test_where_there_are_no_links_originals_are_copied(
    link: OSError, db: Database, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.index(photo_folder, keep_originals=True, isolation=False)

    def fail(*_: object) -> None:
        raise link

    monkeypatch.setattr(os, "link", fail)
    assert db.backup(tmp_path / "backup").linked == 0
    assert clean(tmp_path / "backup")


def test_only_a_new_or_empty_folder_is_taken(indexed: Database, tmp_path: Path) -> None:
    full, file, link = tmp_path / "full", tmp_path / "file", tmp_path / "link"
    full.mkdir()
    (full / "x").write_bytes(b"x")
    file.write_bytes(b"x")
    link.symlink_to(full)
    for place in (full, file, link, indexed.folder / "backup", indexed.folder):
        with pytest.raises(DatabaseError, match=r"choose a"):
            indexed.backup(place)
    (tmp_path / "empty").mkdir()
    assert indexed.backup(tmp_path / "empty").images == 40
    assert [path.name for path in full.iterdir()] == ["x"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_backup_that_fails_leaves_nothing(
    error: BaseException, indexed: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(atomic, "put_in_place", fail)
    with pytest.raises(DatabaseError if isinstance(error, OSError) else KeyboardInterrupt):
        indexed.backup(tmp_path / "safe/backup")
    assert list((tmp_path / "safe").iterdir()) == []


def test_what_a_killed_backup_left_is_deleted(indexed: Database, tmp_path: Path) -> None:
    left, foreign = tmp_path / ".backup.0123abcd.tmp", tmp_path / ".backup.89abcdef.tmp"
    for folder, name in ((left, "catalog.sqlite-journal"), (left, "codes.bin"), (foreign, "photo.jpg")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"half")
    indexed.backup(tmp_path / "backup")
    assert not left.exists()
    assert os.listdir(foreign) == ["photo.jpg"]


def test_what_is_damaged_is_not_backed_up(db: Database, photo_folder: Path, tmp_path: Path) -> None:
    db.index(photo_folder, keep_originals=True, isolation=False)
    digest = next(originals.digests(db.folder))
    originals.path(db.folder, digest).unlink()
    photo_folder.rename(tmp_path / "elsewhere")
    with pytest.raises(DatabaseError, match=f"no backup was made, because its check found: originals: {digest.hex()}"):
        db.backup(tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    assert np.array_equal(db.codes()[0], np.arange(1, 41))
