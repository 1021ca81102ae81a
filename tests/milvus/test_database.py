"""A database in Milvus behaves like one in a folder, on a real server, also if that is killed.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from lookalike.core.errors import ConfigError, DatabaseError, DataError
from lookalike.database import Database, Filter
from lookalike.duplicates.request import DuplicateSearch
from lookalike.milvus import store as distributed
from lookalike.milvus.client import MESSAGE, MilvusServer, _batches, parse
from lookalike.milvus.rows import FIELDS, candidate_ids
from lookalike.opening import exists
from lookalike.opening import open as open_database
from tests.conftest import MakeModel
from tests.milvus_server import Running

ODD = [
    'quo"te.png',
    "back\\slash.png",
    "line\nbreak.png",
    "per%cent_.png",
    "ü𝄞.png",
    "\uef80private.png",
    "raw\udcff.png",
]


@pytest.fixture
def address(milvus: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database that does not exist yet."""
    name = f"t{abs(hash(request.node.name))}"
    yield milvus.address(name)
    server = MilvusServer(parse(milvus.address(name)))
    for made in server.names():
        if made.startswith(name):
            server.drop(made)
    server.close()


@pytest.fixture
def both(address: str, tmp_path: Path, model: Path) -> Iterator[tuple[Database, Database]]:
    """Two new databases, in Milvus and in a folder."""
    with (
        open_database(address, create=True, model=model) as remote,
        Database.create(tmp_path / "db", model=model) as local,
    ):
        yield remote, local


def rows(database: Database) -> dict[str, Any]:
    """The record of each image, without ids."""
    left_out = {"id", "mtime_ns", "missing_since", "ctime_ns", "inode", "volume"}
    known = {}
    for record in database.records():
        values = {name: getattr(record, name) for name in record.__slots__ if name not in left_out}
        known[record.name] = (values, record.missing_since is None)
    return known


def assert_same(remote: Database, local: Database) -> None:
    assert rows(remote) == rows(local)
    assert len(remote) == len(local)
    codes_NW = local.codes()[1]
    assert sorted(map(bytes, remote.codes()[1])) == sorted(map(bytes, codes_NW))
    there, here = (vars_of(database.info()) for database in (remote, local))
    assert {**there, "path": ""} == {**here, "path": ""}
    for limits in ({"top": 5}, {"top": 10_000}, {"top": None, "radius": 24}, {"top": 3, "radius": 9}):
        found = [database.search_codes(codes_NW[:20], **limits) for database in (remote, local)]
        for mine, yours in zip(*found, strict=True):
            assert [hit.distance for hit in mine] == [hit.distance for hit in yours]
            assert len({hit.path for hit in mine}) == len(mine)


def vars_of(info: Any) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__slots__}


