"""Collisions and bit usage, on codes with known results."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.core import codes as coding
from lookalike.core.errors import CodeError
from lookalike.metrics.bits import bit_use
from lookalike.metrics.collisions import collisions, expected_repeated


def test_three_readings_of_a_collision() -> None:
    found = collisions(np.array([[1, 0], [1, 0], [1, 0], [2, 0], [3, 0], [3, 0]], np.uint8))
    assert (found.images, found.unique, found.repeated, found.sharing, found.shared, found.largest) == (
        6,
        3,
        3,
        5,
        2,
        3,
    )
    assert found.ratio == pytest.approx(50)


def test_codes_drawn_evenly_collide_as_often_as_expected() -> None:
    rng = np.random.default_rng(0)
    found = [collisions(rng.integers(0, 256, (2000, 2), np.uint8)) for _ in range(20)]
    assert np.mean([one.repeated for one in found]) == pytest.approx(found[0].chance, rel=0.05)
    assert found[0].chance_ratio == pytest.approx(100 * found[0].chance / 2000)


@pytest.mark.parametrize("bits", [8, 16, 32, 64, 512, 1024, 4096])
def test_expected_collisions_keep_their_precision(bits: int) -> None:
    exact = 1000 * 999 / 2 * 2.0**-bits if bits > 30 else 1000 - 2**bits * (1 - (1 - 2.0**-bits) ** 1000)
    assert expected_repeated(1000, bits) == pytest.approx(exact, rel=1e-5)


def test_independent_balanced_bits_are_all_effective_and_copies_are_not() -> None:
    rng = np.random.default_rng(1)
    bits_NK = rng.random((20_000, 32)) < 0.5
    use = bit_use(coding.pack(bits_NK))
    assert use.effective == pytest.approx(32, rel=0.02)
    assert use.correlation < 0.01
    twice = bit_use(coding.pack(np.repeat(bits_NK[:, :16], 2, axis=1)))
    assert twice.effective == pytest.approx(16, rel=0.02)
    distances = coding.hamming(coding.pack(bits_NK[:1000]), coding.pack(bits_NK[1000:2000])) / 32
    daugman = distances.mean() * (1 - distances.mean()) / distances.var()
    assert use.effective == pytest.approx(daugman, rel=0.05)


def test_bits_that_never_change_are_counted_and_harm_nothing() -> None:
    bits_NK = np.zeros((100, 16), bool)
    bits_NK[:30, 3] = True
    use = bit_use(coding.pack(bits_NK))
    assert (use.constant, use.correlation) == (15, 0.0)
    assert use.effective == pytest.approx(1)
    assert use.balance_K[3] == pytest.approx(0.3)
    assert use.worst_balance == 0
    assert bit_use(np.zeros((5, 2), np.uint8)).effective == 0


def test_what_cannot_be_measured_is_one_clear_error() -> None:
    with pytest.raises(CodeError, match="packed codes"):
        collisions(np.zeros((3, 2), np.float32))
    with pytest.raises(CodeError, match="at least one"):
        bit_use(np.zeros((0, 2), np.uint8))


def test_the_worst_balance_is_that_furthest_from_a_half() -> None:
    bits_NK = np.zeros((100, 8), bool)
    for bit, ones in enumerate((50, 10, 97, 60, 40, 50, 50, 50)):
        bits_NK[:ones, bit] = True
    assert bit_use(coding.pack(bits_NK)).worst_balance == pytest.approx(0.97)
