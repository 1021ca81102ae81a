"""Thresholds, recall and µAP against plain counting, and intervals against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.metrics import retrieval_stats
from tests.references.ranking import with_ties

COUNTS = st.lists(st.integers(0, 4), min_size=1, max_size=12)


def listed(counts: list[int]) -> list[int]:
    """The distances that were counted."""
    return [distance for distance, count in enumerate(counts) for _ in range(count)]


@given(COUNTS, st.floats(1e-6, 0.9))
def test_threshold_is_the_greatest_that_keeps_the_rate(counts: list[int], rate: float) -> None:
    found, distances = retrieval_stats.threshold(np.array(counts), rate), listed(counts)
    kept = [-1, *(t for t in range(len(counts)) if sum(d <= t for d in distances) <= rate * len(distances))]
    assert found.distance == max(kept)
    assert found.false == sum(d <= found.distance for d in distances)
    assert found.pairs == len(distances)
    assert found.is_measured == (rate * len(distances) >= 1)


@given(COUNTS, st.integers(-1, 12))
def test_within_counts_what_is_within(counts: list[int], distance: int) -> None:
    found, distances = retrieval_stats.within(np.array(counts), distance), listed(counts)
    assert (found.found, found.total) == (sum(d <= distance for d in distances), len(distances))
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(
    st.lists(st.integers(0, 2), min_size=3, max_size=3).filter(any), st.lists(st.integers(0, 2), min_size=3, max_size=3)
)
def test_micro_average_precision_is_the_mean_over_all_orders_of_ties(own: list[int], others: list[int]) -> None:
    relevant = [True] * sum(own) + [False] * sum(others)
    expected = with_ties(listed(own) + listed(others), relevant, cutoff=None, ties="expected", denominator="relevant")
    assert retrieval_stats.micro_average_precision(np.array(own), np.array(others)) == pytest.approx(expected)


def test_micro_average_precision_has_its_bounds_and_its_chance() -> None:
    own, others = np.array([50, 0, 0]), np.array([0, 0, 950])
    assert retrieval_stats.micro_average_precision(own, others) == 1
    tied = retrieval_stats.micro_average_precision(np.array([0, 50]), np.array([0, 950]))
    assert tied == pytest.approx(retrieval_stats.micro_chance(50, 950))
    assert retrieval_stats.micro_chance(50, 950) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(("found", "total"), [(0, 50), (1, 50), (25, 50), (49, 50), (50, 50), (3, 1000)])
def test_wilson_bounds_are_where_the_share_is_1_96_deviations_off(found: int, total: int) -> None:
    low, high = retrieval_stats.wilson(found, total)
    for bound in (low, high):
        if 0 < bound < 1:
            deviations = abs(found / total - bound) / math.sqrt(bound * (1 - bound) / total)
            assert deviations == pytest.approx(1.959964, rel=1e-5)
    assert low <= found / total <= high
    assert (low == 0) == (found == 0)
    assert (high == 1) == (found == total)


@pytest.mark.parametrize("found", [0, 1, 7, 60, 2000])
def test_the_bound_of_a_rate_leaves_a_chance_of_5_percent(found: int) -> None:
    mean = retrieval_stats.rate_bound(found, 10**9) * 10**9
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(found + 1))
    assert below == pytest.approx(0.05, rel=1e-6)


def test_no_false_pair_of_few_says_little() -> None:
    found = retrieval_stats.threshold(np.array([0, 0, 124_750]), 1e-6)
    assert (found.distance, found.false, found.is_measured) == (1, 0, False)
    assert found.bound == pytest.approx(3 / 124_750, rel=0.01)
    assert retrieval_stats.threshold(np.array([7, 3]), 1e-3).distance == -1
