"""`tables.bin` round-trips, and damage is always detected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import DatabaseError
from lookalike.search.table import Table
from lookalike.store.derived import codefile, tablefile

IDS = np.array([1, 2, 5], np.int64)
CODES = np.array([[0x80, 0x01], [0xFF, 0x00], [0x12, 0x34]], np.uint8)


def part(byte: int) -> Table:
    """The table for one byte of the codes."""
    values = CODES[:, byte]
    starts = np.searchsorted(np.sort(values), np.arange(257)).astype(np.uint32)
    return Table(8 * byte, 8, starts, np.argsort(values).astype(np.uint32))


PARTS = [part(0), part(1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    codefile.write(tmp_path / codefile.FILE, IDS, CODES, model="ab" * 16, revision=7)
    tablefile.write(tmp_path, PARTS)
    return tmp_path


def write_other_codes(folder: Path) -> None:
    tablefile.keep_codes(folder)
    codefile.write(folder / codefile.FILE, IDS[1:], CODES[1:], model="ab" * 16, revision=8)
    tablefile.tidy(folder)


def check(folder: Path) -> None:
    header, ids, codes_NW, parts = tablefile.read(folder)
    assert (header.bits, header.count, header.model, header.revision) == (16, 3, "ab" * 16, 7)
    assert np.array_equal(ids.all, IDS)
    assert np.array_equal(codes_NW, CODES)
    for found, written in zip(parts, PARTS, strict=True):
        assert (found.begin, found.bits) == (written.begin, written.bits)
        assert np.array_equal(found.starts, written.starts)
        assert np.array_equal(found.rows, written.rows)
        assert found.rows.dtype == np.uint32
    assert not list(folder.glob("*.tmp"))


def test_what_was_written_is_read(folder: Path) -> None:
    check(folder)


def test_codes_that_are_kept_already_leave_no_second_name(folder: Path) -> None:
    for _ in range(2):  # after a kill before other codes replaced them
        tablefile.keep_codes(folder)
    names = {entry.name for entry in folder.iterdir()}
    assert names == {codefile.FILE, tablefile.FILE, tablefile.CODES}
    check(folder)


@pytest.mark.parametrize("links", ["links", "no links"])
def test_codes_are_kept_for_their_tables(folder: Path, links: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    if links == "no links":
        monkeypatch.setattr("os.link", refuse)
    for _ in range(2):
        write_other_codes(folder)
        assert codefile.read_header(folder / codefile.FILE).revision == 8
        check(folder)
    codefile.write(folder / codefile.FILE, IDS, CODES, model="ab" * 16, revision=7)
    tablefile.tidy(folder)
    assert not (folder / tablefile.CODES).exists()
    check(folder)
    tablefile.drop(folder)
    assert [entry.name for entry in folder.iterdir()] == [codefile.FILE]


def test_the_layout_is_pinned(folder: Path) -> None:
    content = (folder / tablefile.FILE).read_bytes()
    digest = codefile.read_header(folder / codefile.FILE).digest
    head = (
        b"lookalike tables 2\n"
        b'{"count": 3, "codes": "' + digest.encode() + b'", "parts": [[0, 8], [8, 8]], '
        b'"bit_order": "most significant first"}'
    )
    assert content[:4096] == head.ljust(4095) + b"\n"
    assert content[4096 : 4096 + 4 * 257] == PARTS[0].starts.tobytes()
    assert content[5184 : 5184 + 4 * 3] == PARTS[0].rows.tobytes()


@pytest.mark.parametrize("damage", ["absent", "cut", "head", "json", "other codes", "a part twice", "starts", "length"])
def test_a_damaged_file_is_refused(folder: Path, damage: str) -> None:
    path = folder / tablefile.FILE
    content = path.read_bytes()
    damaged = {
        "cut": content[:-5], "head": b"something else" + content[14:], "json": content[:19] + b"x" + content[20:],
        "a part twice": content.replace(b"[8, 8]", b"[0, 8]"),
        "starts": content[: 4096 + 4 * 256] + b"\x09" + content[4096 + 4 * 256 + 1 :],
        "length": content.replace(b"[8, 8]", b"[8,88]"),
    }  # fmt: skip
    if damage == "absent":
        path.unlink()
    elif damage == "other codes":
        codefile.write(folder / codefile.FILE, IDS, ~CODES, model="ab" * 16, revision=7)
    else:
        path.write_bytes(damaged[damage])
    with pytest.raises(DatabaseError, match=r"tables\.bin"):
        tablefile.read(folder)
