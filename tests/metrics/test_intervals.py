"""Intervals against term-by-term sums, and their actual coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.metrics import intervals
from tests.references import calibration as slow

PAIRS = st.lists(st.sampled_from(list(itertools.product(range(12), range(9)))), min_size=1, max_size=30, unique=True)


@pytest.mark.parametrize(("found", "total"), [(0, 50), (1, 50), (25, 50), (49, 50), (50, 50), (3, 1000)])
def test_wilson_bounds_are_where_the_share_is_1_96_deviations_off(found: int, total: int) -> None:
    low, high = intervals.wilson(found, total)
    for bound in (low, high):
        if 0 < bound < 1:
            deviations = abs(found / total - bound) / math.sqrt(bound * (1 - bound) / total)
            assert deviations == pytest.approx(1.959964, rel=1e-5)
    assert low <= found / total <= high
    assert (low == 0) == (found == 0)
    assert (high == 1) == (found == total)


@pytest.mark.parametrize("found", [0, 1, 7, 60, 2000])
def test_the_bound_of_a_rate_leaves_a_chance_of_5_percent(found: int) -> None:
    mean = intervals.rate_bound(found, 10**9) * 10**9
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(found + 1))
    assert below == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("found", "total"), [(0, 20), (1, 20), (19, 20), (20, 20), (95, 100), (150, 200)])
def test_clopper_pearson_bounds_leave_a_fortieth_on_either_side(found: int, total: int) -> None:
    low, high = intervals.clopper_pearson(found, total)
    if found < total:
        assert slow.binomial_at_most(found, total, high) == pytest.approx(0.025, rel=1e-6)
    if found:
        assert 1 - slow.binomial_at_most(found - 1, total, low) == pytest.approx(0.025, rel=1e-6)
    assert (low == 0) == (found == 0)
    assert (high == 1) == (found == total)


@given(PAIRS)
def test_the_design_effect_by_its_definition(pairs: list[tuple[int, int]]) -> None:
    of_query, of_image = (np.bincount(ends).tolist() for ends in zip(*pairs, strict=True))
    found = intervals._design_effect(of_query, of_image, queries=12, images=9)
    assert found == pytest.approx(slow.design_effect(pairs, queries=12, images=9))


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_intervals_hold_the_true_rate_as_often_as_they_say(spread: float) -> None:
    """Images that match many queries, drawn repeatedly: treating pairs as independent would fail here."""
    random, queries, images, share = np.random.default_rng(1), 300, 100, 2e-3
    held = naive = 0
    for _ in range(100):
        pulls = [np.exp(spread * random.standard_normal(count) - spread**2 / 2) for count in (queries, images)]
        matches = random.random((queries, images)) < np.minimum(1, share * np.outer(*pulls))
        counts = matches.sum(axis=1).tolist(), matches.sum(axis=0).tolist()
        low, high = intervals.of_matches(*counts, queries=queries, images=images)
        held += low <= share <= high
        low, high = intervals.clopper_pearson(int(matches.sum()), queries * images)
        naive += low <= share <= high
    assert held >= 90
    assert spread == 0 or naive < held
