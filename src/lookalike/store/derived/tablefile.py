"""`tables.bin`: the tables of a multi-index, for memory-mapping. It can be rebuilt from the catalog at any time.

Table rows are those of a file of codes: `codes.bin`, or `tabled.bin`, a copy of `codes.bin` from the time when the
tables were made (a growing collection needs new tables only now and then). Its digest identifies it.

Layout: a header of 4,096 bytes, then for each table, at multiples of 64 bytes, 2^bits + 1 starts and N rows (uint32,
little-endian). The header is the line `lookalike tables 2` and a line of JSON, padded with spaces.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.atomic import replacing
from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.search.table import LONGEST, Table
from lookalike.store.derived import codefile
from lookalike.store.derived.codefile import RowIds

FILE = "tables.bin"
CODES = "tabled.bin"
CHANGES = "changes.npz"  # differences between the two
MAGIC = b"lookalike tables 2\n"
HEADER = 4096
ALIGNED = 64  # bytes


Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Header:
    """The file's header."""

    count: int
    codes: str  # digest of the file of codes
    parts: list[list[int]]  # first bit and length of each table
    bit_order: str = "most significant first"


class Tables(NamedTuple):
    """The tables with their file of codes."""

    codes: codefile.Header
    ids: RowIds
    codes_NW: Codes
    parts: list[Table]


def write(folder: Path, parts: Sequence[Table]) -> None:
    """Write the tables of a folder's `codes.bin` atomically."""
    codes = codefile.read_header(folder / codefile.FILE)
    header = Header(codes.count, codes.digest, [[one.begin, one.bits] for one in parts])
    with replacing(folder / FILE) as aside, aside.open("wb") as file:
        file.write(_head(header))
        for array in (array.astype("<u4", copy=False) for one in parts for array in (one.starts, one.rows)):
            file.seek(_aligned(file.tell()))
            file.write(np.ascontiguousarray(array).data)
        file.truncate()
    for name in (CODES, CHANGES):
        (folder / name).unlink(missing_ok=True)


def read(folder: Path) -> Tables:
    """The tables, memory-mapped, with their codes. Raises `DatabaseError` if missing or damaged."""
    path = folder / FILE
    try:
        header = _header(path)
        arrays = list(_arrays(np.memmap(path, np.uint8, "r"), header))
    except (OSError, ValueError, TypeError) as error:
        raise DatabaseError(f"{path} is unreadable ({error})") from error
    parts = [
        Table(begin, bits, starts, rows)
        for (begin, bits), starts, rows in zip(header.parts, arrays[::2], arrays[1::2], strict=True)
    ]
    for name in (codefile.FILE, CODES):
        with suppress(DatabaseError):
            if _fits(folder / name, header):
                codes = codefile.read_lazily(folder / name)
                break
    else:
        raise DatabaseError(f"{path} has tables of codes that no longer exist")
    if not _are_whole(parts, codes[0]):
        raise DatabaseError(f"{path} is damaged: its tables do not cover {codes[0].count} codes")
    return Tables(*codes, parts)


def is_canonical(path: Path) -> bool:
    """Whether everything around the tables of a readable file is exactly what `write` puts there."""
    header, whole = _header(path), np.memmap(path, np.uint8, "r")
    end = HEADER
    for array in _arrays(whole, header):
        begin = _aligned(end)
        if whole[end:begin].any():
            return False
        end = begin + array.nbytes
    return len(whole) == end and bytes(whole[:HEADER]) == _head(header)


def write_changes(folder: Path, codes: str, gone_G: Ints, new_H: Ints) -> None:
    """Record how codes differ from those of the tables: table rows that are gone, and code rows that are new."""
    with replacing(folder / CHANGES, durable=False) as aside, aside.open("wb") as file:
        np.savez(file, of=np.array([_header(folder / FILE).codes, codes]), gone=gone_G, new=new_H)


def read_changes(folder: Path, tables: str, codes: str) -> tuple[Ints, Ints] | None:
    """The recorded differences between codes and those of the tables; None if there is no record."""
    try:
        with np.load(folder / CHANGES, allow_pickle=False) as kept:
            if kept["of"].tolist() == [tables, codes]:
                return kept["gone"], kept["new"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # derived: comparing all codes gives the same
        pass
    return None


def keep_codes(folder: Path) -> None:
    """Keep the current `codes.bin` for the tables, if they belong to it, before it is replaced."""
    try:
        is_theirs = _fits(folder / codefile.FILE, _header(folder / FILE))
    except (OSError, ValueError, TypeError, DatabaseError):
        return
    if not is_theirs or _are_one(folder / codefile.FILE, folder / CODES):
        return
    with replacing(folder / CODES) as aside:
        aside.unlink(missing_ok=True)
        try:
            os.link(folder / codefile.FILE, aside)
        except OSError:  # not every file system has hard links
            shutil.copyfile(folder / codefile.FILE, aside)


def _are_one(one: Path, other: Path) -> bool:
    """Whether two paths are names of one file; renaming one to the other would then do nothing."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def tidy(folder: Path) -> None:
    """Delete the codes kept for the tables if these belong to the current `codes.bin`."""
    with suppress(OSError, ValueError, TypeError, DatabaseError):
        if _fits(folder / codefile.FILE, _header(folder / FILE)):
            (folder / CODES).unlink(missing_ok=True)


def drop(folder: Path) -> None:
    """Delete the tables."""
    for name in (FILE, CODES, CHANGES):
        (folder / name).unlink(missing_ok=True)


def _head(header: Header) -> bytes:
    return (MAGIC + json.dumps(asdict(header)).encode()).ljust(HEADER - 1) + b"\n"


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(HEADER)
    if not head.startswith(MAGIC):
        raise DatabaseError(f"{path} is not a file of tables")
    return Header(**json.loads(head[len(MAGIC) :]))


def _fits(path: Path, header: Header) -> bool:
    codes = codefile.read_header(path)
    return (codes.digest, codes.count) == (header.codes, header.count)


def _are_whole(parts: Sequence[Table], codes: codefile.Header) -> bool:
    """Whether the parts cover all bits of a code once, with all codes each; their content is not checked."""
    end = 0
    for begin, bits, starts, _ in parts:
        if begin != end or starts[0] != 0 or starts[-1] != codes.count:
            return False
        end += bits
    return end == codes.bits


def _arrays(whole: npt.NDArray[np.uint8], header: Header) -> Iterator[Any]:
    at = HEADER
    if any(not 1 <= bits <= LONGEST for _, bits in header.parts):
        raise ValueError(f"its tables are over {[bits for _, bits in header.parts]} bits; expected 1 to {LONGEST} each")
    for count in (count for _, bits in header.parts for count in (2**bits + 1, header.count)):
        at = _aligned(at)
        if at + 4 * count > len(whole):
            raise ValueError(f"it has {len(whole)} bytes, fewer than its header says")
        yield whole[at : at + 4 * count].view("<u4")
        at += 4 * count


def _aligned(at: int) -> int:
    return -(-at // ALIGNED) * ALIGNED
