"""`codes.bin`: ids and codes of a database, for memory-mapping. It can be rebuilt from the catalog at any time.

Layout: a header of 4,096 bytes, then N ids (int64, little-endian), ascending, then N codes of W bytes. The header is
the line `lookalike codes 2` and a line of JSON, padded with spaces; its last 33 bytes are the BLAKE2b digest of those
before (16 bytes in hexadecimal) and a line feed. Bits are packed most significant first.

Header and ids are checked whenever a file is opened, codes only by `is_intact`. Earlier versions stored consecutive ids
as R runs of a first id and a length, which the header counts.

Shapes: N codes, W bytes a code, R runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.atomic import replacing
from lookalike.core.codes import Codes, check_bits
from lookalike.core.errors import ConfigError, DatabaseError

FILE = "codes.bin"
MAGIC = b"lookalike codes 2\n"
HEADER = 4096
SEAL = 33  # bytes at the header's end

Ids = npt.NDArray[np.int64]


class Stamp(NamedTuple):
    """The state of a catalog that codes belong to."""

    model: str  # digest
    revision: int
    database: str  # the catalog's own identifier
    change: str  # random, changed by each change: after a loss, a revision may occur a second time


@dataclass(frozen=True, slots=True)
class _Header:
    """The file's header."""

    bits: int
    count: int
    model: str  # digest of the model that made the codes
    revision: int  # of the catalog
    digest: str  # BLAKE2b (16 bytes, hexadecimal) of codes and stored ids
    runs: int = 0  # of ids, in files of earlier versions
    bit_order: str = "most significant first"
    database: str = ""  # as in `Stamp`
    change: str = ""
    ids: str = ""  # digest of the ids alone

    def fits(self, stamp: Stamp) -> bool:
        """Whether the codes are of exactly this state of a catalog."""
        return (self.model, self.revision, self.database, self.change) == stamp

    def is_later(self, stamp: Stamp) -> bool:
        """Whether the codes are of a state that the same catalog had and has lost."""
        ahead = self.revision > stamp.revision or (self.revision == stamp.revision and self.change != stamp.change)
        return ahead and self.database == stamp.database


def write(
    path: Path, ids_N: Ids, codes_NW: Codes, *, model: str, revision: int, database: str = "", change: str = ""
) -> _Header:
    """Write ids and codes atomically; returns the header."""
    ids_N, codes_NW = np.ascontiguousarray(ids_N, "<i8"), np.ascontiguousarray(codes_NW)
    header = _Header(
        codes_NW.shape[1] * 8, len(ids_N), model, revision, _digest(ids_N, codes_NW), database=database, change=change,
        ids=_hash(ids_N.data),
    )  # fmt: skip
    with replacing(path) as aside, aside.open("wb") as file:
        file.write(_sealed(MAGIC + json.dumps(asdict(header)).encode() + b"\n"))
        file.write(ids_N.data)  # unlike `tofile`, this reports a full disk
        file.write(codes_NW.data)
    return header


def _sealed(text: bytes) -> bytes:
    """A header with this text, and its digest at the end."""
    head = text.ljust(HEADER - SEAL)
    return head + _hash(head).encode() + b"\n"


def read(path: Path) -> tuple[_Header, Ids, Codes]:
    """Header, ids (N,) and codes (N, W), memory-mapped. Raises `DatabaseError` if missing or damaged."""
    header, ids, codes_NW = _parts(path)
    if header.runs:
        first_R, lengths_R = ids.reshape(-1, 2).T
        if int(lengths_R.sum()) != header.count or lengths_R.min() < 1:
            raise DatabaseError(f"{path} has runs of ids that do not match its header")
        ids = np.repeat(first_R - lengths_R.cumsum() + lengths_R, lengths_R) + np.arange(header.count)
    return header, ids, codes_NW


def is_intact(path: Path) -> bool:
    """Whether ids and codes are as written; reads all. Raises `DatabaseError` if the header shows otherwise."""
    header, ids, codes_NW = _parts(path)
    return header.digest == _digest(ids, codes_NW)


def read_header(path: Path) -> _Header:
    """The file's header. Raises `DatabaseError` if the file is missing or not a file of codes."""
    try:
        with path.open("rb") as file:
            return _header(file, path)
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise DatabaseError(f"{path} is unreadable ({error})") from error


def _header(file: BinaryIO, path: Path) -> _Header:
    head = file.read(HEADER)
    if not head.startswith(MAGIC):
        raise DatabaseError(f"{path} is not a file of codes")
    if head != _sealed(head[:-SEAL]):
        raise DatabaseError(f"{path} is damaged: its header has changed")
    header = _Header(**json.loads(head[len(MAGIC) : -SEAL]))
    check_bits(header.bits)
    return header


def _parts(path: Path) -> tuple[_Header, Ids, Codes]:
    """Header, ids or their runs as a flat array, and codes; all from one file, even if it is replaced meanwhile."""
    try:
        with path.open("rb") as file:
            header, size = _header(file, path), os.fstat(file.fileno()).st_size
            width, numbers = header.bits // 8, 2 * header.runs or header.count
            if size != HEADER + 8 * numbers + header.count * width or header.runs < 0:
                raise DatabaseError(f"{path} has {size} bytes, which does not match its header")
            if not header.count:
                return header, np.empty(0, np.int64), np.empty((0, width), np.uint8)
            ids = np.memmap(file, "<i8", "r", HEADER, (numbers,))
            codes = np.memmap(file, np.uint8, "r", HEADER + 8 * numbers, (header.count, width))
            if header.ids != _hash(ids.data):
                raise DatabaseError(f"{path} is damaged: its ids have changed")
    except (OSError, ValueError, TypeError, OverflowError, ConfigError) as error:
        raise DatabaseError(f"{path} is unreadable ({error})") from error
    return header, ids, codes


def _digest(ids: Ids, codes_NW: Codes) -> str:
    key = hashlib.blake2b(np.ascontiguousarray(ids).data).digest()
    return hashlib.blake2b(np.ascontiguousarray(codes_NW).data, digest_size=16, key=key).hexdigest()


def _hash(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
