"""Filters: each condition by itself, and all of them together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike.data import Item, Label
from lookalike.store import filters
from lookalike.store.catalog import Catalog
from lookalike.store.records import Filter, IndexOutcome

CODE = bytes(8)
ROWS: list[tuple[str, Label, int]] = [  # path, label and time of insertion; ids from 1 on
    ("a/1.jpg", "cat", 100), ("a/2.jpg", ("cat", "dog"), 100), ("b/3.jpg", "dog", 200), ("b/4.jpg", None, 200),
    ("b/5.jpg", ("cat's", 'a "cat"'), 300), ("b/6.jpg", ("catfish",), 400), ("a/7.jpg", ("bird", "cat"), 400),
]  # fmt: skip


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A catalog of images inserted at four times; the first of them was read again at the last."""
    catalog = Catalog(tmp_path / "catalog.sqlite", create=True)
    for path, label, at in [*ROWS, ("a/1.jpg", "cat", 400)]:
        monkeypatch.setattr(time, "time", lambda at=at: at + 0.5)
        with catalog.transaction():
            known = catalog.find(f"/photos/{path}")
            outcome = IndexOutcome(item=Item("/photos", path, 1, 1, label), digest=path.encode() * 3, code=CODE)
            catalog.write(outcome, row=None if known is None else known.id)
    yield catalog
    catalog.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7]),
        ({"label": "cat"}, [1, 2, 7]),
        ({"label": "dog"}, [2, 3]),
        ({"label": "bird"}, [7]),
        ({"label": "cat's"}, [5]),
        ({"label": 'a "cat"'}, [5]),
        ({"label": "catfish"}, [6]),
        ({"label": "fish"}, []),
        ({"label": ""}, []),
        ({"since": 0}, [1, 2, 3, 4, 5, 6, 7]),
        ({"since": 100.9}, [1, 2, 3, 4, 5, 6, 7]),
        ({"since": 101}, [1, 3, 4, 5, 6, 7]),
        ({"since": 200}, [1, 3, 4, 5, 6, 7]),
        ({"since": 301}, [1, 6, 7]),
        ({"since": 401}, []),
        ({"below": "/photos/b"}, [3, 4, 5, 6]),
        ({"below": "/photos"}, [1, 2, 3, 4, 5, 6, 7]),
        ({"below": "/other"}, []),
        ({"label": "cat", "since": 101}, [1, 7]),
        ({"label": "dog", "below": "/photos/a"}, [2]),
        ({"label": "cat", "since": 300, "below": "/photos/a"}, [1, 7]),
        ({"since": 200, "below": "/photos/b/3.jpg"}, [3]),
    ],
)
def test_all_that_is_given_must_hold(wanted: dict[str, Any], expected: list[int], catalog: Catalog) -> None:
    found = catalog.passing(Filter(**wanted))
    assert found.dtype == bool
    assert len(found) == 8  # from 0 on
    assert [id_ for id_ in np.flatnonzero(found).tolist() if id_] == expected


def test_below_is_taken_from_where_one_is(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert np.flatnonzero(catalog.passing(Filter(below="photos/a/../b"))).tolist() == [3, 4, 5, 6]


def test_images_that_came_in_a_moment_ago_are_passed_over(catalog: Catalog) -> None:
    for count in range(1, 9):
        passes_I = np.zeros(count, bool)
        filters._mark(catalog._session, passes_I, "SELECT id FROM images", ())
        assert passes_I.tolist() == [False, *[True] * (count - 1)]


def test_nothing_passes_where_nothing_is(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "empty.sqlite", create=True)
    for wanted in (Filter(), Filter(label="a"), Filter(since=1), Filter(below="/")):
        assert not catalog.passing(wanted)[1:].any()
        assert len(catalog.passing(wanted)) == 1
    catalog.close()
