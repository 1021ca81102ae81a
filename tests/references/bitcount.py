"""Distance and search in plain Python, one bit at a time: slow, but obviously right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Code = Sequence[int]  # the bytes of a code


def distance(a: Code, b: Code) -> int:
    """Number of different bits."""
    assert len(a) == len(b)
    return sum((int(x) >> bit & 1) != (int(y) >> bit & 1) for x, y in zip(a, b, strict=True) for bit in range(8))


def search(
    codes: Iterable[tuple[int, Code]], query: Code, *, top: int | None, radius: int | None
) -> list[tuple[int, int]]:
    """(row, distance) of the nearest, in ascending order of distance, then of row."""
    found = sorted((distance(code, query), row) for row, code in codes)
    within = [(row, bits) for bits, row in found if radius is None or bits <= radius]
    return within if top is None else within[:top]
