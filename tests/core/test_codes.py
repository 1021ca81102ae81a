"""Packing round-trips with a fixed bit order, and the distance is a metric."""

from __future__ import annotations

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike.core import codes
from lookalike.core.errors import CodeError, ConfigError
from tests.references import bitcount

LENGTHS = st.integers(1, 64).map(lambda width: 8 * width)
BITS = st.tuples(st.integers(0, 5), LENGTHS).flatmap(lambda shape: arrays.arrays(np.bool_, shape))
THREE = st.integers(1, 64).flatmap(lambda width: arrays.arrays(np.uint8, (3, width)))

# Stored codes depend on the bit order: these values must never change.
GOLDEN = {
    "10000000": "80",
    "00000001": "01",
    "1000000000000001": "8001",
    "0100000011110000": "40f0",
    "000000010010001101000101011001111000100110101011" + "1100110111101111": "0123456789abcdef",
}


@given(BITS)
def test_unpacking_undoes_packing(bits_NK: codes.Bits) -> None:
    packed_NW = codes.pack(bits_NK)
    assert packed_NW.dtype == np.uint8
    assert packed_NW.shape == (bits_NK.shape[0], bits_NK.shape[1] // 8)
    again_NK = codes.unpack(packed_NW)
    assert again_NK.dtype == np.bool_
    assert np.array_equal(again_NK, bits_NK)


def test_one_image_and_many_sets_of_them_are_packed_along_the_last_axis() -> None:
    bits_NK = np.arange(2 * 3 * 16).reshape(2, 3, 16) % 5 < 2
    packed = codes.pack(bits_NK)
    assert packed.shape == (2, 3, 2)
    assert np.array_equal(packed[1, 2], codes.pack(bits_NK[1, 2]))
    assert np.array_equal(codes.unpack(packed), bits_NK)
    assert np.array_equal(codes.unpack(packed[1, 2]), bits_NK[1, 2])


@given(THREE)
def test_packing_undoes_unpacking(codes_NW: codes.Codes) -> None:
    assert np.array_equal(codes.pack(codes.unpack(codes_NW)), codes_NW)


@pytest.mark.parametrize(("bits", "hexadecimal"), GOLDEN.items())
def test_first_bit_is_the_most_significant(bits: str, hexadecimal: str) -> None:
    bits_NK = np.array([[digit == "1" for digit in bits]])
    assert codes.to_hex(codes.pack(bits_NK)[0]) == hexadecimal
    assert np.array_equal(codes.unpack(np.frombuffer(bytes.fromhex(hexadecimal), np.uint8)[None]), bits_NK)


@given(THREE)
def test_distance_is_a_metric(codes_NW: codes.Codes) -> None:
    d = codes.hamming(codes_NW, codes_NW)
    assert (np.diag(d) == 0).all()
    assert np.array_equal(d, d.T)
    assert d[0, 2] <= d[0, 1] + d[1, 2]
    for i, j in ((0, 1), (1, 2), (0, 2)):
        assert (d[i, j] == 0) == np.array_equal(codes_NW[i], codes_NW[j])
        assert d[i, j] <= 8 * codes_NW.shape[1]


@given(THREE)
def test_distance_is_the_count_of_differing_bits(codes_NW: codes.Codes) -> None:
    expected = [[bitcount.distance(a, b) for b in codes_NW.tolist()] for a in codes_NW[:2].tolist()]
    found = codes.hamming(codes_NW[:2], codes_NW)
    assert found.tolist() == expected
    assert found.dtype == np.int32


def test_greatest_distance_does_not_overflow() -> None:
    zeros, ones = np.zeros((1, 64), np.uint8), np.full((1, 64), 255, np.uint8)
    assert codes.hamming(zeros, ones).tolist() == [[512]]


def test_no_codes_have_no_distances() -> None:
    assert codes.hamming(np.empty((0, 8), np.uint8), np.empty((3, 8), np.uint8)).shape == (0, 3)


def test_codes_of_different_length_have_no_distance() -> None:
    with pytest.raises(CodeError, match="codes of 64 bits with codes of 16 bits"):
        codes.hamming(np.zeros((1, 8), np.uint8), np.zeros((1, 2), np.uint8))


@pytest.mark.parametrize("bits", [0, 1, 7, 9, 63, 65, 504 + 7, 520, -8])
def test_impossible_numbers_of_bits_are_refused(bits: int) -> None:
    with pytest.raises(ConfigError, match=f"bits is {bits}; a code has 8 to 512 bits, in steps of 8"):
        codes.check_bits(bits)


@pytest.mark.parametrize("bits", range(8, 513, 8))
def test_possible_numbers_of_bits_are_given_back(bits: int) -> None:
    assert codes.check_bits(bits) == bits


def test_packing_refuses_what_fills_no_byte() -> None:
    with pytest.raises(ConfigError, match="bits is 12"):
        codes.pack(np.zeros((1, 12), bool))


def test_a_latent_at_its_threshold_gives_zero() -> None:
    z_NK, theta_K = np.array([[0.5, 0.5, -1.0, np.inf]]), np.array([0.5, 0.25, -2.0, 0.0])
    assert codes.binarize(z_NK, theta_K).tolist() == [[False, True, True, True]]
