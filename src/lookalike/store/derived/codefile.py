"""`codes.bin`: ids and codes of a database, for memory-mapping. It can be rebuilt from the catalog at any time.

Layout: a header of 4,096 bytes, then the ids, then N codes of W bytes. Ids ascend and are mostly consecutive, so they
are stored as R runs of a first id and a length (int64, little-endian, each); where that does not pay, as N ids (int64),
and the header has no runs. The header is the line `lookalike codes 2` and a line of JSON, padded with spaces; its last
33 bytes are the BLAKE2b digest of those before (16 bytes in hexadecimal) and a line feed. Bits are packed most
significant first.

Header and ids are checked whenever a file is opened, codes only by `is_intact`. Files of the first version,
`lookalike codes 1`, lack the digests of header and ids, and the identity of the catalog's state.
"""

from __future__ import annotations

import functools
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
MAGIC_1 = b"lookalike codes 1\n"
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
class Header:
    """The file's header."""

    bits: int
    count: int
    model: str  # digest of the model that made the codes
    revision: int  # of the catalog
    digest: str  # BLAKE2b (16 bytes, hexadecimal) of codes and stored ids
    runs: int = 0  # of ids
    bit_order: str = "most significant first"
    database: str = ""  # as in `Stamp`
    change: str = ""
    ids: str = ""  # digest of the ids alone

    def fits(self, stamp: Stamp) -> bool:
        """Whether the codes are of exactly this state of a catalog; first-version files do not name the catalog."""
        own = (self.model, self.revision, self.change)
        return own == (stamp.model, stamp.revision, stamp.change) and self.database in ("", stamp.database)

    def is_later(self, stamp: Stamp) -> bool:
        """Whether the codes are of a state that the same catalog had and has lost."""
        ahead = self.revision > stamp.revision or (self.revision == stamp.revision and self.change != stamp.change)
        return ahead and self.database == stamp.database


def write(
    path: Path, ids_N: Ids, codes_NW: Codes, *, model: str, revision: int, database: str = "", change: str = ""
) -> Header:
    """Write ids and codes atomically; returns the header."""
    runs_R2 = runs(ids_N)
    are_few = runs_R2.nbytes < ids_N.nbytes / 2
    ids = (runs_R2 if are_few else ids_N).astype("<i8", copy=False)
    codes_NW = np.ascontiguousarray(codes_NW)
    header = Header(
        codes_NW.shape[1] * 8, len(ids_N), model, revision, _digest(ids, codes_NW), len(runs_R2) if are_few else 0,
        database=database, change=change, ids=_hash(np.ascontiguousarray(ids).data),
    )  # fmt: skip
    with replacing(path) as aside, aside.open("wb") as file:
        file.write(sealed(MAGIC + json.dumps(asdict(header)).encode() + b"\n"))
        file.write(np.ascontiguousarray(ids).data)  # unlike `tofile`, this reports a full disk
        file.write(codes_NW.data)
    return header


def sealed(text: bytes) -> bytes:
    """A header with this text, and its digest at the end."""
    head = text.ljust(HEADER - SEAL)
    return head + _hash(head).encode() + b"\n"


def read(path: Path) -> tuple[Header, Ids, Codes]:
    """Header, ids (N,) and codes (N, W), memory-mapped. Raises `DatabaseError` if missing or damaged."""
    header, ids, codes_NW = read_lazily(path)
    return header, ids.all, codes_NW


def read_lazily(path: Path) -> tuple[Header, RowIds, Codes]:
    """Like `read`, with ids that are not expanded."""
    header, ids, codes_NW = _parts(path)
    if not header.runs:
        return header, RowIds(ids), codes_NW
    runs_R2 = ids.reshape(-1, 2)
    if int(runs_R2[:, 1].sum()) != header.count or runs_R2[:, 1].min() < 1:
        raise DatabaseError(f"{path} has runs of ids that do not match its header")
    return header, RowIds(runs_R2=runs_R2), codes_NW


def is_intact(path: Path) -> bool:
    """Whether ids and codes are as written; reads all. Raises `DatabaseError` if the header shows otherwise."""
    header, ids, codes_NW = _parts(path)
    return header.digest == _digest(ids, codes_NW)


