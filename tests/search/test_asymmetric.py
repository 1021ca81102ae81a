"""Asymmetric distances equal their definition in plain Python, and the order is exact."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core.codes import Codes, unpack
from lookalike.core.errors import CodeError
from lookalike.search import asymmetric
from lookalike.search.asymmetric import nearest


def plainly(code_W: Codes, above_K: npt.NDArray[np.float64]) -> float:
    """The sum of |value| over the different bits, with |value| scaled to mean 1."""
    values, bits = above_K.tolist(), unpack(code_W[None])[0].tolist()
    total = sum(map(abs, values)) / len(values)
    return float(sum(abs(one) for one, bit in zip(values, bits, strict=True) if (one > 0) != bool(bit)) / (total or 1))


@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([16, 64, 136]))
def test_the_nearest_of_the_definition(seed: int, top: int, bits: int) -> None:
    random = np.random.default_rng(seed)
    codes_NW = random.integers(0, 256, (40, bits // 8), np.uint8)
    codes_NW[20:] = codes_NW[:20]  # ties
    above_K = random.normal(size=bits)
    found = nearest(codes_NW, above_K, top=top)
    distances = [plainly(code_W, above_K) for code_W in codes_NW]
    assert found.distances == pytest.approx(sorted(distances)[:top], abs=1e-4)
    assert found.distances == pytest.approx([distances[row] for row in found.rows], abs=1e-4)
    assert len(set(found.rows.tolist())) == min(top, 40)
    everything = nearest(codes_NW, above_K, top=100)
    assert everything.rows[:top].tolist() == found.rows.tolist()
    assert sorted(everything.rows.tolist()) == list(range(40))


def test_many_codes_are_examined_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    codes_NW, above_K = random.integers(0, 256, (1000, 2), np.uint8), random.normal(size=16)
    among = random.random(1000) < 0.5
    whole = nearest(codes_NW, above_K, top=25), nearest(codes_NW, above_K, top=25, among=among)
    monkeypatch.setattr(asymmetric, "BLOCK", 7)
    parts = nearest(codes_NW, above_K, top=25), nearest(codes_NW, above_K, top=25, among=among)
    for one, other in zip(whole, parts, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.distances.tolist() == other.distances.tolist()
    assert among[whole[1].rows].all()


def test_the_bits_that_the_query_is_sure_of_count_most() -> None:
    above_K = np.array([8.0] + [1.0] * 8 + [0.1] * 7)
    unsure, sure = np.packbits(above_K > 0), np.packbits(above_K > 0)
    unsure[1] ^= 0b0111_1111  # seven bits near the threshold
    sure[0] ^= 0b1000_0000  # one far from it
    found = nearest(np.stack([sure, unsure]), above_K, top=2)
    assert found.rows.tolist() == [1, 0]
    assert found.distances == pytest.approx([0.7 * 16 / 16.7, 8 * 16 / 16.7])


def test_a_query_that_is_sure_of_nothing_takes_all_bits_alike() -> None:
    codes_NW = np.array([[0, 0], [0xFF, 0]], np.uint8)
    assert nearest(codes_NW, np.zeros(16), top=2).distances.tolist() == [0.0, 8.0]


def test_wrong_values_are_refused() -> None:
    with pytest.raises(CodeError, match="top is 0"):
        nearest(np.zeros((1, 2), np.uint8), np.ones(16), top=0)
    with pytest.raises(CodeError, match="shape"):
        nearest(np.zeros((1, 3), np.uint8), np.ones(16), top=1)
    assert len(nearest(np.zeros((0, 2), np.uint8), np.ones(16), top=3).rows) == 0
