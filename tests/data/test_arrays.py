"""Reading any `.npy` or `.npz` file gives an array, or a one-line error with the file's name."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.core.errors import DataError
from lookalike.data import arrays

CODES = np.random.default_rng(0).integers(0, 256, (10, 8), dtype=np.uint8)


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def headed(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    text = header.encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\1\0" else 4, "little") + text + data


def shaped(shape: object, kind: str = "|u1") -> str:
    return repr({"descr": kind, "fortran_order": False, "shape": shape})


BAD = {
    "empty": b"",
    "a byte": b"\x93",
    "cut in the head": npy(CODES)[:40],
    "cut in the data": npy(CODES)[:-3],
    "text": b"hello" * 100,
    "objects": npy(np.array([{}, []], object)),
    "a claim": headed(shaped((1 << 40, 8))),
    "a claim that overflows": headed(shaped((1 << 62, 1 << 62))),
    "negative": headed(shaped((-1, 8))),
    "brackets": headed("(" * 9000),
    "a long head": headed("{" + '"a": 1,' * 200_000 + "}", version=b"\2\0"),
    "a head that is longer than the file": b"\x93NUMPY\2\0\xff\xff\xff\x7f" + b" " * 100,
    "a later version": headed(shaped((2, 8)), bytes(16), b"\x09\0"),
    "no dictionary": headed("[1, 2]"),
    "another dictionary": headed("{'descr': '|u1'}"),
    "no kind": headed(shaped((2, 8), "zz"), bytes(16)),
    "void": headed(shaped((2, 8), "|V8"), bytes(160)),
    "zero bytes": headed("\0\0\0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_an_array_is_one_line_that_names_the_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "the.npy"
    path.write_bytes(BAD[name])
    with pytest.raises(DataError) as caught:
        arrays.open_array(path)
    said = str(caught.value)
    assert said.startswith(f"{path} is not a readable .npy file (")
    assert "\n" not in said
    assert "pickle" not in said  # which would be bad advice


def test_arrays_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "the.npy"
    for array in (CODES, CODES[:0], np.asfortranarray(CODES), np.arange(3.0), np.array(["a", "bc"]), np.array(3)):
        path.write_bytes(npy(array))
        assert np.array_equal(arrays.open_array(path), array)
    with pytest.raises(DataError, match=r"absent\.npy is not a readable \.npy file \(No such file"):
        arrays.open_array(tmp_path / "absent.npy")


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return out.getvalue()


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_an_array_in_an_archive(name: str, tmp_path: Path) -> None:
    path = tmp_path / "the.npz"
    path.write_bytes(zipped(codes=BAD[name]))
    with pytest.raises(DataError, match=r"the\.npz (is not a readable \.npz file|does not fit into memory)"):
        arrays.read_arrays(path, ("codes",))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "ALWAYS_READ", 1 << 20)
    path = tmp_path / "the.npz"
    path.write_bytes(zipped(codes=npy(np.zeros((1 << 18, 8), np.uint8)), other=npy(CODES)))
    with pytest.raises(DataError, match=r"it unpacks to 2,097,280 bytes; at most 1,048,576 are allowed"):
        arrays.read_arrays(path, ("codes",))
    assert np.array_equal(arrays.read_arrays(path, ("other", "absent"))["other"], CODES)


def damaged(data: bytes, count: int) -> list[bytes]:
    """The bytes with some bits flipped, the same in each run."""
    chance, found = random.Random(0), []
    for _ in range(count):
        one = bytearray(data)
        for _ in range(chance.choice([1, 1, 3])):
            one[chance.randrange(len(one))] ^= 1 << chance.randrange(8)
        found.append(bytes(one))
    return found


@pytest.mark.parametrize(
    ("ending", "whole", "read"),
    [
        (".npy", npy(CODES), arrays.open_array),
        (".npz", zipped(codes=npy(CODES)), lambda path: arrays.read_arrays(path, ("codes",))),
    ],
)
def test_turned_bits(ending: str, whole: bytes, read: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / f"the{ending}"
    for data in damaged(whole, 200):
        path.write_bytes(data)
        try:
            read(path)
        except DataError as error:
            assert str(error).startswith(str(path))  # noqa: PT017 not all are refused
