"""Reading any Parquet file gives its rows, or a one-line error with the file's name."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import data
from lookalike.core.errors import DataError, ImageError
from lookalike.data import codetable, parquet, tables

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CODES = [bytes([row] * 8) for row in range(20)]
PATHS = [f"a/{row}.jpg" for row in range(20)]
NO_UTF8 = pa.StringArray.from_buffers(2, pa.py_buffer(struct.pack("<3i", 0, 2, 4)), pa.py_buffer(b"\xff\xfeok"))


def repeated(value: Any, rows: int) -> Any:
    """A column of one value of a given size in the file."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value]))


def rows_of(path: Path) -> list[codetable.Rows]:
    return list(codetable.read(path, bits=64))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"code": CODES[:2], "path": NO_UTF8}, "text that is not UTF-8|Invalid UTF8"),
        ({"code": CODES[:2], "path": PATHS[:2], "label": NO_UTF8}, "text that is not UTF-8|Invalid UTF8"),
        ({"code": [[1, 2, 3, 4, 5, 6, 7, None]], "path": ["a"]}, "the column code does not contain bytes"),
        ({"code": CODES, "path": PATHS, "label": [[["a"]]] * 20}, "the column label has type list<"),
        (
            {"code": CODES, "path": PATHS, "path_bytes": ["x"] * 20},
            "the column path_bytes has type string; expected bytes",
        ),
        ({"code": pa.array([b"x" * 900], pa.binary(900)), "path": ["a"]}, "codes of 7200 bits"),
        ({"code": CODES, "path": repeated("x" * 100_000, 20)}, "the column path has a value of 100,000 bytes"),
        ({"code": repeated(b"x" * 100_000, 20), "path": PATHS}, "the column code has a value of 100,000 bytes"),
        ({"code": CODES, "path": PATHS, "labels": [["x" * 5000]] * 20}, "the column labels has a value of 5,000 bytes"),
    ],
)
def test_invalid_codes(table: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "the.parquet"
    pq.write_table(pa.table(table), path)
    with pytest.raises(DataError, match=rf"the\.parquet.*({says})") as caught:
        rows_of(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("column", ["labels", "label"])
def test_a_list_that_takes_some_bytes_and_has_millions_of_values(column: str, tmp_path: Path) -> None:
    many = pa.ListArray.from_arrays(pa.array([0, 2_000_000], pa.int32()), pa.array(["x"] * 2_000_000))
    path = tmp_path / "the.parquet"
    pq.write_table(pa.table({"code": CODES[:1], "path": ["a"], "image": [b"x"], column: many}), path)
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"the\.parquet.*1 rows have 2,000,000 values"):
        rows_of(path)
    with pytest.raises(DataError, match=r"the\.parquet.*1 rows have 2,000,000 values"):
        data.find(path)


def test_a_column_that_unpacks_to_far_more_than_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SOME_BYTES", 1 << 20)
    path = tmp_path / "the.parquet"
    pq.write_table(pa.table({"image": [bytes(2 << 20)]}), path, compression="zstd")
    with pytest.raises(DataError, match=r"the\.parquet.*the column image expands to 2,097,\d+ bytes from"):
        data.find(path)


def test_images_that_are_repeated_beyond_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_REPEATED", 1 << 20)
    path = tmp_path / "the.parquet"
    pq.write_table(pa.table({"image": repeated(bytes(100_000), 1000)}), path)
    item = data.find(path)[0]
    with pytest.raises(ImageError, match="by repeating some of them"):
        data.read_bytes(item)


def test_some_images_may_be_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "the.parquet"
    images = [b"one", b"two", b"one", None]
    pq.write_table(pa.table({"image": images, "label": ["a", "b", "a", None]}), path)
    items = data.find(path)
    assert [data.read_bytes(item) for item in items[:3]] == images[:3]
    assert [item.label for item in items] == ["a", "b", "a", None]


@pytest.mark.parametrize("label", [[0.5] * 2, [{"a": 1}] * 2, [[["a"]]] * 2, NO_UTF8])
def test_an_invalid_label_is_reported_with_its_table(label: Any, tmp_path: Path) -> None:
    path = tmp_path / "the.parquet"
    pq.write_table(pa.table({"image": [b"x", b"y"], "label": label}), path)
    with pytest.raises(DataError, match=r"the\.parquet"):
        data.find(path)


def damaged(content: bytes, count: int) -> Iterator[bytes]:
    chance = random.Random(1)
    for _ in range(count):
        one = bytearray(content)
        for _ in range(chance.choice([1, 1, 3, 8])):
            one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
        yield bytes(one)


def said_of(read: Callable[[], object]) -> str:
    """The message of the error raised by reading, or an empty string."""
    try:
        read()
    except (DataError, ImageError) as error:
        return str(error)
    return ""


def test_turned_bits_and_cut_files(tmp_path: Path) -> None:
    """In this process instead of the trial process, without the offsets that crash it."""
    path = tmp_path / "the.parquet"
    columns = {"code": CODES, "path": PATHS, "label": list("abcd") * 5, "image": [b"some bytes"] * 20}
    pq.write_table(pa.table(columns), path)
    whole = path.read_bytes()
    body = whole[: -8 - int.from_bytes(whole[-8:-4], "little")]  # damaged footers may crash the process
    for content in [*(one + whole[len(body) :] for one in damaged(body, 150)), b"", b"PAR1PAR1", whole[:-20]]:
        path.write_bytes(content)
        for read in (lambda: rows_of(path), lambda: [data.read_bytes(item) for item in data.find(path)]):
            said = said_of(read)
            assert said == "" or said.startswith((str(path), "the "))
            assert "\n" not in said


def test_a_file_that_ends_its_reader_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # undo the fixture that skips the trial process
    path = tmp_path / "the.parquet"
    pq.write_table(pa.table({"code": CODES, "path": PATHS}), path)
    whole = path.read_bytes()
    at = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for turned in (b"\xff", b"\x00"):
        path.write_bytes(whole[: at + 40] + turned * 40 + whole[at + 80 :])
        with pytest.raises(DataError) as caught:
            rows_of(path)
        assert str(caught.value).startswith(str(path))
    path.write_bytes(whole)
    assert len(rows_of(path)[0].paths) == 20


def test_a_reader_that_crashes_or_takes_too_long_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from lookalike.core.confinement import run_confined

    assert "crashed while it was tried" in run_confined("this", [], data=b"", memory=1 << 20, seconds=60)
    monkeypatch.setattr("lookalike.core.confinement.PATIENCE", 0.001)
    assert "takes more than 1 seconds" in run_confined("lookalike", [], data=b"", memory=1 << 20, seconds=1)
