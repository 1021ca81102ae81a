"""Counts, rates and distances of a collection against slow oracles.

Shapes: N images, D distances, W bytes a code.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.calibration import rates
from lookalike.core.codes import Codes
from lookalike.imaging.edits.catalogue import EDITS
from lookalike.metrics import intervals
from tests.references import calibration as slow
from tests.references.bitcount import distance

VALUES = st.lists(st.integers(0, 2**16 - 1) | st.integers(0, 40), min_size=2, max_size=40)


def codes_of(values: list[int]) -> Codes:
    return np.array(values, ">u2").view(np.uint8).reshape(-1, 2)


@pytest.mark.parametrize(("count", "width"), [(2, 1), (130, 8), (300, 9), (257, 16)])
def test_histograms_are_those_of_all_pairs(count: int, width: int) -> None:
    codes_NW = np.random.default_rng(count).integers(0, 4, (count, width), np.uint8)
    assert rates.histograms(codes_NW).tolist() == slow.histograms(codes_NW.tolist())


@given(VALUES, st.sampled_from([0.001, 0.01, 0.1, 0.5]))
def test_near_is_the_greatest_distance_that_the_rate_allows(values: list[int], wanted: float) -> None:
    codes_NW = codes_of(values)
    counts_ND = rates.histograms(codes_NW)
    expected = slow.near(codes_NW.tolist(), wanted)
    pairs = len(values) * (len(values) - 1) // 2
    measured = pairs * wanted >= 1
    assert rates.near(counts_ND, wanted, own=3) == (expected if measured else min(expected, 3), measured)


@given(VALUES, st.integers(-1, 16))
def test_a_rate_counts_pairs_and_has_the_interval_of_its_images(values: list[int], radius: int) -> None:
    codes_NW = codes_of(values)
    apart = [distance(one, other) for one, other in itertools.combinations(codes_NW.tolist(), 2)]
    found = rates.rate(rates.histograms(codes_NW), radius)
    assert (found.false, found.pairs) == (sum(d <= radius for d in apart), len(apart))
    assert found.low <= found.value <= found.high <= 1
    if not found.false:
        assert found.high == pytest.approx(min(1, intervals.poisson(0)[1] / len(apart)))


@given(VALUES, st.integers(0, 60))
def test_near_pairs_are_all_up_to_a_distance(values: list[int], most: int) -> None:
    codes_NW = codes_of(values)
    counts_D = rates.histograms(codes_NW).sum(axis=0) // 2
    reach, pairs = rates.nearest_pairs(codes_NW, counts_D, most=most)
    listed = codes_NW.tolist()
    expected = sorted(
        (distance(listed[i], listed[j]), i, j)
        for i, j in itertools.combinations(range(len(values)), 2)
        if distance(listed[i], listed[j]) <= reach
    )
    got = list(zip(pairs.distances.tolist(), pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert got == expected
    assert len(got) <= most
    assert reach == 16 or counts_D[: reach + 2].sum() > most
    again = [(d, *pair) for d, rows in rates.by_distance(pairs) for pair in rows]
    assert again == got


def test_pairs_that_are_excluded_do_not_count() -> None:
    codes_NW = codes_of([0, 0, 1, 0xFFFF])
    counts_ND = rates.histograms(codes_NW)
    left_ND = rates.without(counts_ND, [(0, 1)], [0])
    assert rates.rate(counts_ND, 0).false == 1
    assert rates.rate(left_ND, 0).false == 0
    assert rates.rate(left_ND, 1).pairs == 5
    assert counts_ND[0, 0] == 1


def test_same_holds_most_light_copies_and_is_never_beyond_near() -> None:
    own_D = np.array([90, 4, 2, 4, 0])
    assert rates.same(own_D, most=4) == 2
    assert rates.same(own_D, most=1) == 1
    assert rates.same(own_D, most=-1) == -1
    assert rates.same(np.zeros(5, np.int64), most=4) == 0


def test_similar_is_one_in_a_hundred_and_never_below_near() -> None:
    counts_ND = np.zeros((30, 17), np.int64)
    counts_ND[:, 8] = 29
    counts_ND[:8, 8] -= 1
    counts_ND[:8, 3] += 1
    assert rates.similar(counts_ND, own=5, least=0) == 7
    assert rates.similar(counts_ND, own=5, least=9) == 9
    assert rates.similar(counts_ND[:2] * 0, own=5, least=0) == 5


def test_recall_takes_images_for_what_was_tried() -> None:
    found = rates.recall(np.array([[0, 1], [2, 9], [0, 0], [1, 1]]), 1)
    assert (found.found, found.copies, found.images, found.value) == (6, 8, 4, 0.75)
    assert (found.low, found.high) == intervals.clopper_pearson(3, 4)
    assert rates.recall(np.empty((0, 2), np.int64), 1).value == 0


def test_the_mix_names_edits_that_there_are() -> None:
    assert set(rates.MIX) == set(rates.KINDS)
    for one in itertools.chain.from_iterable(rates.MIX.values()):
        assert one.edit in EDITS
        assert one.words
    assert {kind for kind, _ in rates.mix()} == set(rates.KINDS)
