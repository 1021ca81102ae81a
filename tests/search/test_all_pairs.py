"""All pairs and all neighbours equal those of a brute-force comparison.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.core.codes import Codes
from lookalike.search import all_pairs as whole
from lookalike.search import kernels, numpy_kernels, scan
from lookalike.search.all_pairs import neighbours, pairs_within
from lookalike.search.multi_index import MultiIndex
from tests.search.test_kernels import BACKENDS, clustered

Triples = set[tuple[int, int, int]]


def all_pairs(codes_NW: Codes, radius: int) -> Triples:
    distances_NN = np.bitwise_count(codes_NW[:, None] ^ codes_NW[None]).sum(axis=2)
    first, second = np.nonzero(np.triu(distances_NN <= radius, k=1))
    return set(zip(first.tolist(), second.tolist(), distances_NN[first, second].tolist(), strict=True))


def found_pairs(codes_NW: Codes, radius: int) -> Triples:
    found: list[tuple[int, int, int]] = []
    for _, pairs in pairs_within(codes_NW, radius=radius):
        found += zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distances.tolist(), strict=True)
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("width", [2, 8, 9, 16])
@pytest.mark.parametrize("with_tables", [False, True])
def test_all_pairs(backend: object, width: int, with_tables: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "KERNELS", backend)
    monkeypatch.setattr(whole, "FEW", 10 if with_tables else 10_000)
    monkeypatch.setattr(whole, "BLOCK", 97)
    codes_NW = clustered(500, width)
    for radius in (0, 1, width, 3 * width, 8 * width if width == 2 else 4 * width):
        assert found_pairs(codes_NW, radius) == all_pairs(codes_NW, radius)


def test_equal_codes_are_pairs_too() -> None:
    codes_NW = np.zeros((300, 8), np.uint8)
    assert len(found_pairs(codes_NW, 0)) == 300 * 299 // 2


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_has_no_pairs(count: int) -> None:
    assert found_pairs(np.zeros((count, 8), np.uint8), 3) == set()


def test_neighbours_leave_oneself_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "BLOCK", 64)
    codes_NW = np.concatenate([clustered(150, 8), np.zeros((20, 8), np.uint8)])
    engine = MultiIndex(64, codes_NW=codes_NW, least=0)
    distances_NN = np.bitwise_count(codes_NW[:, None] ^ codes_NW[None]).sum(axis=2)
    np.fill_diagonal(distances_NN, 1000)
    expected = np.sort(distances_NN, axis=1)[:, :4]
    found = [hits for _, block in neighbours(engine, codes_NW, top=4) for hits in block]
    assert [hits.distances.tolist() for hits in found] == expected.tolist()
    assert all(row not in hits.rows for row, hits in enumerate(found))
    ends = [end for end, _ in neighbours(engine, codes_NW, top=1, begin=128)]
    assert ends == [170]


def test_the_kernels_are_used_where_they_are() -> None:
    assert scan.KERNELS is (numpy_kernels if kernels.LIBRARY is None else kernels)
