"""Single flipped bits, found by the digest that a block of rows should have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lookalike.store.digests import Layout, Value, content_of, literal, row_digest

WIDTHS = (1, 2, 3, 4, 6)  # bytes of SQLite's integers that are shorter than 8
INTEGERS = range(-(2**63), 2**63)

Row = tuple[Value, ...]


def explain(layout: Layout, rows: Sequence[Row], difference: int) -> list[tuple[Row | None, Row | None]]:
    """The row whose digest differs so from what it should be because of one flipped bit, and the right row; or none.

    A digest has 128 bits, so that a wrong row is found by chance in less than one of 10³⁰ catalogs.
    """
    for row in rows:
        wanted = difference ^ row_digest(content_of(layout.table, row))
        for place, value in enumerate(row):
            head = content_of(layout.table, row[:place]) + (b"," if place else b"")
            tail = b"".join(b"," + literal(other) for other in row[place + 1 :])
            for flipped in _flipped(value):
                if row_digest(head + literal(flipped) + tail) == wanted:
                    return [(row, (*row[:place], flipped, *row[place + 1 :]))]
    return []


def _flipped(value: Value) -> Iterator[Value]:
    """What a value is with one other bit."""
    if isinstance(value, int):
        yield from (value ^ (1 << bit) for bit in range(63))
        signs = (value + sign * (1 << 8 * width) for width in (*WIDTHS, 8) for sign in (-1, 1))
        yield from (other for other in signs if other in INTEGERS)
    elif value is not None:
        content = bytearray(value)
        for place in range(len(content)):
            for bit in range(8):
                content[place] ^= 1 << bit
                yield bytes(content)
                content[place] ^= 1 << bit