def test_the_same_distances_as_in_a_folder(
    both: tuple[Database, Database], tiny_bytes: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    for number, image in enumerate(tiny_bytes[:300]):
        (folder / f"{number:03}.jpg").write_bytes(image)
    for database in both:
        report = database.index(folder)
        assert (report.found, report.encoded, report.failed) == (300, 300, 0)
    assert_same(*both)
    remote, local = both
    groups = [
        sorted(sorted((one.path, one.distance) for one in group) for group in database.duplicates(radius=12))
        for database in both
    ]
    assert groups[0] == groups[1]
    by_code = [
        sorted(
            sorted(one.path for one in group) for group in database.duplicates(DuplicateSearch(radius=12, verify=False))
        )
        for database in both
    ]
    assert by_code[0] == by_code[1]
    assert sum(map(len, groups[0])) < sum(map(len, by_code[0]))
    thumbnails = [
        {record.name: database.thumbnails([record.id])[record.id] for record in database.records()} for database in both
    ]
    assert thumbnails[0] == thumbnails[1] != {}
    assert [database.info().without_thumbnail for database in both] == [0, 0]
    with pytest.raises(ConfigError, match="does not support asymmetric search"):
        remote.search_asymmetric(folder / "007.jpg")
    with Image.open(folder / "007.jpg") as picture:
        ImageOps.mirror(picture).save(tmp_path / "mirrored.png")
    for query, relation in ((folder / "007.jpg", "exact"), (tmp_path / "mirrored.png", "edited")):
        first = [database.search(query, top=1)[0] for database in (remote, local)]
        assert [(hit.path, hit.relation, hit.verified) for hit in first] == [
            (str(folder / "007.jpg"), relation, True)
        ] * 2
        assert first[0].edits == first[1].edits


def test_what_changes_is_followed_as_in_a_folder(
    both: tuple[Database, Database], photo_folder: Path, decoded: list[bytes]
) -> None:
    def again(**options: Any) -> None:
        reports = [vars(database.index(photo_folder, **options)) for database in both]
        for report in reports:
            del report["seconds"]
            report["problems"].sort()
        assert reports[0] == reports[1]
        assert_same(*both)

    again()
    decoded.clear()
    again(labels_from_folders=True)
    assert decoded == []
    photos = sorted(path for path in photo_folder.rglob("*") if path.is_file())
    photos[0].rename(photos[0].with_name("moved" + photos[0].suffix))
    shutil.copy(photos[1], photo_folder / "copy.bin")
    photos[2].unlink()
    photos[3].write_bytes(b"no image")
    again()
    assert decoded == []
    os.utime(photos[4], (7, 7))
    shutil.copy(photo_folder / "copy.bin", photos[2])
    photos[5].unlink()
    again()
    for database in both:
        assert database.prune() == 1
        assert not database.losses().unreachable
    assert_same(*both)
    again(reindex=True)
    for database in both:
        assert database.remove([photo_folder / "cats"]) > 10
        with pytest.raises(DatabaseError, match=r"nowhere is not in .*list its paths with"):
            database.remove(["nowhere"])
    assert_same(*both)


def test_a_database_of_the_second_format_is_read_and_written_without_thumbnails(
    address: str, photo_folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(distributed, "FORMAT", 2)
        fields = {name: kind for name, kind in FIELDS.items() if name != "thumbnail"} | {"relief": "text"}
        before.setattr(distributed, "FIELDS", fields)
        open_database(address, create=True, model=model).close()
    with open_database(address) as remote:
        remote.index(photo_folder)
        ids = [record.id for record in remote.records()]
        assert remote.thumbnails(ids) == {}
        assert remote.info().without_thumbnail == 40
        report = remote.index(photo_folder)
        assert (report.unchanged, report.refreshed) == (40, 0)


def test_a_database_of_the_first_format_is_read_and_written_and_verified_by_files(
    address: str, photo_folder: Path, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(distributed, "FORMAT", 1)
        fields = {name: kind for name, kind in FIELDS.items() if name != "thumbnail"}
        before.setattr(distributed, "FIELDS", fields)
        open_database(address, create=True, model=model).close()
    with open_database(address) as remote, Database.create(tmp_path / "db", model=model) as local:
        for database in (remote, local):
            database.index(photo_folder, labels_from_folders=True)
        found = remote.duplicates(radius=24)
        here = local.duplicates(radius=24)  # by thumbnails; there by the files
        assert [[one.path for one in group] for group in found] == [[one.path for one in group] for group in here]
        assert found.unverified == 0
        next(photo_folder.glob("cats/*")).unlink()
        (photo_folder / "cats").rename(photo_folder / "lions")
        remote.index(photo_folder, labels_from_folders=True)
        assert remote.labels().keys() == {"dogs", "lions"} | set(local.labels()) - {"cats"}
        assert len(remote) == 39


def test_odd_names_and_labels_are_kept_and_found(
    both: tuple[Database, Database], photo_bytes: list[bytes], tmp_path: Path
) -> None:
    root = tmp_path / "odd"
    for number, name in enumerate(ODD):
        folder = root / name.removesuffix(".png")
        folder.mkdir(parents=True)
        (folder / name).write_bytes(photo_bytes[number])
        (root / f"{name}#").write_bytes(photo_bytes[number + len(ODD)])
    for database in both:
        assert database.index(root, labels_from_folders=True).encoded == 2 * len(ODD)
    assert_same(*both)
    remote, local = both
    query_NW = local.codes()[1][:1]
    wanted = [Filter(label=name.removesuffix(".png")) for name in ODD]
    wanted += [Filter(below=str(root / name.removesuffix(".png"))) for name in ODD]
    wanted += [Filter(below=str(root / name)) for name in ODD]
    wanted += [Filter(below=str(root)), Filter(below="/"), Filter(below=str(tmp_path / "od")), Filter(label="")]
    wanted += [Filter(since=0), Filter(since=time.time() + 1000), Filter(label="ü𝄞", below=str(root), since=1)]
    for only in wanted:
        found = [{hit.path for hit in one.search_codes(query_NW, top=100, only=only)[0]} for one in both]
        assert found[0] == found[1], only
        assert {record.name for record in remote.records_of(remote.store.passing_ids(only).tolist()).values()} == found[
            0
        ]
    assert remote.labels() == local.labels()
    assert len(remote.store.ids_by_name()) == 2 * len(ODD)


def test_codes_come_in_and_go_out(both: tuple[Database, Database], tmp_path: Path) -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (3000, 8), np.uint8)
    labels = [["a", "b"] if row % 3 else None for row in range(3000)]
    table = {"code": [bytes(code) for code in codes_NW], "path": [f"x/{row}" for row in range(3000)], "labels": labels}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    np.save(tmp_path / "b.npy", codes_NW[:50])
    for database in both:
        assert database.import_codes(tmp_path / "a.parquet", root=tmp_path).changed == 3000
        assert database.import_codes(tmp_path / "b.npy", root=tmp_path).changed == 50
        assert database.import_codes(tmp_path / "a.parquet", root=tmp_path).changed == 0
    assert_same(*both)
    remote, local = both
    assert remote.export_codes(tmp_path / "remote.parquet") == local.export_codes(tmp_path / "local.parquet") == 3050
    tables = [pq.read_table(tmp_path / f"{name}.parquet").sort_by("path") for name in ("remote", "local")]
    assert tables[0].equals(tables[1])


def test_another_machine_needs_only_the_address(
    both: tuple[Database, Database], address: str, photo_folder: Path, tmp_path: Path
) -> None:
    remote, _ = both
    revision = remote.revision
    remote.index(photo_folder)
    assert remote.revision > revision
    code = (
        "import sys; from lookalike.opening import open as open_database\n"
        "with open_database(sys.argv[1]) as db: print(db.hasher.digest, db.search(sys.argv[2])[0].distance, len(db))"
    )
    photo = str(next(photo_folder.rglob("*.png")))
    done = subprocess.run(
        [sys.executable, "-c", code, address, photo], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [remote.hasher.digest, "0", "40"]


def test_another_model_is_refused(both: tuple[Database, Database], photo_folder: Path, make_model: MakeModel) -> None:
    remote, _ = both
    other = make_model(seed=5)
    with pytest.raises(DatabaseError, match=r"holds codes of .*, but .* is .*\. Pass the first model, or index into"):
        remote.index(photo_folder, model=other)
    assert len(remote) == 0
    with pytest.raises(ConfigError, match="does not support originals"):
        remote.index(photo_folder, keep_originals=True)


def test_two_paths_of_one_number_stand_side_by_side(
    both: tuple[Database, Database], photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(name: str) -> tuple[int, int]:
        first, second = candidate_ids(name)
        return first % 7 + 1, second % 10**6 + 100

    for module in ("store", "rows"):
        monkeypatch.setattr(f"lookalike.milvus.{module}.candidate_ids", few)
    for database in both:
        assert database.index(photo_folder).indexed == 40
        assert database.index(photo_folder).unchanged == 40
    assert_same(*both)


# Interruption and concurrency


def test_machines_that_begin_at_once_share_one_database(
    address: str, photo_folder: Path, model: Path, tmp_path: Path
) -> None:
    folders = [photo_folder / name for name in ("cats", "dogs")]
    command = [sys.executable, "-m", "lookalike", "index", "--db", address, "--model", str(model)]
    children = [subprocess.Popen([*command, folder], stderr=subprocess.PIPE, text=True) for folder in folders]
    for child in children:
        assert child.communicate()[1] == ""
        assert child.returncode == 0
    with open_database(address) as remote, Database.create(tmp_path / "db", model=model) as local:
        for folder in folders:
            local.index(folder)
        assert_same(remote, local)


KILLED = """
import os, signal, sys
from lookalike.milvus.rows import candidate_ids
from lookalike.opening import open as open_database
from lookalike.database import indexing
from lookalike.milvus.client import MilvusServer

indexing.BATCH = 8
address, folder, model, writes = sys.argv[1:]
put, count = MilvusServer.put, iter(range(10**6))

def then_die(self, name, rows):
    if "_model" in name or (writes != "making" and name.endswith("_new")):
        return put(self, name, rows)
    rows = list(rows)
    last = writes == "making" or next(count) == int(writes)
    put(self, name, rows[: (len(rows) + 1) // 2] if last else rows)  # the last one is cut off in its middle
    if last:
        os.kill(os.getpid(), signal.SIGKILL)

MilvusServer.put = then_die
open_database(address, create=True, model=model).index(folder)
"""


@pytest.mark.parametrize("writes", [0, 2, 4])
def test_a_killed_index_is_completed_by_the_next(
    address: str, photo_folder: Path, model: Path, tmp_path: Path, writes: int
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", KILLED, address, photo_folder, model, str(writes)], capture_output=True, text=True
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    with open_database(address) as remote, Database.create(tmp_path / "db", model=model) as local:
        assert 0 < len(remote) < 40
        before = len(remote)
        local.index(photo_folder)
        report = remote.index(photo_folder)
        assert (report.unchanged, report.encoded) == (before, 40 - before)
        assert_same(remote, local)


def test_a_killed_making_leaves_no_half_database(address: str, photo_folder: Path, model: Path) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED, address, photo_folder, model, "making"], capture_output=True)
    assert child.returncode == -signal.SIGKILL
    with pytest.raises(DatabaseError, match="There is no database at"):
        open_database(address)
    with open_database(address, create=True, model=model) as remote:
        assert remote.index(photo_folder).encoded == 40


@pytest.mark.slow
def test_a_killed_import_is_completed_by_the_next(address: str, tmp_path: Path, model: Path) -> None:
    count = 40_000
    codes_NW = np.random.default_rng(1).integers(0, 256, (count, 8), np.uint8)
    paths = [f"{row:06}.jpg" for row in range(count)]
    pq.write_table(pa.table({"code": [bytes(code) for code in codes_NW], "path": paths}), tmp_path / "many.parquet")
    command = [sys.executable, "-m", "lookalike", "import", str(tmp_path / "many.parquet"), "--db", address,
               "--model", str(model), "--root", str(tmp_path)]  # fmt: skip
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: exists(address))
        with open_database(address) as remote:
            wait_until(lambda: len(remote) > 0)
    finally:
        child.kill()
        child.wait()
    with open_database(address) as remote:
        assert 0 < len(remote) < count
    subprocess.run(command, check=True, capture_output=True)
    with open_database(address) as remote:
        assert len(remote) == count
        found = {record.name: record.code for record in remote.records()}
        assert found == {str(tmp_path / path): bytes(code) for path, code in zip(paths, codes_NW, strict=True)}


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back(
    milvus: Running, tmp_path: Path, model: Path, photo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lookalike.database import indexing

    monkeypatch.setattr(indexing, "BATCH", 4)
    own = tmp_path / "server"
    own.mkdir()
    running = Running(own)
    back = threading.Thread(target=running.start)

    def kill(stage: str, done: int, total: int | None) -> None:
        if done >= 12 and back.ident is None:
            running.kill()
            back.start()

    try:
        with (
            open_database(running.address("a"), create=True, model=model) as remote,
            Database.create(tmp_path / "db", model=model) as local,
        ):
            assert remote.index(photo_folder, progress=kill).encoded == 40
            back.join()
            local.index(photo_folder)
            assert_same(remote, local)
    finally:
        if back.ident is not None:
            back.join()
        running.stop()


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(
            DatabaseError, match=rf"at 127.0.0.1:{port} did not answer within 2 s .*see whether it runs"
        ):
            open_database(f"milvus://127.0.0.1:{port}/photos?timeout=2")
        assert time.monotonic() - started < 30
    with pytest.raises(DatabaseError, match=rf"there is no Milvus server at 127.0.0.1:{port} .*start one there"):
        open_database(f"milvus://127.0.0.1:{port}/photos")


# Addresses


def test_what_is_not_there_is_reported(address: str, milvus: Running, model: Path) -> None:
    with pytest.raises(DatabaseError, match=r"There is no database at milvus.*Make one with: lookalike index"):
        open_database(address)
    assert not exists(address)
    server = MilvusServer(parse(address))
    server.make(server.address.name, 64, {})
    with pytest.raises(DatabaseError, match="is not a lookalike database; use another"):
        open_database(address)
    server.close()
    with pytest.raises(DatabaseError, match=r"is a database in Milvus; open it with lookalike\.open"):
        Database.open(address)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("milvus://host:1", "is not an address; expected milvus://HOST:PORT/NAME"),
        ("milvus:photos", "is not an address"),
        ("milvus://host/photos", "is not an address"),
        ("milvus://host:x/photos", "is not an address .*Port could not be cast"),
        ("milvus://u:secret@host:1/photos", "must not contain a password; set LOOKALIKE_MILVUS_TOKEN"),
        ("milvus://host:1/a-b", "'a-b' cannot be the name of a collection"),
        ("milvus://host:1/a/b", "'a/b' cannot be the name of a collection"),
        ("milvus://host:1/a?x=1", "x is not an option of an address; there is only timeout"),
        ("milvus://host:1/a?timeout=soon", "timeout is soon; it is a whole number of seconds"),
    ],
)
def test_addresses_that_are_none(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_database(text)


def test_a_folder_is_opened_as_ever(tmp_path: Path, model: Path) -> None:
    assert not exists(tmp_path / "db")
    with open_database(tmp_path / "db", create=True, model=model) as database:
        assert isinstance(database, Database)
    assert exists(tmp_path / "db")


def test_rows_are_cut_into_messages() -> None:
    made = [{"id": row, "code": b"12345678", "path": "x" * 30_000, "labels": ["ä"] * 10} for row in range(1000)]
    parts = list(_batches(iter(made)))
    assert [row for part in parts for row in part] == made
    assert all(sum(len(row["path"]) for row in part) <= MESSAGE for part in parts)
    assert len(parts) < 12
    assert list(_batches([])) == []
    assert Counter(len(part) for part in _batches([{"id": 1, "path": "x" * (2 * MESSAGE)}] * 3)) == {1: 3}


def test_more_labels_than_fit_are_refused(both: tuple[Database, Database], tmp_path: Path) -> None:
    table = {"code": [bytes(8)], "path": ["x"], "labels": [[f"tag {number}" for number in range(2000)]]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="an image has 2000 labels, such as tag 0; Milvus stores at most 1024"):
        both[0].import_codes(tmp_path / "a.parquet", root=tmp_path)
    assert len(both[0]) == 0


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
