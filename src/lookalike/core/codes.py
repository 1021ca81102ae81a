"""Conversion between latents, bits and packed codes, and the Hamming distance. NumPy only.

Shapes: N, M images, K bits, W = K/8 bytes. A code's first bit is the most significant bit of its first byte,
as `numpy.packbits` has it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import CodeError, ConfigError

Bits = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

BIT_ORDER: Literal["big"] = "big"  # numpy.packbits' default: most significant bit first
MIN_BITS, MAX_BITS = 8, 512


def check_bits(bits: int) -> int:
    """`bits`, if it is a valid code length. Raises `ConfigError`."""
    if bits % 8 or not MIN_BITS <= bits <= MAX_BITS:
        raise ConfigError(f"bits is {bits}; a code has {MIN_BITS} to {MAX_BITS} bits, in steps of 8")
    return bits


def check_radius(radius: int | None, bits: int) -> None:
    """Raise `CodeError` for a radius above the length of the codes."""
    if radius is not None and radius > bits:
        raise CodeError(f"radius is {radius}; codes of {bits} bits differ in at most {bits}")


def binarize(z_NK: Floats, theta_K: Floats) -> Bits:
    """Bits (N, K): one where the latent exceeds its threshold (Kim et al., section III: h = 1 if z > θ).

    >>> binarize(np.array([[0.2, 0.5]]), np.array([0.1, 0.5])).tolist()
    [[True, False]]
    """
    return np.asarray(z_NK > theta_K)


def pack(bits_NK: Bits) -> Codes:
    """Codes (N, K/8) of bits (N, K).

    >>> pack(np.array([[1, 0, 0, 0, 0, 0, 0, 1]], bool)).tolist()
    [[129]]
    """
    check_bits(bits_NK.shape[-1])
    return np.packbits(bits_NK, axis=-1, bitorder=BIT_ORDER)


def unpack(codes_NW: Codes) -> Bits:
    """Bits (N, 8·W) of codes (N, W)."""
    return np.unpackbits(codes_NW, axis=-1, bitorder=BIT_ORDER).astype(bool)


def hamming(a_NW: Codes, b_MW: Codes) -> npt.NDArray[np.int32]:
    """Hamming distances (N, M) in bits. Needs memory for several such arrays: pass blocks, not whole collections.

    >>> hamming(np.array([[255]], np.uint8), np.array([[254], [0]], np.uint8)).tolist()
    [[1, 8]]
    """
    if a_NW.shape[-1] != b_MW.shape[-1]:
        raise CodeError(f"cannot compare codes of {a_NW.shape[-1] * 8} bits with codes of {b_MW.shape[-1] * 8} bits")
    distances_NM = np.zeros((len(a_NW), len(b_MW)), np.int32)
    for a_N, b_M in zip(words(a_NW), words(b_MW), strict=True):
        distances_NM += np.bitwise_count(a_N[:, None] ^ b_M[None])
    return distances_NM


def words(bytes_NW: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Rows of bytes as words of 64 bits, (W/8, N), filled up with zeros."""
    padded = np.ascontiguousarray(np.pad(bytes_NW, ((0, 0), (0, -bytes_NW.shape[1] % 8))))
    return np.ascontiguousarray(padded.view(np.uint64).T)


def to_hex(code_W: Codes) -> str:
    """A code as hexadecimal digits, first bit first.

    >>> to_hex(np.array([129, 2], np.uint8))
    '8102'
    """
    return bytes(code_W).hex()
