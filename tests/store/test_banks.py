"""Entries of banks: added once, found by value, and of any number of banks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lookalike.data import Item
from lookalike.store.banks import IMAGE
from lookalike.store.catalog import Catalog
from lookalike.store.records import Filter, IndexOutcome

A, B = b"a" * 16, b"b" * 16


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Three images, two of them with the same bytes."""
    with closing(Catalog(tmp_path / "catalog.sqlite", create=True)) as catalog:
        with catalog.transaction():
            for name, digest in (("1.jpg", A), ("2.jpg", A), ("3.jpg", B)):
                catalog.write(IndexOutcome(item=Item("/photos", name, 1, 1), digest=digest, code=bytes(8)))
        yield catalog


def add(catalog: Catalog, bank: str, *rows: tuple[str, bytes, str]) -> int:
    with catalog.transaction():
        return catalog.entries.add(bank, rows)


def test_an_entry_is_stored_once_in_each_bank(catalog: Catalog) -> None:
    assert add(catalog, "one", (IMAGE, A, ""), ("md5", A, "x.jpg"), (IMAGE, A, "")) == 2
    assert add(catalog, "one", ("md5", A, "another name")) == 0
    assert catalog.integrity.check({}) == []
    assert add(catalog, "two", (IMAGE, A, ""), (IMAGE, B, "")) == 2
    assert catalog.entries.counts() == {"one": {IMAGE: 1, "md5": 1}, "two": {IMAGE: 2}}
    assert [(one.bank, one.kind, one.name) for one in catalog.entries.find("md5", A)] == [("one", "md5", "x.jpg")]
    assert [one.bank for one in catalog.entries.find(IMAGE, A)] == ["one", "two"]


def test_a_bank_is_read_page_by_page(catalog: Catalog) -> None:
    add(catalog, "one", *((("sha1", bytes([number] * 20), str(number))) for number in range(5)))
    first = catalog.entries.page("one", top=3)
    assert [one.name for one in first] == ["0", "1", "2"]
    assert [one.name for one in catalog.entries.page("one", after=first[-1].id)] == ["3", "4"]
    assert catalog.entries.of_ids([first[1].id, 99]) == {first[1].id: first[1]}


def test_a_filter_finds_all_images_with_the_content_of_an_entry(catalog: Catalog) -> None:
    add(catalog, "one", (IMAGE, A, ""), ("md5", B, ""))
    add(catalog, "two", (IMAGE, B, ""))
    found = {
        banks: catalog.passing(Filter(banks=banks)).nonzero()[0].tolist()
        for banks in (("one",), ("two",), ("one", "two"))
    }
    assert found == {("one",): [1, 2], ("two",): [3], ("one", "two"): [1, 2, 3]}


def test_removing_takes_only_from_one_bank_and_damage_is_noticed(catalog: Catalog) -> None:
    for bank in ("one", "two"):
        add(catalog, bank, (IMAGE, A, ""), ("pdq", b"p" * 32, "p"))
    with catalog.transaction():
        assert catalog.entries.remove("one", [(IMAGE, A), (IMAGE, B)]) == 1
    assert catalog.entries.counts() == {"one": {"pdq": 1}, "two": {IMAGE: 1, "pdq": 1}}
    ids, codes_EW = catalog.entries.hashes("pdq", "two", 32)
    assert (len(ids), codes_EW.tobytes()) == (1, b"p" * 32)
    assert catalog.integrity.check({}) == []
    catalog._session.connection.execute("UPDATE entries SET bank = 'three' WHERE bank = 'one'")
    assert catalog.integrity.check({}) != []
