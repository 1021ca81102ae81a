"""Codes computed elsewhere are imported completely and once, and exported unchanged.

Shapes: N codes, W = 8 bytes a code.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lookalike.core.codes import Codes
from lookalike.core.errors import DataError
from lookalike.data import Label, codetable
from lookalike.database import Database

ONE = {"code": [bytes(8)], "path": ["x"]}


def codes_of(count: int, *, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).integers(0, 256, (count, 8), np.uint8)


def write(path: Path, codes_NW: Codes, paths: list[str], labels: list[str | None] | None = None) -> Path:
    columns = {"code": [code.tobytes() for code in codes_NW], "path": paths}
    pq.write_table(pa.table(columns | ({"label": labels} if labels else {})), path)
    return path


def test_what_is_exported_is_imported(indexed: Database, tmp_path: Path, model: Path) -> None:
    several: Label = ("a", "b")
    first = next(record.id for record in indexed.records() if record.code is not None)
    with indexed.store.local().transaction():
        indexed.store.local().set_label(first, several)
    assert indexed.export_codes(tmp_path / "all.parquet") == 40
    with Database.create(tmp_path / "other", model=model) as other:
        report = other.import_codes(tmp_path / "all.parquet", root=tmp_path)
        assert (report.found, report.changed, len(other)) == (40, 40, 40)
        for known, taken in zip(indexed.records(), other.records(), strict=True):
            assert (known.name, known.label, known.code) == (taken.name, taken.label, taken.code)
            assert (known.width, known.height) == (taken.width, taken.height)
        query = indexed.codes()[1][3:4]
        assert [hit.path for hit in other.search_codes(query)[0]] == [
            hit.path for hit in indexed.search_codes(query)[0]
        ]
        again = other.import_codes(tmp_path / "all.parquet", root=tmp_path)
        assert (again.found, again.changed, len(other)) == (40, 0, 40)
    assert indexed.export_codes(tmp_path / "codes.npy") == 40
    assert np.array_equal(np.load(tmp_path / "codes.npy"), indexed.codes()[1])


def test_an_array_has_numbered_rows(db: Database, tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", codes_of(30))
    assert db.import_codes(tmp_path / "codes.npy", root=tmp_path).changed == 30
    (hits,) = db.search_codes(codes_of(30)[12:13], top=1)
    assert [(hit.path, hit.distance) for hit in hits] == [(str(tmp_path / "codes.npy#12"), 0)]


def test_arrays_of_one_name_lie_in_their_folders(db: Database, tmp_path: Path) -> None:
    for seed, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "codes.npy", codes_of(5, seed=seed))
        for root in (tmp_path, tmp_path / "elsewhere"):  # the same rows for any root
            db.import_codes(tmp_path / folder / "codes.npy", root=root)
    assert len(db) == 10
    assert np.array_equal(db.codes()[1], np.concatenate([codes_of(5), codes_of(5, seed=1)]))


def test_labels_may_be_numbers_lists_or_categories(db: Database, tmp_path: Path) -> None:
    table = {
        "code": pa.array([bytes([row] * 8) for row in range(3)], pa.binary(8)),
        "path": pa.array(["a", "b", "c"]).dictionary_encode(),
        "labels": [["x", "y"], None, []],
        "label": [1, 2, None],
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    db.import_codes(tmp_path / "a.parquet", root=tmp_path)
    assert [record.label for record in db.records()] == [("x", "y"), "2", None]


@pytest.mark.parametrize("name", ["out.parquet", "out.npy"])
def test_a_full_disk_leaves_nothing_behind(
    indexed: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(codetable, "_write_head" if name.endswith(".npy") else "raw_path", full)
    with pytest.raises(OSError, match=name):
        indexed.export_codes(tmp_path / name)
    assert not [file for file in tmp_path.iterdir() if "out" in file.name]


def test_names_that_are_not_utf8_come_back_as_they_were(db: Database, tmp_path: Path) -> None:
    odd = ["a.jpg", "photo\udcff.jpg", "caf\udce9/b.jpg", r"literal\xff.jpg", "tab\there.jpg"]
    raw = [codetable.raw_path(name) for name in odd]
    assert raw == [None, b"photo\xff.jpg", b"caf\xe9/b.jpg", None, None]
    table = {"code": list(map(bytes, codes_of(5))), "path": ["a.jpg", "x", "y", *odd[3:]], "path_bytes": raw}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    db.import_codes(tmp_path / "a.parquet", root=tmp_path)
    paths = [os.path.relpath(record.name, tmp_path) for record in db.records()]
    assert paths == odd
    db.export_codes(tmp_path / "b.parquet")
    out = pq.read_table(tmp_path / "b.parquet").to_pydict()
    assert [path[-9:] for path in out["path"][1:3]] == [r"o\xff.jpg"[-9:], r"\xe9/b.jpg"[-9:]]
    with Database.create(tmp_path / "again", model=db.folder / "model.onnx") as again:
        again.import_codes(tmp_path / "b.parquet", root=tmp_path)
        assert [record.name for record in again.records()] == [record.name for record in db.records()]
        assert np.array_equal(again.codes()[1], db.codes()[1])


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["a\0.jpg", "b.jpg"], "contains a zero byte"),
        (["../../../x.jpg", "b.jpg"], "is not below"),
        (["x" * 5000, "b.jpg"], "the column path has a value of 5,000 bytes"),
        (["", "b.jpg"], "a row has no path"),
        (["b.jpg", "b.jpg"], "is repeated"),
    ],
)
def test_a_bad_path_is_reported_with_the_table_that_has_it(
    db: Database, tmp_path: Path, paths: list[str], says: str
) -> None:
    file = write(tmp_path / "bad.parquet", codes_of(2), paths)
    with pytest.raises(DataError, match=rf"^{re.escape(str(file))}: .*{says}"):
        db.import_codes(file, root=tmp_path / "photos")
    assert len(db) == 0


def test_new_codes_and_labels_take_the_place_of_old_ones(db: Database, tmp_path: Path) -> None:
    paths = [f"album/{row}.jpg" for row in range(20)]
    db.import_codes(write(tmp_path / "a.parquet", codes_of(20), paths, ["cat"] * 20), root=tmp_path)
    changed = codes_of(20)
    changed[3] ^= 255
    labels: list[str | None] = ["cat"] * 20
    labels[5] = "dog"
    report = db.import_codes(write(tmp_path / "b.parquet", changed, paths, labels), root=tmp_path)
    assert (report.found, report.changed, len(db)) == (20, 2, 20)
    assert np.array_equal(db.codes()[1], changed)
    assert [record.label for record in db.records()] == labels
    assert db.search_codes(changed[3:4], top=1)[0][0].distance == 0


@pytest.mark.parametrize(
    ("name", "table", "says"),
    [
        ("codes.csv", None, "neither .npy nor .parquet"),
        ("no.npy", None, "not a readable .npy file"),
        ("no.parquet", None, "not a readable Parquet file"),
        ("a.parquet", {"code": [bytes(8)]}, "no column path; its columns are: code"),
        ("a.parquet", {"code": [bytes(4)], "path": ["x"]}, "a code of 32 bits; the database has codes of 64"),
        ("a.parquet", {"code": [None], "path": ["x"]}, "the column code has type null"),
        ("a.parquet", {"code": [bytes(8)], "path": [None]}, "a row has no path"),
        ("a.parquet", {"code": [bytes(8)], "path": ["/elsewhere/x"]}, "is not below .*--root"),
        ("a.parquet", {"code": [7], "path": ["x"]}, "the column code has type int64; expected bytes"),
        ("a.parquet", {"code": [[True] * 8], "path": ["x"]}, "the column code has type list<.*bool>; expected bytes"),
        ("a.parquet", {"code": [[999] * 8], "path": ["x"]}, "the column code does not contain bytes"),
        ("a.parquet", {"code": [bytes(8)], "path": [7]}, "the column path has type int64; expected strings"),
        ("a.parquet", {"code": [bytes(8)] * 3, "path": ["x", "y", "x"]}, "the path x is repeated"),
        ("a.parquet", {**ONE, "width": ["wide"]}, "the column width has type string; expected integers"),
        (
            "a.parquet",
            {**ONE, "size": pa.array([2**63], pa.uint64())},
            "the size 9223372036854775808; expected 0 to",
        ),
        ("a.parquet", {**ONE, "height": [-1]}, "a row has the height -1"),
        (
            "a.parquet",
            {**ONE, "label": [float("nan")]},
            "the column label has type double; expected strings or integers",
        ),
        (
            "a.parquet",
            {**ONE, "labels": [[{"a": 1}]]},
            "the column labels has type list<.*>; expected strings or integers",
        ),
        ("a.parquet", pa.table([[bytes(8)], ["x"], ["y"]], ["code", "path", "path"]), "several columns named path"),
        ("a.npy", np.zeros((3, 4), np.uint8), "codes of 32 bits; the database has 64"),
        ("a.npy", np.zeros((3, 8), np.int16), r"int16 of shape \(3, 8\)"),
    ],
)
def test_invalid_codes_are_refused(db: Database, tmp_path: Path, name: str, table: object, says: str) -> None:
    path = tmp_path / name
    if isinstance(table, dict | pa.Table):
        pq.write_table(pa.table(table) if isinstance(table, dict) else table, path)
    elif isinstance(table, np.ndarray):
        np.save(path, table)
    with pytest.raises(DataError, match=says):
        db.import_codes(path, root=tmp_path)
    assert len(db) == 0


def test_a_killed_import_is_completed_by_the_next(tmp_path: Path, model: Path) -> None:
    count = 150_000
    paths = [f"{row:06}.jpg" for row in range(count)]
    table = write(tmp_path / "many.parquet", codes_of(count), paths)
    command = [sys.executable, "-m", "lookalike", "import", str(table), "--db", str(tmp_path / "db"),
               "--model", str(model), "--root", str(tmp_path)]  # fmt: skip
    for kill_after in (1.0, 1.6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(kill_after)
        process.kill()
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    with Database.open(tmp_path / "db") as database:
        ids_N, codes_NW = database.codes()
        assert len(database) == len(np.unique(ids_N)) == count
        assert np.array_equal(codes_NW, codes_of(count))
        assert [record.path for record in database.records()] == paths


def test_blocks_are_written_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codetable, "BLOCK", 7)
    path = write(tmp_path / "a.parquet", codes_of(20), [str(row) for row in range(20)])
    assert codetable.count(path) == 20
    blocks = list(codetable.read(path, bits=64))
    assert [len(block.codes_NW) for block in blocks] == [7, 7, 6]
    assert codetable.write(tmp_path / "b.parquet", blocks) == 20
    again = list(codetable.read(tmp_path / "b.parquet", bits=64))
    assert np.array_equal(np.concatenate([block.codes_NW for block in again]), codes_of(20))
