"""The compiled kernels of `hamming.c`, called through ctypes, which releases the GIL.

They are compiled when the package is built (`hatch_build.py`). Without a compiler, `LIBRARY` is None and
`numpy_kernels` does the same work, more slowly.
Shapes: N codes, Q queries, W bytes a code.
"""

from __future__ import annotations

import ctypes
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.search.hits import Hits, Mask, Pairs
from lookalike.search.table import Table, masks

HIT = np.dtype([("distance", np.int32), ("row", np.int64)], align=True)
PAIR = np.dtype([("distance", np.int32), ("first", np.uint32), ("second", np.uint32)], align=True)
TABLE = np.dtype([("begin", np.int32), ("bits", np.int32), ("starts", np.uintp), ("rows", np.uintp)], align=True)
NAME = "hamming" + (".dll" if sysconfig.get_platform().startswith("win") else ".so")
ROOM = 1024  # initial buffer size in hits, if their number is unknown


def _load() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(Path(__file__).with_name(NAME)))
    except OSError:
        return None
    p, i32, i64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    signatures: dict[str, tuple[list[Any], Any]] = {
        "lookalike_scan": ([p, i64, i64, i64, p, p, i64, i64, i32, p, p], None),
        "lookalike_sort": ([p, i64, i64, p], None),
        "lookalike_within": ([p, i64, i64, i64, p, p, i32, p, i64], i64),
        "lookalike_build": ([p, i64, i64, i32, i32, p, p], None),
        "lookalike_pairs": ([p, i64, i64, p, i32, p, i32, i64, i64, i64, p, i64, p, i64], i64),
        "lookalike_multi": ([p, i64, p, p, i32, p, p, i64, i32, i64, p, i64], i64),
        "lookalike_multi_all": ([p, i64, p, p, i32, p, p, i64, i64, i32, i64, p, p], None),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


LIBRARY = _load()


def nearest(
    codes_NW: Codes, queries_QW: Codes, *, top: int, radius: int, allowed_N: Mask = None, first: int = 0
) -> list[Hits]:
    """The `top` nearest codes for each query within `radius`, by a full scan; rows count from `first`."""
    assert LIBRARY is not None
    count, width = codes_NW.shape
    top = min(top, count)
    heaps_QT, counts_Q = np.empty((len(queries_QW), top), HIT), np.zeros(len(queries_QW), np.int64)
    LIBRARY.lookalike_scan(
        _at(codes_NW), count, width, first, _at(allowed_N), _at(queries_QW), len(queries_QW), top, radius,
        _at(heaps_QT), _at(counts_Q),
    )  # fmt: skip
    LIBRARY.lookalike_sort(_at(heaps_QT), len(queries_QW), top, _at(counts_Q))
    return [_hits(heap_T[:taken]) for heap_T, taken in zip(heaps_QT, counts_Q.tolist(), strict=True)]


def within(codes_NW: Codes, query_W: Codes, *, radius: int, allowed_N: Mask = None, first: int = 0) -> Hits:
    """All codes within `radius` of a query, by a full scan."""
    assert LIBRARY is not None
    found, total = np.empty(ROOM, HIT), ROOM + 1
    while total > len(found):
        found = np.empty(max(total, ROOM), HIT)
        total = LIBRARY.lookalike_within(
            _at(codes_NW), *codes_NW.shape, first, _at(allowed_N), _at(query_W), radius, _at(found), len(found)
        )
    return _sorted(found[:total])


def multi(
    codes_NW: Codes,
    tables: Sequence[Table],
    queries_QW: Codes,
    *,
    top: int | None,
    radius: int,
    allowed_N: Mask = None,
    budget: int,
) -> list[Hits | None]:
    """The result of `nearest` or `within`, by tables; None for a query that costs more than comparing `budget` codes.

    Of the codes at the distance of the last of `top` hits, any may be returned.
    """
    assert LIBRARY is not None
    (count, width), listed, masks_MW = codes_NW.shape, _listed(tables), masks(tables, codes_NW.shape[1])
    arguments = _at(codes_NW), width, _at(allowed_N), _at(listed), len(tables), _at(masks_MW)
    if top is None:
        return [_within_by_tables(arguments, query_W, radius=radius, budget=budget) for query_W in queries_QW]
    top = min(top, count)
    heaps_QT, counts_Q = np.empty((len(queries_QW), top), HIT), np.empty(len(queries_QW), np.int64)
    LIBRARY.lookalike_multi_all(
        *arguments, _at(queries_QW), len(queries_QW), top, radius, budget, _at(heaps_QT), _at(counts_Q)
    )
    return [
        None if found < 0 else _hits(heap_T[:found]) for heap_T, found in zip(heaps_QT, counts_Q.tolist(), strict=True)
    ]


def _within_by_tables(arguments: tuple[Any, ...], query_W: Codes, *, radius: int, budget: int) -> Hits | None:
    """All codes within `radius` of a query, by tables; None if that would cost more than `budget`."""
    assert LIBRARY is not None
    room = ROOM
    while True:
        found = np.empty(room, HIT)
        total = LIBRARY.lookalike_multi(*arguments, _at(query_W), 0, radius, budget, _at(found), room)
        if total < 0:
            return None
        if total <= room:
            return _sorted(found[:total])
        room = total


def pairs(codes_NW: Codes, tables: Sequence[Table], *, radius: int, budget: int, begin: int, end: int) -> Pairs:
    """All pairs within `radius` whose lower row is in [`begin`, `end`), sorted by the lower row."""
    assert LIBRARY is not None
    listed, masks_MW = _listed(tables), masks(tables, codes_NW.shape[1])
    scratch, room = np.empty(ROOM, HIT), 4 * (end - begin) + ROOM
    while True:
        found = np.empty(room, PAIR)
        total = LIBRARY.lookalike_pairs(
            _at(codes_NW), *codes_NW.shape, _at(listed), len(tables), _at(masks_MW), radius, budget, begin, end,
            _at(scratch), len(scratch), _at(found), room,
        )  # fmt: skip
        if total <= room:
            found = found[:total]
            return Pairs(found["first"].astype(np.int64), found["second"].astype(np.int64), found["distance"].copy())
        room = total


def build(codes_NW: Codes, begin: int, bits: int) -> Table:
    """A table over some bits of all codes."""
    assert LIBRARY is not None
    starts, rows = np.empty(2**bits + 1, np.uint32), np.empty(len(codes_NW), np.uint32)
    LIBRARY.lookalike_build(_at(codes_NW), *codes_NW.shape, begin, bits, _at(starts), _at(rows))
    return Table(begin, bits, starts, rows)


def _listed(tables: Sequence[Table]) -> npt.NDArray[Any]:
    """Tables as the kernels' structs."""
    return np.array([(one.begin, one.bits, _at(one.starts), _at(one.rows)) for one in tables], TABLE)


def _at(array: npt.NDArray[Any] | None) -> int | None:
    """The address of an array's data; None for None."""
    return None if array is None else int(array.ctypes.data)


def _hits(found: npt.NDArray[Any]) -> Hits:
    return Hits(np.ascontiguousarray(found["row"]), np.ascontiguousarray(found["distance"]))


def _sorted(found: npt.NDArray[Any]) -> Hits:
    """Hits sorted by distance, then row."""
    return _hits(found[np.lexsort((found["row"], found["distance"]))])
