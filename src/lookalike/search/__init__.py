"""Search engines: exact search over packed codes by Hamming distance.

Every engine guarantees: hits are sorted by distance, then row, and never padded; `top` beyond the number of codes
returns all of them. Where `top` cuts through codes of equal distance, an engine may return any of them; a scan returns
the lowest rows. Several threads may search.

Shapes: N codes in the engine, Q queries, W bytes a code.
"""

from __future__ import annotations

import numpy as np

from lookalike.core.codes import Codes
from lookalike.core.errors import CodeError
from lookalike.search.hits import Hits, Mask

__all__ = ["Hits", "Mask", "check_codes", "check_limits", "check_mask"]


def check_codes(codes_NW: Codes, bits: int) -> Codes:
    """The codes, contiguous, if they are uint8 of the engine's length. Raises `CodeError`."""
    codes_NW = np.asarray(codes_NW)
    if codes_NW.dtype != np.uint8 or codes_NW.ndim != 2 or codes_NW.shape[1] * 8 != bits:
        raise CodeError(
            f"codes have type {codes_NW.dtype} and shape {codes_NW.shape}; expected uint8 of shape (N, {bits // 8})"
        )
    return np.ascontiguousarray(codes_NW)


def check_limits(top: int | None, radius: int | None) -> None:
    """Raise `CodeError` for `top` below 1, a negative `radius`, or neither of them."""
    if top is None and radius is None:
        raise CodeError("a search needs top, radius, or both")
    if top is not None and top < 1:
        raise CodeError(f"top is {top}; it must be at least 1")
    if radius is not None and radius < 0:
        raise CodeError(f"radius is {radius} bits; it must be at least 0")


def check_mask(among: Mask, count: int) -> Mask:
    """The mask, contiguous, if it has one boolean a row. Raises `CodeError`."""
    if among is None:
        return None
    if among.dtype != bool or among.shape != (count,):
        raise CodeError(f"among is {among.dtype} of shape {among.shape}; expected booleans of shape ({count},)")
    return np.ascontiguousarray(among)
