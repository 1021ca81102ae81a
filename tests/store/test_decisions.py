"""Decisions are permanent, regardless of changes to their images."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.data import Item
from lookalike.store.catalog import Catalog
from lookalike.store.decisions import Decided, Kind
from lookalike.store.records import IndexOutcome

A, B, C = (bytes([number] * 16) for number in range(3))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite", create=True)
    yield opened
    opened.close()


def test_a_decision_comes_back_as_it_was(catalog: Catalog) -> None:
    images = [Decided(B, "/p/\udcff.jpg", 1), Decided(A, "/p/a.jpg", 0), Decided(A, "/p/b.jpg", 0)]
    before = time.time()
    with catalog.transaction():
        made = catalog.decisions.add(Kind.KEEP, images)
    assert catalog.decisions.find(made.id) == catalog.decisions.all()[0]
    found = catalog.decisions.find(made.id)
    assert found is not None
    assert (found.kind, set(found.images)) == (Kind.KEEP, set(images))
    assert int(before) <= found.at <= time.time()


def test_decisions_outlive_their_images(catalog: Catalog) -> None:
    with catalog.transaction():
        id_ = catalog.write(IndexOutcome(item=Item("/p", "a.jpg", 1, 1), digest=A, code=b"12345678"))
        made = catalog.decisions.add(Kind.LATER, [Decided(A, "/p/a.jpg", 0)])
    with catalog.transaction():
        catalog.delete([id_])
    assert [one.id for one in catalog.decisions.all()] == [made.id]


def test_pages_go_from_the_newest_to_the_oldest(catalog: Catalog) -> None:
    with catalog.transaction():
        ids = [catalog.decisions.add(Kind.LATER, [Decided(digest, "x", 0)]).id for digest in (A, B, C)]
    first = catalog.decisions.page(top=2)
    assert [one.id for one in first] == ids[:0:-1]
    assert [one.id for one in catalog.decisions.page(before=first[-1].id, top=2)] == ids[:1]
    assert catalog.decisions.count() == 3


def test_what_is_dropped_is_gone_and_numbers_are_not_used_again(catalog: Catalog) -> None:
    versions = [catalog.decisions.version]
    with catalog.transaction():
        first = catalog.decisions.add(Kind.LATER, [Decided(A, "x", 0)])
    versions.append(catalog.decisions.version)
    with catalog.transaction():
        catalog.decisions.drop([first.id])
    versions.append(catalog.decisions.version)
    assert catalog.decisions.find(first.id) is None
    assert catalog._session.rows("SELECT * FROM decided") == []
    with catalog.transaction():
        assert catalog.decisions.add(Kind.LATER, [Decided(A, "x", 0)]).id > first.id
    versions.append(catalog.decisions.version)
    assert versions == sorted(set(versions))
    assert catalog._session.row("SELECT count(*) FROM decision_changes") == (1,)


def test_all_of_a_transaction_or_nothing(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.transaction():
            catalog.decisions.add(Kind.LATER, [Decided(A, "x", 0)])
            raise RuntimeError

    version = catalog.decisions.version
    with pytest.raises(RuntimeError):
        fail()
    assert (catalog.decisions.all(), catalog.decisions.version) == ([], version)
