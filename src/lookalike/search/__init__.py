"""Engines: exact search over packed codes by Hamming distance.

Every engine keeps the same promises: hits come nearest first, equal distances by ascending row, and are never
padded; `top` beyond the number of codes gives all of them; a row keeps its number until the engine is made anew. Where
`top` cuts through codes of one distance, an engine may take any of them; a scan takes those of the lowest rows.
Threads may search while another adds or removes: a search that began before may or may not find what came or went.

Shapes: N codes in the engine, Q queries, W bytes a code.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import CodeError
from lookalike.search.hits import Hits, Mask

__all__ = ["Engine", "Hits", "Mask", "check_codes", "check_limits", "check_mask"]


class Engine(Protocol):
    """What an engine must do."""

    bits: int

    def __len__(self) -> int:
        """Number of codes that can be found."""
        ...

    def add(self, codes_NW: Codes) -> npt.NDArray[np.int64]:
        """Take codes in; their rows."""
        ...

    def remove(self, rows: npt.ArrayLike) -> None:
        """Let rows be found no more; the others keep their numbers."""
        ...

    def search(
        self, queries_QW: Codes, *, top: int | None, radius: int | None = None, among: Mask = None
    ) -> list[Hits]:
        """The `top` nearest codes of each query, or all (`top=None`), at distances up to `radius` bits.

        `among` says of each row, also of those that were removed, whether it may be found.
        """
        ...


def check_codes(codes_NW: Codes, bits: int) -> Codes:
    """The codes, contiguous, if they are uint8 of the engine's length. Raises `CodeError`."""
    codes_NW = np.asarray(codes_NW)
    if codes_NW.dtype != np.uint8 or codes_NW.ndim != 2 or codes_NW.shape[1] * 8 != bits:
        raise CodeError(
            f"codes of type {codes_NW.dtype} and shape {codes_NW.shape}; expected uint8 of shape (N, {bits // 8})"
        )
    return np.ascontiguousarray(codes_NW)


def check_limits(top: int | None, radius: int | None) -> None:
    """Raises `CodeError` for a `top` below 1, a negative `radius`, or neither of them."""
    if top is None and radius is None:
        raise CodeError("a search needs top, radius, or both")
    if top is not None and top < 1:
        raise CodeError(f"top is {top}; it must be at least 1")
    if radius is not None and radius < 0:
        raise CodeError(f"radius is {radius} bits; it must be at least 0")


def check_mask(among: Mask, count: int) -> Mask:
    """The mask, contiguous, if it is booleans of that many rows. Raises `CodeError`."""
    if among is None:
        return None
    if among.dtype != bool or among.shape != (count,):
        raise CodeError(f"among is {among.dtype} of shape {among.shape}; expected booleans of shape ({count},)")
    return np.ascontiguousarray(among)
