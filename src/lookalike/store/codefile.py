"""`codes.bin`: ids and codes of a database, made to be memory-mapped. Derived from the catalog at any time.

Layout: a header of 4,096 bytes, then N ids (int64, little endian, ascending), then N codes of W bytes. The header is
the line `lookalike codes 1` and a line of JSON, padded with spaces. Bits are packed most significant first.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes
from lookalike.errors import DatabaseError

FILE = "codes.bin"
MAGIC = b"lookalike codes 1\n"
HEADER = 4096


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself."""

    bits: int
    count: int
    model: str  # digest of the model that made the codes
    revision: int  # of the catalog that they were taken from
    digest: str  # BLAKE2b, 16 bytes in hexadecimal, of ids and codes
    bit_order: str = "most significant first"


def write(path: Path, ids_N: npt.NDArray[np.int64], codes_NW: Codes, *, model: str, revision: int) -> None:
    """Write ids and codes aside, then put the file in place."""
    ids, codes = ids_N.astype("<i8").tobytes(), np.ascontiguousarray(codes_NW).tobytes()
    header = Header(codes_NW.shape[1] * 8, len(ids_N), model, revision, _digest(ids, codes))
    text = MAGIC + json.dumps(asdict(header)).encode()
    aside = path.with_name(path.name + ".tmp")
    with aside.open("wb") as file:
        file.write(text.ljust(HEADER - 1) + b"\n")
        file.write(ids)
        file.write(codes)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def read(path: Path) -> tuple[Header, npt.NDArray[np.int64], Codes]:
    """Header, ids (N,) and codes (N, W), memory-mapped. Raises `DatabaseError` if the file is absent or damaged."""
    try:
        header = _header(path)
        size, width = path.stat().st_size, header.bits // 8
        if size != HEADER + header.count * (8 + width):
            raise DatabaseError(f"{path} has {size} bytes, not as many as its header says")
        if not header.count:
            return header, np.empty(0, np.int64), np.empty((0, width), np.uint8)
        ids = np.memmap(path, "<i8", "r", HEADER, (header.count,))
        codes = np.memmap(path, np.uint8, "r", HEADER + 8 * header.count, (header.count, width))
    except (OSError, ValueError, TypeError) as error:
        raise DatabaseError(f"{path} cannot be read ({error})") from error
    return header, ids, codes


def is_intact(path: Path) -> bool:
    """Whether ids and codes are those that were written; reads all of them."""
    header, ids, codes = read(path)
    return header.digest == _digest(ids.tobytes(), codes.tobytes())


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(HEADER)
    if not head.startswith(MAGIC):
        raise DatabaseError(f"{path} does not begin like a file of codes")
    return Header(**json.loads(head[len(MAGIC) :]))


def _digest(ids: bytes, codes: bytes) -> str:
    return hashlib.blake2b(codes, digest_size=16, key=hashlib.blake2b(ids).digest()).hexdigest()
