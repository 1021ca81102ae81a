"""Rates of answers, the edits that are tried, and the distance of similar images, against slow oracles.

Shapes: N images, D distances, W bytes a code.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.calibration import rates
from lookalike.imaging.edits.catalogue import EDITS
from lookalike.metrics import intervals
from tests.references import calibration as slow


def test_what_is_suspected_only_raises_the_upper_bound() -> None:
    found = rates.of_trials(1, 1000, suspected=2)
    assert (found.count, found.total, found.suspected, found.value) == (1, 1000, 2, 0.001)
    assert (found.low, found.high) == (intervals.clopper_pearson(1, 1000)[0], intervals.clopper_pearson(3, 1000)[1])
    assert rates.of_trials(0, 0).value == 0


def test_a_rate_of_pairs_has_the_interval_of_its_matches() -> None:
    alone = rates.of_pairs([("a", 1), ("b", 2)], [], queries=1000, images=300)
    assert (alone.count, alone.total) == (2, 300_000)
    assert (alone.low, alone.high) == intervals.clopper_pearson(2, 300_000)
    together = rates.of_pairs([("a", 1), ("a", 2)], [], queries=1000, images=300)
    assert together.high > alone.high
    suspected = rates.of_pairs([], [("a", 1), ("b", 2)], queries=1000, images=300)
    assert (suspected.count, suspected.suspected, suspected.low, suspected.high) == (0, 2, 0, alone.high)
    none = rates.of_pairs([], [], queries=1000, images=300)
    assert (none.low, none.high) == intervals.clopper_pearson(0, 300_000)


@pytest.mark.parametrize(("count", "width"), [(30, 1), (130, 8), (300, 9)])
def test_similar_is_the_distance_of_one_in_a_hundred_pairs(count: int, width: int) -> None:
    codes_NW = np.random.default_rng(count).integers(0, 4, (count, width), np.uint8)
    assert rates.similar(codes_NW, own=5, least=-1) == slow.near(codes_NW.tolist(), rates.SIMILAR)


def test_similar_is_the_models_for_few_images_and_never_below_a_copy() -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (10, 8), np.uint8)
    assert rates.similar(codes_NW, own=5, least=0) == 5
    assert rates.similar(codes_NW, own=5, least=9) == 9


def test_many_copies_do_not_change_what_is_similar() -> None:
    codes_NW = np.random.default_rng(0).integers(0, 256, (100, 8), np.uint8)
    expected = rates.similar(codes_NW, own=5, least=4)
    assert rates.similar(np.repeat(codes_NW, 3, axis=0), own=5, least=4) == expected > 9


@given(st.integers(0, 1000))
def test_each_turn_has_one_edit_of_each_kind(turn: int) -> None:
    chosen = rates.edits(turn)
    assert list(chosen) == list(rates.MIX)
    assert all(one in rates.MIX[kind] for kind, one in chosen.items())


def test_the_mix_names_edits_that_there_are() -> None:
    every = list(itertools.chain.from_iterable(rates.MIX.values()))
    assert all(one.edit in EDITS and one.words for one in every)
    used = {one for turn in range(24) for one in rates.edits(turn).values()}
    assert used == {one for one in every if EDITS[one.edit].is_here}
