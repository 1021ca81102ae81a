"""k-nearest-neighbour graph of a whole collection, written to a file.

A `.npy` file has int32 (N, top, 2): for each image the numbers of its nearest images, counted from 0 in the order of
indexing, and their distances in bits; -1 where there are fewer. A Parquet file has one row an image, in that order,
with `path` and lists: `neighbours`, `distances`, `relations` (what each is to the image) and `verified` (by pixels).
Pairs are verified if their codes are near (`VERIFIED`), each once for both directions.
Unfinished work is stored next to the file, in an array whose name has a digest of the codes: a repeated call resumes
it, unless the codes have changed. Verdicts are kept in the database.
Shapes: N images, T neighbours at most of each, B images of a block, P pairs.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import filelock
import numpy as np
import numpy.typing as npt

from lookalike.core.atomic import put_in_place, replacing
from lookalike.core.display import clean
from lookalike.core.errors import ConfigError, DatabaseError, DataError, MissingExtra
from lookalike.core.progress import Progress
from lookalike.data import codetable
from lookalike.duplicates.members import by_row
from lookalike.search import all_pairs
from lookalike.search.hits import Hits
from lookalike.search.multi_index import MultiIndex
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.derived.verdicts import Asked, Verifier
from lookalike.store.folder import FolderStore
from lookalike.verification.verdict import Relation

Names = Callable[[Sequence[int]], Sequence[str | None]]
Graph = npt.NDArray[np.int32]  # (N, T, 2): rows and distances
Ints = npt.NDArray[np.int64]

VERIFIED = 14 / 64  # share of the bits that may differ in pairs to be verified
KIND = np.dtype("<i4")
LARGEST = 10_000  # neighbours of an image
ROWS = 65_536  # of a Parquet file, written at once


class NeighbourReport(NamedTuple):
    """What was written."""

    images: int
    verified: int = 0  # pairs of images whose pictures were compared
    unverified: int = 0  # pairs of near codes with neither a thumbnail nor a file


class _Relations(NamedTuple):
    """What pairs of rows are to each other, by their pixels."""

    keys_P: Ints  # lower row × N + higher row, ascending
    ranks_P: npt.NDArray[np.int8]  # `Relation.rank`
    verified_P: npt.NDArray[np.bool_]


def write(
    path: Path, store: FolderStore, *, top: int, verifier: Verifier | None, similar: int, progress: Progress
) -> NeighbourReport:
    """Write the `top` nearest images of each image in the format given by the file's name.

    A `verifier` says what they are to each other, in a Parquet file; where it cannot, codes up to `similar` bits apart
    are similar. Raises `DataError` for another format, `ConfigError` for `top` below 1 or above 10,000,
    `DatabaseError` while another process writes the same file.
    """
    _check(path, top)
    codes = store.code_array()
    part = _part(path, codes, top)
    lock = filelock.FileLock(part.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise DatabaseError(f"another process is writing {path}; wait until it has finished") from None
    try:
        for old in part.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if old != part:  # of outdated codes
                old.unlink()
        _fill(part, codes, top=top, progress=progress)
        report = NeighbourReport(len(codes.ids_N))
        if path.suffix == ".parquet":
            relations = None if verifier is None else _verified(part, codes, verifier, progress)
            if relations is not None:
                verified = int(relations.verified_P.sum())
                report = NeighbourReport(report.images, verified, len(relations.keys_P) - verified)
            _write_table(path, part, by_row(codes.ids_N, store.names), relations, similar)
        else:
            put_in_place(part, path)
        part.unlink(missing_ok=True)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
    return report


def _check(path: Path, top: int) -> None:
    codetable.check_name(path)
    if not path.parent.is_dir():
        raise DataError(f"{path.parent} is not a folder; create it, or choose an existing one")
    if not 1 <= top <= LARGEST:
        raise ConfigError(f"top is {top}; it must be from 1 to {LARGEST}")
    if path.suffix == ".parquet":
        _pyarrow()  # fail before hours of work


def _part(path: Path, codes: CodeArray, top: int) -> Path:
    """The file of unfinished work: the target's name and a digest of its input."""
    digest = hashlib.blake2b(np.ascontiguousarray(codes.ids_N).data, digest_size=8)
    digest.update(np.ascontiguousarray(codes.codes_NW).data)
    digest.update(str(top).encode())
    return path.with_name(f".{path.name}.{digest.hexdigest()}.part")


def _fill(part: Path, codes: CodeArray, *, top: int, progress: Progress) -> None:
    """Write the missing blocks of the array."""
    count = len(codes.ids_N)
    with part.open("r+b" if part.exists() else "x+b") as file:
        begin = _begin(file, (count, top, 2))
        progress("comparing", begin, count)
        if begin == count:
            return
        engine = MultiIndex(8 * codes.codes_NW.shape[1], codes_NW=codes.codes_NW, least=all_pairs.FEW)
        for end, found in all_pairs.neighbours(engine, codes.codes_NW, top=top, begin=begin):
            file.write(_block(found, top).tobytes())
            file.flush()
            os.fsync(file.fileno())
            progress("comparing", end, count)


