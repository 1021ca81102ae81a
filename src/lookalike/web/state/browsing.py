"""The collection in an order, page by page.

An order is an array of ids; a cursor says how far a page went in it, and after which image, so that images that come
or go meanwhile neither repeat nor hide others.

Shapes: N images.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.database import Database, Filter
from lookalike.store.records import Record
from lookalike.web.api.schemas import LARGEST_ID, Sort
from lookalike.web.http.problems import Problem
from lookalike.web.state.collection import RevisionCache

Ids = npt.NDArray[np.int64]
CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,19})")


class Slice(NamedTuple):
    """Some images of an order."""

    records: list[Record]
    total: int
    next: str | None


class Order(NamedTuple):
    """Which images, and in which order."""

    sort: Sort = Sort.ID
    seed: int = 0
    label: str | None = None
    below: str | None = None


def page(
    database: Database, memory: RevisionCache, order: Order, *, cursor: str | None = None, start: int = 0, top: int
) -> Slice:
    """The next `top` images behind a cursor, or after `start` of them. Raises `Problem` for a cursor that is none."""
    ids_N = memory.get(database, order, lambda held: sorted_ids(held, order))
    at = min(start, len(ids_N)) if cursor is None else position(ids_N, cursor)
    chosen = ids_N[at : at + top].tolist()
    end = at + len(chosen)
    return Slice(_records(database, chosen), len(ids_N), f"{end}-{chosen[-1]}" if chosen and end < len(ids_N) else None)


def named(database: Database, ids: str, *, start: int, top: int) -> Slice:
    """Images by their numbers, a comma between them; those that there are none of are left out."""
    wanted = [number for number in map(int, ids.split(",")) if number <= LARGEST_ID]
    return Slice(_records(database, wanted[start : start + top]), len(wanted), None)


def sorted_ids(database: Database, order: Order) -> Ids:
    """Ids (N,) of all images, or those that pass, in an order."""
    only = None if order.label is None and order.below is None else Filter(label=order.label, below=order.below)
    passing_N = None if only is None else database.passing(only)
    if order.sort is Sort.NAME:
        ids_N = database.ids_by_name()
        return ids_N if passing_N is None else ids_N[np.isin(ids_N, passing_N)]
    ids_N = np.asarray(database.codes()[0]) if passing_N is None else passing_N
    if order.sort is Sort.NEWEST:
        return ids_N[::-1]
    return ids_N if order.sort is Sort.ID else np.random.default_rng(order.seed).permutation(ids_N)


def _records(database: Database, ids: list[int]) -> list[Record]:
    found = database.records_of(ids)
    return [found[id_] for id_ in ids if id_ in found]  # the others were removed a moment ago


def position(ids_N: Ids, cursor: str) -> int:
    """Where the page behind a cursor begins: behind the image that it names, or, if that is gone, as far as it was."""
    match = CURSOR.fullmatch(cursor)
    if match is None or int(match[2]) > LARGEST_ID:
        raise Problem(422, f"cursor is {cursor[:40]!r}; pass the `next` of the page before, or none")
    at, last = int(match[1]), int(match[2])
    if 0 < at <= len(ids_N) and ids_N[at - 1] == last:
        return at
    found = np.flatnonzero(ids_N == last)
    return int(found[0]) + 1 if len(found) else min(at, len(ids_N))