def read_header(path: Path) -> Header:
    """The file's header. Raises `DatabaseError` if the file is missing or not a file of codes."""
    try:
        with path.open("rb") as file:
            return _header(file, path)
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise DatabaseError(f"{path} is unreadable ({error})") from error


def _header(file: BinaryIO, path: Path) -> Header:
    head = file.read(HEADER)
    if not head.startswith((MAGIC, MAGIC_1)):
        raise DatabaseError(f"{path} is not a file of codes")
    if head.startswith(MAGIC) and head != sealed(head[:-SEAL]):
        raise DatabaseError(f"{path} is damaged: its header has changed")
    header = Header(**json.loads(head[len(MAGIC) : -SEAL]))
    check_bits(header.bits)
    return header


def _parts(path: Path) -> tuple[Header, Ids, Codes]:
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
            if header.ids and header.ids != _hash(ids.data):
                raise DatabaseError(f"{path} is damaged: its ids have changed")
    except (OSError, ValueError, TypeError, OverflowError, ConfigError) as error:
        raise DatabaseError(f"{path} is unreadable ({error})") from error
    return header, ids, codes


def _digest(ids: Ids, codes_NW: Codes) -> str:
    key = hashlib.blake2b(np.ascontiguousarray(ids).data).digest()
    return hashlib.blake2b(np.ascontiguousarray(codes_NW).data, digest_size=16, key=key).hexdigest()


def _hash(content: bytes | memoryview) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class RowIds:
    """Maps rows to image ids. Ids ascend and are mostly consecutive, so runs are stored instead of one id a row.

    Shapes: N rows, R runs, I ids.
    """

    def __init__(self, ids_N: Ids | None = None, *, runs_R2: Ids | None = None) -> None:
        self._listed = ids_N
        self._first, self._lengths = np.empty((0, 2), np.int64).T if runs_R2 is None else runs_R2.T
        self._ends = self._lengths.cumsum()

    def __len__(self) -> int:
        if self._listed is not None:
            return len(self._listed)
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, row: int) -> int:
        if self._listed is not None:
            return int(self._listed[row])
        run = int(np.searchsorted(self._ends, row, side="right"))
        return int(self._first[run] + row - (self._ends[run] - self._lengths[run]))

    def of(self, rows_I: Ids) -> Ids:
        """The ids of some rows, (I,)."""
        if self._listed is not None:
            return np.asarray(self._listed[rows_I], np.int64)
        run_I = np.searchsorted(self._ends, rows_I, side="right")
        return np.asarray(self._first[run_I] + rows_I - (self._ends[run_I] - self._lengths[run_I]))

    def followed_by(self, ids_I: Ids) -> RowIds:
        """The ids of these rows, followed by further ones in any order."""
        if self._listed is not None:
            return RowIds(np.concatenate([self._listed, ids_I]))
        own_R2 = np.stack([self._first, self._lengths], axis=1)
        return RowIds(runs_R2=np.concatenate([own_R2, runs(ids_I)]))

    @functools.cached_property
    def all(self) -> Ids:
        """All ids, (N,)."""
        if self._listed is not None:
            return self._listed
        starts_R = self._ends - self._lengths
        if len(starts_R) == 1:
            return np.arange(self._first[0], self._first[0] + len(self))
        return np.repeat(self._first - starts_R, self._lengths) + np.arange(len(self))

    def among(self, passes_I: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """For each row, whether its id passes, (N,); ids beyond the mask do not."""
        if self._listed is None:
            parts = [passes_I[first : first + length] for first, length in zip(self._first, self._lengths, strict=True)]
            padded = [
                np.pad(part, (0, int(length) - len(part))) for part, length in zip(parts, self._lengths, strict=True)
            ]
            return np.concatenate([np.empty(0, bool), *padded])
        known_N = self._listed < len(passes_I)
        return np.where(known_N, passes_I[np.where(known_N, self._listed, 0)], False)


def runs(ids_N: Ids) -> Ids:
    """First id and length of each run of consecutive ids, (R, 2)."""
    starts_R = np.flatnonzero(np.diff(ids_N, prepend=ids_N[:1] - 2) != 1)
    return np.stack([ids_N[starts_R], np.diff(starts_R, append=len(ids_N))], axis=1)
