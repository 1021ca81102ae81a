"""First place and rank under ties, against all orders in plain Python."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.demo import ranking


def oracle(distances: list[int], right: int) -> tuple[Fraction, Fraction]:
    """Share of the orders that sort the distances in which `right` is first, and its mean rank in them."""
    places = [
        order.index(right)
        for order in itertools.permutations(range(len(distances)))
        if [distances[row] for row in order] == sorted(distances)
    ]
    return Fraction(places.count(0), len(places)), Fraction(sum(places), len(places)) + 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.data())
def test_expectation_over_all_orders_of_ties(distances: list[int], drawn: st.DataObject) -> None:
    right = drawn.draw(st.integers(0, len(distances) - 1))
    first, rank = oracle(distances, right)
    distances_1C, right_1 = np.array([distances], np.int32), np.array([right])
    assert ranking.first(distances_1C, right_1)[0] == pytest.approx(float(first))
    assert ranking.rank(distances_1C, right_1)[0] == pytest.approx(float(rank))


def test_constant_distances_give_chance_and_order_does_not_matter() -> None:
    random = np.random.default_rng(0)
    right_Q = random.integers(0, 20, 50)
    assert ranking.first(np.zeros((50, 20), np.int32), right_Q) == pytest.approx(1 / 20)
    distances_QC = random.integers(0, 4, (50, 20)).astype(np.int32)
    order = random.permutation(20)
    moved_Q = np.argsort(order)[right_Q]
    assert (ranking.first(distances_QC, right_Q) == ranking.first(distances_QC[:, order], moved_Q)).all()
