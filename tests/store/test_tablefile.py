"""`tables.bin` comes back as it was written; a damaged one is never taken for whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.errors import DatabaseError
from lookalike.store import tablefile
from lookalike.store.tablefile import Part

IDS = np.array([1, 2, 5], np.int64)
CODES = np.array([[0x80, 0x01], [0xFF, 0x00], [0x12, 0x34]], np.uint8)
PARTS = [
    Part(0, 2, np.array([0, 1, 1, 2, 3], np.uint32), np.array([2, 0, 1], np.uint32)),
    Part(2, 1, np.array([0, 2, 3], np.uint32), np.array([0, 2, 1], np.uint32)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tables.bin"
    tablefile.write(path, IDS, CODES, PARTS, model="ab" * 16, revision=7)
    return path


def test_what_was_written_is_read(path: Path) -> None:
    header, ids_N, codes_NW, parts = tablefile.read(path)
    assert (header.bits, header.count, header.model, header.revision) == (16, 3, "ab" * 16, 7)
    assert np.array_equal(ids_N, IDS)
    assert np.array_equal(codes_NW, CODES)
    for found, written in zip(parts, PARTS, strict=True):
        assert (found.begin, found.bits) == (written.begin, written.bits)
        assert np.array_equal(found.starts, written.starts)
        assert np.array_equal(found.rows, written.rows)
        assert found.rows.dtype == np.uint32
    assert not list(path.parent.glob("*.tmp"))


def test_the_layout_is_pinned(path: Path) -> None:
    content = path.read_bytes()
    head = (
        b"lookalike tables 1\n"
        b'{"bits": 16, "count": 3, "model": "abababababababababababababababab", "revision": 7, '
        b'"parts": [[0, 2], [2, 1]], "bit_order": "most significant first"}'
    )
    assert content[:4096] == head.ljust(4095) + b"\n"
    assert content[4096 : 4096 + 24] == IDS.astype("<i8").tobytes()
    assert content[4160:4166] == CODES.tobytes()
    assert content[4224 : 4224 + 20] == PARTS[0].starts.tobytes()


@pytest.mark.parametrize("damage", ["absent", "cut", "head", "json"])
def test_a_damaged_file_is_refused(path: Path, damage: str) -> None:
    content = path.read_bytes()
    damaged = {
        "cut": content[:-5], "head": b"something else" + content[14:], "json": content[:19] + b"x" + content[20:],
    }  # fmt: skip
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(damaged[damage])
    with pytest.raises(DatabaseError, match=r"tables\.bin"):
        tablefile.read(path)
