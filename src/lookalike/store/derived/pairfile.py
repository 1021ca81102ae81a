"""`pairs.bin`: all pairs of a database's codes within a radius, as far as computed. It can be rebuilt at any time.

Comparing many millions of codes takes minutes. Results are written block by block, so that an interrupted search can
resume and a repeated one need not compare again. A file is for one set of codes and one radius; a search for others
starts over.

Layout: the line `lookalike pairs 2` with a digest, then blocks: the row up to which codes were compared and a number of
pairs (int64, little-endian, each), then the pairs: first and second row, bits (uint32, little-endian, each), then the
block's BLAKE2b digest (8 bytes). Everything after a damaged block is computed again.

Shapes: N codes, W bytes a code, P pairs of a block.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import filelock
import numpy as np

from lookalike.core.codes import Codes
from lookalike.search.hits import Pairs

FILE = "pairs.bin"
LOCK = "pairs.lock"
MAGIC = "lookalike pairs 2"
SEAL = 8  # bytes at the end of a block
LEAST = 200_000  # codes; comparing fewer takes only a second

Blocks = Iterator[tuple[int, Pairs]]  # each up to a row


def keeping(folder: Path) -> Callable[[Codes, int], Blocks]:
    """`all_pairs.pairs_within` for codes (N, W) and a radius, with results saved in a folder and resumed from there."""
    return lambda codes_NW, radius: _pairs(folder, codes_NW, radius)


def is_damaged(path: Path) -> bool:
    """Whether a file of pairs has changed since it was written, or ends with an incomplete block."""
    with ExitStack() as stack:
        try:
            stack.enter_context(filelock.FileLock(path.with_name(LOCK), timeout=0))
        except filelock.Timeout:
            return False  # another process is writing it
        file = stack.enter_context(path.open("r+b"))
        if not re.fullmatch(rb"%s [0-9a-f]{32}\n" % MAGIC.encode(), file.readline(len(MAGIC) + 34)):
            return True
        for _ in _read(file, cut=False):
            pass
        return file.tell() != path.stat().st_size


def _pairs(folder: Path, codes_NW: Codes, radius: int) -> Blocks:
    from lookalike.search import all_pairs

    with ExitStack() as stack:
        file = _opened(stack, folder, codes_NW, radius) if len(codes_NW) >= LEAST else None
        if file is None:
            yield from all_pairs.pairs_within(codes_NW, radius=radius)
            return
        done = 0
        for end, pairs in _read(file):
            done = end
            yield end, pairs
        if done == len(codes_NW):
            return
        for end, pairs in all_pairs.pairs_within(codes_NW, radius=radius, begin=done):
            _write(file, end, pairs)
            yield end, pairs


def _opened(stack: ExitStack, folder: Path, codes_NW: Codes, radius: int) -> BinaryIO | None:
    """The file for these pairs, at its first block; None if it is not writable or another process writes it."""
    key = hashlib.blake2b(np.ascontiguousarray(codes_NW).data, digest_size=16)
    key.update(f"{codes_NW.shape[1]} {radius}".encode())
    head = f"{MAGIC} {key.hexdigest()}\n".encode()
    path = folder / FILE
    try:
        stack.enter_context(filelock.FileLock(folder / LOCK, timeout=0))
        file = stack.enter_context(path.open("r+b" if path.exists() else "x+b"))
    except (OSError, filelock.Timeout):
        return None
    if file.read(len(head)) != head:
        file.seek(0)
        file.truncate()
        file.write(head)
    return file


def _read(file: BinaryIO, *, cut: bool = True) -> Blocks:
    """The intact blocks; the file is then positioned after the last one, and truncated there."""
    whole_up_to, size = file.tell(), os.fstat(file.fileno()).st_size
    while len(head := file.read(16)) == 16:
        end, count = np.frombuffer(head, "<i8").tolist()
        content = file.read(12 * count) if 0 <= count <= size else b""
        if len(content) != 12 * count or file.read(SEAL) != _digest(head + content):
            break
        first_P, second_P, distances_P = np.frombuffer(content, "<u4").reshape(-1, 3).T
        whole_up_to = file.tell()
        yield end, Pairs(first_P.astype(np.int64), second_P.astype(np.int64), distances_P.astype(np.int32))
    file.seek(whole_up_to)
    if cut:
        file.truncate()


def _write(file: BinaryIO, end: int, pairs: Pairs) -> None:
    block = np.array([end, len(pairs.first)], "<i8").tobytes() + np.stack(pairs, axis=1).astype("<u4").tobytes()
    file.write(block + _digest(block))
    file.flush()


def _digest(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=SEAL).digest()
