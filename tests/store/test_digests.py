"""Digests follow every way of writing, and reveal changes by other means."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lookalike.core.errors import DatabaseError
from lookalike.data import Item
from lookalike.store import digests, integrity
from lookalike.store.catalog import Catalog
from lookalike.store.migrations import STEPS
from lookalike.store.records import ImportedCode, IndexOutcome

CODE = bytes(range(8))


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.sqlite", create=True)
    yield catalog
    catalog.close()


def are_right(catalog: Catalog) -> bool:
    connection = catalog._session.connection
    return not digests.differing(digests.stored(connection), digests.computed(connection))


def fill(catalog: Catalog, count: int = 3000) -> list[int]:
    with catalog.transaction():
        return [
            catalog.write(
                IndexOutcome(item=Item("/p", f"a/{n}.jpg", 1, 2, "cat"), digest=bytes([n % 256] * 16), code=CODE,
                             kept=n < 3, thumbnail=bytes(9 + n % 5))
            )
            for n in range(count)
        ]  # fmt: skip


def test_a_digest_is_as_documented(catalog: Catalog) -> None:
    fill(catalog, 1)
    whole = digests.stored(catalog._session.connection)
    expected = hashlib.blake2b(b"labels:1,X'2263617422'", digest_size=16).digest()
    assert whole["labels", 0] == whole["labels", -1] == int.from_bytes(expected)


def test_every_way_of_writing_is_followed(catalog: Catalog) -> None:
    ids = fill(catalog)
    assert are_right(catalog)
    blocks = {block for table, block in digests.stored(catalog._session.connection) if table == "images"}
    assert blocks == {-1, 0, 1, 2}
    with catalog.transaction():
        catalog.write(IndexOutcome(item=Item("/p", "b/\udcff'\n.jpg", 7, 8, ("a", "b")), error="x"), row=ids[5])
        catalog.set_label(ids[6], "dog")
        catalog.set_missing(ids[7:2000], missing=True)
        catalog.delete(ids[2000:2500])  # with dependent rows
        catalog.bulk_import("/q", [ImportedCode("t/", f"{n}.jpg", "cat", CODE, 5, None, None) for n in range(1500)])
        catalog.bulk_import("/p", [ImportedCode("a/", "0.jpg", "dog", CODE[::-1], 5, None, None)])
        catalog.forget_originals([bytes(16)])
        catalog.touch()
        catalog.set("key", "one")
        catalog.set("key", "two")
    assert are_right(catalog)
    with catalog.transaction():
        catalog.forget_codes()
        catalog.delete(range(1, 10_000))
    assert are_right(catalog)
    assert catalog.integrity.check({}) == []


def test_what_is_rolled_back_does_not_count(catalog: Catalog) -> None:
    fill(catalog, 10)

    def fail() -> None:
        with catalog.transaction():
            catalog.delete([1, 2])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert are_right(catalog)
    with catalog.transaction():
        catalog.set_label(3, "dog")
    assert are_right(catalog)


def test_writing_does_not_hide_damage(catalog: Catalog) -> None:
    ids = fill(catalog, 10)
    with closing(sqlite3.connect(catalog.path, isolation_level=None)) as other:
        other.execute("UPDATE images SET code = x'00' WHERE id = 4")
    with catalog.transaction():
        for id_ in ids:
            catalog.set_label(id_, "dog")
        catalog.touch()
    assert not are_right(catalog)
    assert [fault.repaired for fault in catalog.integrity.check({})] == [False]


def test_a_new_version_of_the_schema_does_not_hide_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.sqlite"
    with closing(Catalog(path, create=True)) as catalog:
        fill(catalog, 10)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE files SET size = 12345 WHERE id = 4")
    monkeypatch.setattr("lookalike.store.migrations.STEPS", (*STEPS, "ALTER TABLE files ADD COLUMN more INTEGER;"))
    with closing(Catalog(path)) as catalog:
        connection = catalog._session.connection
        differ = digests.differing(digests.stored(connection), digests.computed(connection))
        assert differ == {("files", 0), ("files", -1)}


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -128, 2**40, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("bit", [0, 5, 7, 15, 31, 62])
def test_a_flipped_bit_of_an_integer_is_found(value: int, bit: int) -> None:
    layout = digests.Layout("t", ("id", "value"), frozenset(), "id")
    right, wrong = (1, value), (1, value ^ (1 << bit))
    difference = digests.row_digest(digests.content_of("t", right)) ^ digests.row_digest(digests.content_of("t", wrong))
    assert integrity._flipped_bit(layout, [(7, 7), wrong], difference) == [(wrong, right)]


def test_a_flipped_sign_of_a_short_integer_is_found() -> None:
    layout = digests.Layout("t", ("id", "value"), frozenset(), "id")
    right, wrong = (1, 3), (1, 3 - 256)  # the first bit of one byte
    difference = digests.row_digest(digests.content_of("t", right)) ^ digests.row_digest(digests.content_of("t", wrong))
    assert integrity._flipped_bit(layout, [wrong], difference) == [(wrong, (1, 3 - 256 + 2**8))]
    assert integrity._flipped_bit(layout, [(1, 9)], difference) == []


def test_other_programs_may_read_and_write(catalog: Catalog) -> None:
    fill(catalog, 3)
    with closing(sqlite3.connect(catalog.path, isolation_level=None)) as other:
        other.execute("UPDATE images SET label = NULL")
        assert other.execute("SELECT count(*) FROM images").fetchone() == (3,)
    assert not are_right(catalog)


def test_a_lost_table_is_reported_with_what_to_do(catalog: Catalog) -> None:
    with closing(sqlite3.connect(catalog.path, isolation_level=None)) as other:
        other.execute("DROP TABLE roots")
    with pytest.raises(DatabaseError, match=r"no such table: roots\. .*restore a backup"):
        list(catalog.all_records())
