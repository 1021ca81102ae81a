"""`tables.bin`: ids, codes and tables of a multi-index, made to be memory-mapped. Derived from the catalog at any time.

It is a picture of the codes at some moment, not always the last: what came or went since is told from the ids and codes
that `codes.bin` has. So a collection that grows needs new tables only now and then.

Layout: a header of 4,096 bytes, then each array at a multiple of 64 bytes: N ids (int64, little endian, ascending), N
codes of W bytes, and for each table 2^bits + 1 starts and N rows (uint32, little endian). The header is the line
`lookalike tables 1` and a line of JSON, padded with spaces.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes
from lookalike.errors import DatabaseError

FILE = "tables.bin"
MAGIC = b"lookalike tables 1\n"
HEADER = 4096
ALIGNED = 64  # bytes


class Part(NamedTuple):
    """A table: which bits of a code it is over, and where the rows of each value are."""

    begin: int
    bits: int
    starts: npt.NDArray[np.uint32]
    rows: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself."""

    bits: int
    count: int
    model: str  # digest of the model that made the codes
    revision: int  # of the catalog that they were taken from
    parts: list[list[int]]  # first bit and length of each table
    bit_order: str = "most significant first"


class Tables(NamedTuple):
    """What the file holds."""

    header: Header
    ids_N: npt.NDArray[np.int64]
    codes_NW: Codes
    parts: list[Part]


def write(
    path: Path, ids_N: npt.NDArray[np.int64], codes_NW: Codes, parts: Sequence[Part], *, model: str, revision: int
) -> None:
    """Write ids, codes and tables aside, then put the file in place."""
    header = Header(8 * codes_NW.shape[1], len(ids_N), model, revision, [[one.begin, one.bits] for one in parts])
    aside = path.with_name(path.name + ".tmp")
    arrays = [ids_N.astype("<i8"), codes_NW]
    arrays += [array.astype("<u4", copy=False) for one in parts for array in (one.starts, one.rows)]
    with aside.open("wb") as file:
        file.write((MAGIC + json.dumps(asdict(header)).encode()).ljust(HEADER - 1) + b"\n")
        for array in arrays:
            file.seek(_aligned(file.tell()))
            np.ascontiguousarray(array).tofile(file)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read(path: Path) -> Tables:
    """The file's arrays, memory-mapped. Raises `DatabaseError` if it is absent or damaged."""
    try:
        with path.open("rb") as file:
            head = file.read(HEADER)
        if not head.startswith(MAGIC):
            raise DatabaseError(f"{path} does not begin like a file of tables")
        header = Header(**json.loads(head[len(MAGIC) :]))
        whole = np.memmap(path, np.uint8, "r")
        arrays = list(_arrays(whole, header))
    except (OSError, ValueError, TypeError) as error:
        raise DatabaseError(f"{path} cannot be read ({error})") from error
    ids_N, codes_NW, *rest = arrays
    parts = [
        Part(begin, bits, starts, rows)
        for (begin, bits), starts, rows in zip(header.parts, rest[::2], rest[1::2], strict=True)
    ]
    return Tables(header, ids_N, codes_NW, parts)


def _arrays(whole: npt.NDArray[np.uint8], header: Header) -> Iterator[Any]:
    shapes: list[tuple[str, tuple[int, ...]]] = [("<i8", (header.count,)), ("u1", (header.count, header.bits // 8))]
    for _, bits in header.parts:
        shapes += [("<u4", (2**bits + 1,)), ("<u4", (header.count,))]
    at = HEADER
    for kind, shape in shapes:
        at = _aligned(at)
        end = at + int(np.prod(shape)) * np.dtype(kind).itemsize
        if end > len(whole):
            raise ValueError(f"{len(whole)} bytes are fewer than its header says")
        yield whole[at:end].view(kind).reshape(shape)
        at = end


def _aligned(at: int) -> int:
    return -(-at // ALIGNED) * ALIGNED
