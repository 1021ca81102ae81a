"""Thresholds, recall and µAP against plain counting, and intervals against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.metrics import retrieval_stats
from tests.references.ranking import with_ties

COUNTS = st.lists(st.integers(0, 4), min_size=1, max_size=12)


def listed(counts: list[int]) -> list[int]:
    """The distances in a histogram."""
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


def test_no_false_pair_of_few_says_little() -> None:
    found = retrieval_stats.threshold(np.array([0, 0, 124_750]), 1e-6)
    assert (found.distance, found.false, found.is_measured) == (1, 0, False)
    assert found.bound == pytest.approx(3 / 124_750, rel=0.01)
    assert retrieval_stats.threshold(np.array([7, 3]), 1e-3).distance == -1
