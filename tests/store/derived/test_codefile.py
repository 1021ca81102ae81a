"""`codes.bin` round-trips, and damage is always detected."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.errors import DatabaseError
from lookalike.store.derived import codefile

IDS = np.array([1, 2, 5, 300], np.int64)
CODES = np.array([[0x80, 0x01], [0xFF, 0x00], [0x12, 0x34], [0x00, 0x00]], np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "codes.bin"
    codefile.write(path, IDS, CODES, model="ab" * 16, revision=7)
    return path


def test_the_layout_is_pinned(path: Path) -> None:
    content = path.read_bytes()
    ids = bytes.fromhex("01000000 00000000 02000000 00000000 05000000 00000000 2c010000 00000000")
    codes = bytes.fromhex("8001 ff00 1234 0000")
    head = (
        b"lookalike codes 2\n"
        b'{"bits": 16, "count": 4, "model": "abababababababababababababababab", "revision": 7, '
        b'"digest": "5fe86de336877526a34f5ff0cc54b124", "runs": 0, "bit_order": "most significant first", '
        b'"database": "", "change": "", "ids": "%s"}\n' % hashlib.blake2b(ids, digest_size=16).hexdigest().encode()
    ).ljust(4063)
    assert content[4096:] == ids + codes
    assert content[:4096] == head + hashlib.blake2b(head, digest_size=16).hexdigest().encode() + b"\n"
    key = hashlib.blake2b(ids).digest()
    assert json.loads(head.split(b"\n")[1])["digest"] == hashlib.blake2b(codes, digest_size=16, key=key).hexdigest()


def test_what_was_written_is_read(path: Path) -> None:
    header, ids_N, codes_NW = codefile.read(path)
    assert (header.bits, header.count, header.model, header.revision) == (16, 4, "ab" * 16, 7)
    assert np.array_equal(ids_N, IDS)
    assert np.array_equal(codes_NW, CODES)
    assert isinstance(codes_NW, np.memmap)
    assert codefile.is_intact(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["codes.bin"]


@given(
    codes_NW=st.tuples(st.integers(0, 20), st.integers(1, 64)).flatmap(lambda s: arrays.arrays(np.uint8, s)),
    first=st.integers(0, 2**62),
    revision=st.integers(0, 2**62),
)
def test_round_trip(
    codes_NW: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    first: int,
    revision: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.bin"
    ids_N = first + np.arange(len(codes_NW), dtype=np.int64)
    codefile.write(path, ids_N, codes_NW, model="m", revision=revision)
    header, found_N, found_NW = codefile.read(path)
    assert np.array_equal(found_N, ids_N)
    assert np.array_equal(found_NW, codes_NW)
    assert (header.revision, header.bits, header.count) == (revision, codes_NW.shape[1] * 8, len(codes_NW))
    assert codefile.is_intact(path)


def test_changed_ids_are_noticed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[codefile.HEADER + 8] ^= 1
    path.write_bytes(content)
    for look in (codefile.read, codefile.is_intact):
        with pytest.raises(DatabaseError, match="its ids have changed"):
            look(path)


def test_runs_of_ids_of_earlier_versions_are_read(path: Path) -> None:
    _with_runs(path, [(5, 998), (9000, 2)])
    header, ids_N, codes_NW = codefile.read(path)
    assert (header.count, codes_NW.shape) == (1000, (1000, 8))
    assert ids_N.tolist() == [*range(5, 1003), 9000, 9001]
    assert ids_N.dtype == np.int64


@pytest.mark.parametrize("runs", [[(5, 1000), (9000, 1)], [(5, 999)], [(5, 1001), (9000, -1)], [(5, 1000), (9000, 0)]])
def test_runs_that_do_not_fit_the_header_are_refused(runs: list[tuple[int, int]], path: Path) -> None:
    _with_runs(path, runs)
    with pytest.raises(DatabaseError) as raised:
        codefile.read(path)
    assert str(raised.value) == f"{path} has runs of ids that do not match its header"


def _with_runs(path: Path, runs: list[tuple[int, int]]) -> None:
    """Write a file of 1,000 codes with runs of ids."""
    codes_NW = np.zeros((1000, 8), np.uint8)
    header = codefile.write(path, np.arange(1000, dtype=np.int64), codes_NW, model="m", revision=1)
    ids = np.array(runs, "<i8").tobytes()
    forged = replace(header, runs=len(runs), ids=hashlib.blake2b(ids, digest_size=16).hexdigest())
    head = codefile._sealed(codefile.MAGIC + json.dumps(asdict(forged)).encode() + b"\n")
    path.write_bytes(head + ids + codes_NW.tobytes())


def test_no_codes(tmp_path: Path) -> None:
    path = tmp_path / "codes.bin"
    codefile.write(path, IDS[:0], CODES[:0], model="m", revision=1)
    _, ids_N, codes_NW = codefile.read(path)
    assert ids_N.shape == (0,)
    assert codes_NW.shape == (0, 2)
    assert codefile.is_intact(path)


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for length in [*range(0, 400, 13), 4095, *range(4096, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(DatabaseError, match=r"codes\.bin"):
            codefile.read(path)
        with pytest.raises(DatabaseError):
            codefile.is_intact(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(DatabaseError):
        codefile.read(path)


def test_no_flipped_bit_goes_unnoticed(path: Path) -> None:
    content = path.read_bytes()
    codes_at = len(content) - CODES.nbytes
    for place in [*range(0, 330, 2), *range(330, 4090, 397), *range(4060, len(content))]:
        for bit in (0, 5, 7):
            path.write_bytes(content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :])
            if place < codes_at:
                with pytest.raises(DatabaseError):
                    codefile.read(path)  # header and ids are checked at each opening
            else:
                assert not codefile.is_intact(path), (place, bit)


@pytest.mark.parametrize(
    "header",
    [
        "", "no json", "[]", "null", "7", "{}", '{"bits": 16}',
        '{"bits": "16", "count": 4, "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": 16, "count": "4", "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": 16, "count": 4.0, "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": 16, "count": -4, "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": -64, "count": 0, "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": 16, "count": 4, "model": "m", "revision": 7, "digest": "d", "more": 1}',
        '{"bits": 16, "count": 1e400, "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": null, "count": null, "model": "m", "revision": 7, "digest": "d"}',
        '{"bits": 16, "count": 99999999999999999999, "model": "m", "revision": 7, "digest": "d"}',
    ],
)  # fmt: skip
def test_foreign_headers_are_refused(header: str, path: Path) -> None:
    body = path.read_bytes()[4096:]
    path.write_bytes(codefile._sealed(codefile.MAGIC + header.encode()) + body)
    with pytest.raises(DatabaseError):
        codefile.read(path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"lookalike codes 3\n", b"SQLite format 3\0" * 400])
def test_other_files_are_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match="is not a file of codes"):
        codefile.read(path)


def test_an_absent_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(DatabaseError, match="is unreadable"):
            codefile.read(path)


def test_readers_keep_what_they_have_mapped(path: Path) -> None:
    _, ids_N, codes_NW = codefile.read(path)
    codefile.write(path, IDS[:1], ~CODES[:1], model="m", revision=8)
    assert np.array_equal(ids_N, IDS)
    assert np.array_equal(codes_NW, CODES)


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        codefile.write(path, IDS[:1], CODES[:1], model="m", revision=8)
    assert path.read_bytes() == before
