"""Cursors of lists: the position after a page, and the id of its last item, which may have moved or gone since."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.answers import Page
from lookalike.web.api.schemas import LARGEST_ID
from lookalike.web.http.problems import Problem

T = TypeVar("T")
CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,19})")


def position(cursor: str | None, ids: npt.NDArray[np.int64] | Sequence[int]) -> int:
    """Start of the page after a cursor: after the item it names, or, if that is gone, where it was.

    Raises `Problem` for an invalid cursor.
    """
    if cursor is None:
        return 0
    match = CURSOR.fullmatch(cursor)
    if match is None or int(match[2]) > LARGEST_ID:
        raise Problem(422, f"cursor is {cursor[:40]!r}; pass the `next` of the previous page, or none")
    at, last = int(match[1]), int(match[2])
    if 0 < at <= len(ids) and ids[at - 1] == last:
        return at
    places = np.flatnonzero(np.asarray(ids) == last)
    return int(places[0]) + 1 if len(places) else min(max(at - 1, 0), len(ids))


def after(end: int, ids: npt.NDArray[np.int64] | Sequence[int]) -> str | None:
    """The cursor of the page that starts at a position; None at the end."""
    return f"{end}-{ids[end - 1]}" if 0 < end < len(ids) else None


def page(items: Sequence[T], cursor: str | None, limit: int) -> Page[T]:
    """A page of a whole list, whose items never move."""
    places = range(1, len(items) + 1)
    start = position(cursor, places)
    end = min(start + limit, len(items))
    return Page(items=list(items[start:end]), total=len(items), next=after(end, places))
