"""One database with concurrent requests: caching, closing, and background work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from lookalike.core.errors import DatabaseError
from lookalike.database import Database
from lookalike.web.state.collection import Collection, RevisionCache, SearchRequest


@pytest.fixture
def database(photo_db: Path) -> Any:
    with Database.open(photo_db) as opened:
        yield opened


def test_searches_at_the_same_time_are_made_together(photo_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    search = Database.search_records

    def counted(self: Database, codes_NW: Any, **named: Any) -> Any:
        sizes.append(len(codes_NW))
        return search(self, codes_NW, **named)

    async def ask() -> list[Any]:
        collection = Collection(Database.open(photo_db), reopen=lambda: Database.open(photo_db))
        with collection.use() as database:
            codes_NW = np.asarray(database.codes()[1])
            wanted, other = SearchRequest(database, 3, None, None), SearchRequest(database, 5, None, None)
            asked = [collection.search(code, wanted) for code in codes_NW] + [collection.search(codes_NW[0], other)]
            found = await asyncio.gather(*asked)
        await collection.close()
        return found

    monkeypatch.setattr(Database, "search_records", counted)
    found = asyncio.run(ask())
    assert sizes == [40, 1]
    assert [len(one.hits) for one in found] == [3] * 40 + [5]
    assert all(one.hits[0].distance == 0 for one in found)
    assert {one.images for one in found} == {40}


def test_an_error_of_a_search_reaches_all_who_asked(photo_db: Path) -> None:
    async def ask() -> list[Any]:
        collection = Collection(Database.open(photo_db), reopen=lambda: Database.open(photo_db))
        with collection.use() as database:
            wanted = SearchRequest(database, 3, None, None)
            asked = [collection.search(np.zeros(9, np.uint8), wanted) for _ in range(3)]  # of another length
            found = await asyncio.gather(*asked, return_exceptions=True)
            found.append(await collection.search(np.zeros(8, np.uint8), wanted))
        await collection.close()
        return found

    *errors, last = asyncio.run(ask())
    assert all(isinstance(error, Exception) for error in errors)
    assert len(last.hits) == 3


def test_a_replaced_database_is_closed_after_its_last_user(photo_db: Path) -> None:
    async def run() -> None:
        first, second = Database.open(photo_db), Database.open(photo_db)
        collection = Collection(first, reopen=lambda: second)
        with collection.use() as used:
            with collection.use():
                collection._replace(second)
            assert used is first
            assert len(first) == 40  # still open
        with pytest.raises(DatabaseError, match="closed"):
            _ = first.revision
        with collection.use() as used:
            assert used is second
        await collection.close()

    asyncio.run(run())


def test_what_takes_long_is_not_read_at_every_change(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    revision, now = database.revision, 0

    def slow(held: object) -> int:
        nonlocal now
        reads.append(1)
        now += 1
        return len(reads)

    memory = RevisionCache(most=2, clock=lambda: now)
    assert [memory.get(database, "a", slow) for _ in range(3)] == [1, 1, 1]
    monkeypatch.setattr(Database, "revision", property(lambda self: revision + len(reads)))
    assert memory.get(database, "a", slow) == 1  # a moment ago is soon enough
    now += RevisionCache.SHARE
    assert memory.get(database, "a", slow) == 2
    memory.expire()  # after a change by this server
    assert memory.get(database, "a", slow) == 3
    for key in "bcd":
        memory.get(database, key, slow)
    assert len(memory._kept) == 2
    small = RevisionCache(most_bytes=1000)
    for size in (100, 700, 900, 2000):
        assert len(small.get(database, size, lambda held, size=size: np.zeros(size, np.uint8))) == size  # type: ignore[misc]
    assert list(small._kept) == [2000]
