"""Which files are read again, and the cost of many equal files."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lookalike import data
from lookalike.core.mounts import Volume
from lookalike.data import Item
from lookalike.database import Database
from lookalike.store.catalog import Catalog
from lookalike.store.records import Record

SECOND = 10**18  # nanoseconds since 1970, of files whose time is kept


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from now on."""
    names: list[str] = []
    real = data.source

    def source(item: Item) -> Any:
        names.append(Path(item.name).name)
        return real(item)

    monkeypatch.setattr("lookalike.database.indexing.source", source)
    return names


def padded(content: bytes, size: int) -> bytes:
    return content.ljust(size, b"\0")


def on(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that all files are on one kind of file system."""
    monkeypatch.setattr("lookalike.core.mounts.Mounts.of", lambda self, path: Volume("a disk", kind))


def test_a_file_replaced_with_its_size_and_time_is_noticed(
    db: Database, tmp_path: Path, photo_bytes: list[bytes], decoded: list[bytes]
) -> None:
    folder, size = tmp_path / "f", max(map(len, photo_bytes)) + 1
    folder.mkdir()
    path = folder / "a.jpg"
    for number in range(3):
        new = tmp_path / "new"
        new.write_bytes(padded(photo_bytes[number], size))
        os.utime(new, ns=(SECOND, SECOND))
        os.replace(new, path)
        assert db.index(folder).encoded == 1
        assert db.search(path)[0].distance == 0
    with open(path, "r+b") as file:  # in place, so that the inode stays
        file.write(padded(photo_bytes[5], size))
    os.utime(path, ns=(SECOND, SECOND))
    assert db.index(folder).encoded == 1
    assert db.index(folder).unchanged == 1


def test_what_only_seems_changed_is_read_and_not_decoded(
    indexed: Database, photo_folder: Path, read: list[str], decoded: list[bytes]
) -> None:
    (photo_folder / "cats/01.png").chmod(0o600)
    assert indexed.index(photo_folder).unchanged == 40
    assert (read, decoded) == (["01.png"], [])
    assert indexed.index(photo_folder).unchanged == 40
    assert read == ["01.png"]


@pytest.mark.parametrize("kind", ["vfat", "exfat", "fuseblk", "fuse.sshfs", "nfs4", "cifs", "", "ext4"])
def test_inodes_count_only_where_they_last(
    kind: str, db: Database, photo_folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on(kind, monkeypatch)
    db.index(photo_folder)
    read.clear()
    with db.store.local().transaction():  # as if all were numbered anew, by a new mount
        db.store.local()._session.run("UPDATE files SET inode = inode + 1")
    assert db.index(photo_folder).unchanged == 40
    assert len(read) == (40 if kind == "ext4" else 0)


def test_databases_of_before_go_by_size_and_time_once(db: Database, photo_folder: Path, read: list[str]) -> None:
    db.index(photo_folder)
    read.clear()
    with db.store.local().transaction():
        db.store.local()._session.run("UPDATE files SET ctime_ns = NULL, inode = NULL, volume = NULL")
    assert db.index(photo_folder).unchanged == 40
    assert read == []
    (photo_folder / "cats/01.png").chmod(0o600)
    db.index(photo_folder)
    assert read == ["01.png"]


def test_a_table_replaced_with_its_size_and_time_is_noticed(
    db: Database, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table, size = tmp_path / "t.parquet", max(map(len, photo_bytes)) + 1
    for number in range(2):
        images = [padded(content, size) for content in photo_bytes[number * 3 : number * 3 + 3]]
        parquet.write_table(
            pyarrow.table({"image": images}), tmp_path / "new", compression="none", use_dictionary=False
        )
        os.utime(tmp_path / "new", ns=(SECOND + number, SECOND + number))
        os.replace(tmp_path / "new", table)
        os.utime(table, ns=(SECOND, SECOND))
        assert db.index(table).encoded == 3


# Many equal files


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Numbers of rows listed by digest, and of files and folders examined."""
    counts: Counter[str] = Counter()
    listed, look = Catalog.with_digest, os.stat

    def with_digest(self: Catalog, digest: bytes) -> list[Record]:
        records = listed(self, digest)
        counts["rows"] += len(records)
        return records

    def stat(*arguments: Any, **options: Any) -> os.stat_result:
        counts["looks"] += 1
        return look(*arguments, **options)

    monkeypatch.setattr(Catalog, "with_digest", with_digest)
    monkeypatch.setattr("lookalike.database.reachability.os.stat", stat)
    return counts


def equal_files(folder: Path, content: bytes, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:03}.jpg").write_bytes(content)
    return folder


def test_work_grows_with_the_number_of_equal_files(
    db: Database, tmp_path: Path, photo_bytes: list[bytes], work: Counter[str]
) -> None:
    folder = equal_files(tmp_path / "equal", photo_bytes[0], 300)
    report = db.index(folder)
    assert (report.indexed, report.encoded + report.copied) == (300, 300)
    assert work["rows"] <= 300
    assert work["looks"] <= 3_000  # some for each file; 45,000 if each row were looked at for each file
    work.clear()
    folder.rename(tmp_path / "renamed")
    report = db.index(tmp_path / "renamed")
    assert (report.moved, report.missing, len(db)) == (300, 0, 300)
    assert work["rows"] <= 300
    assert work["looks"] <= 6_000


def test_equal_files_that_move_keep_their_rows_each_once(
    db: Database, tmp_path: Path, photo_bytes: list[bytes]
) -> None:
    folder = equal_files(tmp_path / "equal", photo_bytes[0], 20)
    db.index(folder)
    before = {record.id for record in db.records()}
    for number in range(0, 20, 2):
        (folder / f"{number:03}.jpg").rename(folder / f"renamed-{number}.jpg")
    shutil.copy(folder / "001.jpg", folder / "copy.jpg")
    report = db.index(folder)
    assert (report.moved, report.copied, report.unchanged, report.missing) == (10, 1, 10, 0)
    assert before < {record.id for record in db.records()}
    assert len(db) == 21
