"""Thresholds against plain counting, and shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.metrics import retrieval_stats

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


def test_the_interval_of_a_share_holds_it() -> None:
    for found, total in ((0, 0), (0, 9), (3, 9), (9, 9)):
        share = retrieval_stats.share(found, total)
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_no_false_pair_of_few_says_little() -> None:
    found = retrieval_stats.threshold(np.array([0, 0, 124_750]), 1e-6)
    assert (found.distance, found.false, found.is_measured) == (1, 0, False)
    assert found.bound == pytest.approx(3 / 124_750, rel=0.01)
    assert retrieval_stats.threshold(np.array([7, 3]), 1e-3).distance == -1