def _begin(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Number of images already written, where the file is then positioned; an incomplete image is truncated."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": KIND.str, "fortran_order": False, "shape": shape})
    head, size = header.getvalue(), KIND.itemsize * int(np.prod(shape[1:]))
    begin = max(0, file.seek(0, os.SEEK_END) - len(head)) // size
    file.seek(0)
    file.write(head)
    file.truncate(len(head) + begin * size)
    file.seek(0, os.SEEK_END)
    return begin


def _block(found: Sequence[Hits], top: int) -> Graph:
    """Rows and distances of a block's images, (B, T, 2); -1 where there are fewer."""
    block_BT2 = np.full((len(found), top, 2), -1, KIND)
    for row, hits in enumerate(found):
        block_BT2[row, : len(hits.rows), 0] = hits.rows
        block_BT2[row, : len(hits.rows), 1] = hits.distances
    return block_BT2


def _verified(part: Path, codes: CodeArray, verifier: Verifier, progress: Progress) -> _Relations:
    """What the pairs with near codes are."""
    graph_NT2 = np.load(part, mmap_mode="r")
    count, reach = len(graph_NT2), int(VERIFIED * 8 * codes.codes_NW.shape[1])
    keys_P = np.empty(0, np.int64)
    for start in range(0, count, ROWS):
        block_BT2 = graph_NT2[start : start + ROWS]
        near_BT = (block_BT2[:, :, 0] >= 0) & (block_BT2[:, :, 1] <= reach)
        keys_P = np.union1d(keys_P, _keys(block_BT2, start, count)[near_BT])
    ids = [codes.ids_N[rows_P].tolist() for rows_P in divmod(keys_P, max(count, 1))]
    ranks_P, verified_P = np.full(len(keys_P), Relation.DIFFERENT.rank, np.int8), np.zeros(len(keys_P), bool)
    pairs = [Asked(first, second, False, True) for first, second in zip(*ids, strict=True)]
    for at, verdict in enumerate(verifier.of_pairs(pairs)):
        if verdict is not None:  # else an image was removed in the meantime
            ranks_P[at], verified_P[at] = verdict.relation.rank, verdict.verified
        progress("verifying", at + 1, len(pairs))
    return _Relations(keys_P, ranks_P, verified_P)


def _keys(block_BT2: Graph, start: int, count: int) -> Ints:
    """Numbers of the pairs of a block's images and their neighbours, (B, T), the same in both directions."""
    rows_B1, others_BT = np.arange(start, start + len(block_BT2))[:, None], block_BT2[:, :, 0].astype(np.int64)
    return np.minimum(rows_B1, others_BT) * count + np.maximum(rows_B1, others_BT)


def _write_table(path: Path, part: Path, names: Names, relations: _Relations | None, similar: int) -> None:
    """Write an array as a Parquet file, atomically."""
    pa, pq = _pyarrow()
    graph_NT2 = np.load(part, mmap_mode="r")
    fields = [("path", pa.string()), ("neighbours", pa.list_(pa.int32())), ("distances", pa.list_(pa.int32()))]
    if relations is not None:
        fields += [("relations", pa.list_(pa.string())), ("verified", pa.list_(pa.bool_()))]
    schema = pa.schema([*fields, (codetable.RAW_PATH, pa.binary())])
    with replacing(path) as aside, pq.ParquetWriter(aside, schema) as writer:
        for start in range(0, len(graph_NT2), ROWS):
            rows = range(start, min(start + ROWS, len(graph_NT2)))
            paths, block_BT2 = names(rows), graph_NT2[start : rows.stop]
            shown = pa.array([None if name is None else clean(name) for name in paths], pa.string())
            raws = pa.array([None if name is None else codetable.raw_path(name) for name in paths], pa.binary())
            found_BT = block_BT2[:, :, 0] >= 0
            values = [block_BT2[:, :, column][found_BT] for column in (0, 1)]
            if relations is not None:
                values += _relations(relations, _keys(block_BT2, start, len(graph_NT2))[found_BT], values[1] <= similar)
            starts = np.concatenate([[0], found_BT.sum(axis=1).cumsum()]).astype(np.int32)
            lists = [pa.ListArray.from_arrays(starts, pa.array(column)) for column in values]
            writer.write_table(pa.table([shown, *lists, raws], schema=schema))


def _relations(known: _Relations, keys_Q: Ints, are_similar_Q: npt.NDArray[np.bool_]) -> list[npt.NDArray[Any]]:
    """What pairs are to each other, in words, and whether pixels say so."""
    ranks_Q, verified_Q = np.full(len(keys_Q), Relation.DIFFERENT.rank, np.int8), np.zeros(len(keys_Q), bool)
    at_Q = np.searchsorted(known.keys_P, keys_Q)
    there_Q = np.isin(keys_Q, known.keys_P)
    ranks_Q[there_Q], verified_Q[there_Q] = known.ranks_P[at_Q[there_Q]], known.verified_P[at_Q[there_Q]]
    ranks_Q[(ranks_Q == Relation.DIFFERENT.rank) & are_similar_Q] = Relation.SIMILAR.rank
    return [np.array([str(one) for one in Relation], object)[ranks_Q], verified_Q]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Writing Parquet files needs pyarrow", "parquet") from error
    return pa, pq
