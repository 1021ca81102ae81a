"""The compiled kernels and those of NumPy equal plain bit counting.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lookalike.core.codes import Codes
from lookalike.search import Hits, kernels, multi_index, numpy_kernels
from lookalike.search.multi_index import MultiIndex
from lookalike.search.scan import KERNELS, scan
from lookalike.search.table import Table, masks, parts

NO_LIMIT = 10**12  # for the budget
needs_kernels = pytest.mark.skipif(kernels.LIBRARY is None, reason="no C compiler")
BACKENDS = [
    pytest.param(numpy_kernels, id="numpy"),
    pytest.param(kernels, id="compiled", marks=needs_kernels),
]


def clustered(count: int, width: int, *, seed: int = 0) -> Codes:
    """Codes around some centres, with a tenth of the bits flipped."""
    random = np.random.default_rng([seed, count, width])
    centres = random.random((30, 8 * width)) < 0.5
    return np.packbits(centres[random.integers(0, 30, count)] ^ (random.random((count, 8 * width)) < 0.1), axis=1)


def by_counting(codes_NW: Codes, query_W: Codes, allowed: np.ndarray | None = None) -> Hits:
    distances = np.bitwise_count(codes_NW ^ query_W).sum(axis=1).astype(np.int32)
    order = np.lexsort((np.arange(len(codes_NW)), distances))
    order = order if allowed is None else order[allowed[order]]
    return Hits(order, distances[order])


def tables_of(backend: ModuleType, codes_NW: Codes) -> list[Table]:
    return [backend.build(codes_NW, *part) for part in parts(8 * codes_NW.shape[1], len(codes_NW))]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("width", [1, 5, 8, 16, 19])
@pytest.mark.parametrize("masked", [False, True])
def test_all_ways_of_searching_agree(backend: ModuleType, width: int, masked: bool) -> None:
    codes_NW, random = clustered(3000, width), np.random.default_rng(1)
    allowed = random.random(3000) < 0.4 if masked else None
    tables = tables_of(backend, codes_NW)
    queries_QW = np.concatenate([codes_NW[:3], random.integers(0, 256, (3, width), np.uint8)])
    for query_W in queries_QW:
        expected = by_counting(codes_NW, query_W, allowed)
        for top, radius in ((1, 8 * width), (10, 8 * width), (50, 3 * width), (5000, 8 * width)):
            end = min(top, int((expected.distances <= radius).sum()))
            (scanned,) = backend.nearest(codes_NW, query_W[None], top=top, radius=radius, allowed_N=allowed)
            assert scanned.rows.tolist() == expected.rows[:end].tolist()
            found = backend.multi(
                codes_NW, tables, query_W[None], top=top, radius=radius, allowed_N=allowed, budget=NO_LIMIT
            )[0]
            if backend is numpy_kernels:
                assert found is None  # it always scans
                continue
            assert found.distances.tolist() == expected.distances[:end].tolist()
            assert found.distances.tolist() == np.bitwise_count(codes_NW[found.rows] ^ query_W).sum(axis=1).tolist()
            assert allowed is None or allowed[found.rows].all()
            assert len(set(found.rows.tolist())) == end
        for radius in (0, 1, width, 3 * width):
            end = int((expected.distances <= radius).sum())
            looked_up = backend.multi(
                codes_NW, tables, query_W[None], top=None, radius=radius, allowed_N=allowed, budget=NO_LIMIT
            )[0]
            scanned = backend.within(codes_NW, query_W, radius=radius, allowed_N=allowed)
            for found in (scanned, looked_up or scanned):
                assert found.rows.tolist() == expected.rows[:end].tolist()
                assert found.distances.tolist() == expected.distances[:end].tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_count_from_the_first(backend: ModuleType) -> None:
    codes_NW = clustered(100, 8)
    (found,) = backend.nearest(codes_NW, codes_NW[7:8], top=1, radius=0, first=1000)
    assert found.rows.tolist() == [1007]
    assert backend.within(codes_NW, codes_NW[7], radius=0, first=1000).rows.tolist() == [1007]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_table_lists_the_rows_of_each_value(backend: ModuleType) -> None:
    codes_NW = clustered(500, 4)
    table = backend.build(codes_NW, 5, 11)
    values = np.array([int("".join(map(str, np.unpackbits(code)[5:16])), 2) for code in codes_NW])
    assert table.starts[-1] == 500
    for value in (*np.unique(values)[:40].tolist(), 2047):
        rows = table.rows[table.starts[value] : table.starts[value + 1]]
        assert rows.tolist() == np.flatnonzero(values == value).tolist()


@needs_kernels
def test_a_search_that_would_cost_more_than_its_budget_gives_up() -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (5000, 8), np.uint8)
    tables = tables_of(kernels, codes_NW)
    far_W = np.random.default_rng(9).integers(0, 256, 8, np.uint8)
    assert kernels.multi(codes_NW, tables, far_W[None], top=10, radius=64, budget=2_000) == [None]
    (near,) = kernels.multi(codes_NW, tables, codes_NW[3:4], top=1, radius=64, budget=2_000)
    assert near is not None
    assert (near.rows.tolist(), near.distances.tolist()) == ([3], [0])


def test_parts_cover_all_bits_once() -> None:
    assert parts(8, 1000) == [(0, 8)]
    assert parts(64, 1000) == [(0, 11), (11, 11), (22, 10), (32, 11), (43, 11), (54, 10)]
    for bits in (8, 16, 64, 72, 128, 512):
        for count in (0, 1, 1000, 10**7, 10**9):
            found = parts(bits, count)
            assert [begin for begin, _ in found] == [0, *np.cumsum([length for _, length in found])[:-1].tolist()]
            assert sum(length for _, length in found) == bits
            assert max(length for _, length in found) <= 24
    table = Table(3, 7, np.empty(0, np.uint32), np.empty(0, np.uint32))
    assert np.unpackbits(masks([table], 2)).tolist() == [0] * 3 + [1] * 7 + [0] * 6


@needs_kernels
def test_far_queries_are_scanned_and_near_ones_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (60_000, 8), np.uint8)
    engine = MultiIndex(64, codes_NW=codes_NW, least=50_000)
    scanned: list[int] = []

    def watched(codes_NW: Codes, queries_QW: Codes, **rest: Any) -> list[Hits]:
        scanned.append(len(queries_QW))
        return scan(codes_NW, queries_QW, **rest)

    monkeypatch.setattr(multi_index, "scan", watched)
    far_QW = np.random.default_rng(9).integers(0, 256, (2, 8), np.uint8)
    found = engine.search(np.concatenate([codes_NW[:1], far_QW, codes_NW[5:6]]), top=1)
    assert scanned == [2]
    assert [hits.rows.tolist() for hits in found[::3]] == [[0], [5]]
    assert [hits.distances[0] for hits in found[1:3]] == [by_counting(codes_NW, q).distances[0] for q in far_QW]


@needs_kernels
def test_where_most_queries_are_far_the_others_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (60_000, 8), np.uint8)
    engine = MultiIndex(64, codes_NW=codes_NW, least=50_000)
    looked_up: list[int] = []
    multi = KERNELS.multi

    def watched(codes_NW: Codes, tables: Any, queries_QW: Codes, **rest: Any) -> list[Hits | None]:
        looked_up.append(len(queries_QW))
        return multi(codes_NW, tables, queries_QW, **rest)  # type: ignore[no-any-return]

    monkeypatch.setattr(KERNELS, "multi", watched)
    far_QW = np.random.default_rng(9).integers(0, 256, (100, 8), np.uint8)
    for queries_QW, expected in ((far_QW, multi_index.TRIED), (codes_NW[:100], 100)):
        looked_up.clear()
        found = engine.search(queries_QW, top=1)
        assert sum(looked_up) == expected
        for hits, truth in zip(found, scan(codes_NW, queries_QW, top=1, radius=64), strict=True):
            assert hits.distances.tolist() == truth.distances.tolist()
