"""The open database of a server.

A single thread searches, so that only one refills an engine; requests that arrive meanwhile are searched together as
the next batch. Other threads read. A database that was replaced, or indexed again with another model, is reopened; the
old one is closed after its last reader.

Shapes: W bytes a code.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from lookalike.core.codes import Codes
from lookalike.core.errors import LookalikeError
from lookalike.database import Database, Filter, Hit
from lookalike.store.records import Record

if TYPE_CHECKING:
    from lookalike.database.search import QueryImage
    from lookalike.imaging.isolation.decoders import Decoders

T = TypeVar("T")
EVERY = 1.0  # seconds between checks for changes by other processes
READERS = 8  # threads


class SearchRequest(NamedTuple):
    """Options of a search; queries with equal options are searched as a batch."""

    database: Database
    top: int
    radius: int | None
    only: Filter | None


class SearchResult(NamedTuple):
    """Hits of one query, their records, and the number of images searched."""

    hits: list[Hit]
    records: Mapping[int, Record]
    images: int
    unverified: int = 0  # candidates that could not be verified


class Freshness(NamedTuple):
    """Whether searches see the newest codes."""

    images: int
    revision: int
    searched: int  # the revision that searches see
    error: str


class Collection:
    """A database shared by concurrent requests."""

    def __init__(self, database: Database, *, reopen: Callable[[], Database], decoders: Decoders | None = None) -> None:
        self.reopen, self._decoders = reopen, decoders
        self._database = self._decoding(database)
        self._users: Counter[Database] = Counter()
        self._searching = ThreadPoolExecutor(1, thread_name_prefix="lookalike-serve-search")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="lookalike-serve-read")
        self._pending: list[tuple[SearchRequest, Codes, asyncio.Future[SearchResult]]] = []
        self._batch: asyncio.Task[None] | None = None
        self._searched, self._error = -1, ""

    @contextlib.contextmanager
    def use(self) -> Iterator[Database]:
        """The current database, which stays open while it is in use."""
        database = self._database
        self._users[database] += 1
        try:
            yield database
        finally:
            self._users[database] -= 1
            if not self._users[database]:
                del self._users[database]
                if database is not self._database:
                    database.close()

    async def read(self, work: Callable[..., T], *values: Any) -> T:
        """The result of a function of the database and further values, run in another thread."""
        with self.use() as database:
            return await self.run(work, database, *values)

    async def run(self, work: Callable[..., T], *values: Any) -> T:
        """The result of a function, run in a reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, work, *values)

    async def search(self, code_W: Codes, request: SearchRequest) -> SearchResult:
        """The result of searching for one code."""
        future: asyncio.Future[SearchResult] = asyncio.get_running_loop().create_future()
        self._pending.append((request, code_W, future))
        if self._batch is None or self._batch.done():
            self._batch = asyncio.create_task(self._search_pending())
        return await future

    async def search_verified(self, query: QueryImage, request: SearchRequest) -> SearchResult:
        """The result of searching for one image: its codes propose candidates, pixels verify them."""
        database, top = request.database, request.top

        def propose() -> Any:
            return database.propose(query, top=top, radius=request.radius, only=request.only)

        proposed, others = await asyncio.get_running_loop().run_in_executor(self._searching, propose)
        found = await self.run(lambda: database.judge(query, proposed, others, top=top))
        return SearchResult(found.hits, found.records, len(database), found.unverified)

    async def freshness(self) -> Freshness:
        """The number of images, and whether searches see the newest; or an error if the database cannot be read."""
        try:
            images, revision = await self.read(lambda database: (len(database), database.revision))
        except LookalikeError as error:
            return Freshness(0, -1, self._searched, str(error))
        return Freshness(images, revision, self._searched, self._error)

    async def watch(self) -> None:
        """Follow changes by other processes, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def refresh(self) -> None:
        """Reopen the database if it was replaced, and refill the engine before the next search."""
        try:
            with self.use() as database:
                if not await self.run(database.is_current):
                    self._replace(await self.run(self.reopen))
            with self.use() as database:
                revision = await self.run(lambda: database.revision)
                if revision != self._searched:
                    await asyncio.get_running_loop().run_in_executor(self._searching, _warm, database)
                    self._searched = revision
            self._error = ""
        except LookalikeError as error:
            self._error = str(error)

    async def close(self) -> None:
        """Wait for pending work, and close the database."""
        if self._batch is not None:
            await self._batch
        self._searching.shutdown()
        self._reading.shutdown()
        self._database.close()

    def _replace(self, database: Database) -> None:
        """Replace the database while it is in use; its last user closes the old one."""
        self._database, self._searched = self._decoding(database), -1

    def _decoding(self, database: Database) -> Database:
        if self._decoders is not None:
            database.decode_with(self._decoders)
        return database

    async def _search_pending(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            request = self._pending[0][0]
            together = [one for one in self._pending if one[0] == request]
            self._pending = [one for one in self._pending if one[0] != request]
            codes_NW = np.stack([code_W for _, code_W, _ in together])
            try:
                answers: list[Any] = await loop.run_in_executor(self._searching, _search, request, codes_NW)
            except Exception as error:
                answers = [error] * len(together)
            for (_, _, future), answer in zip(together, answers, strict=True):
                if not future.done():  # otherwise the client has disconnected
                    (future.set_exception if isinstance(answer, Exception) else future.set_result)(answer)


def _search(request: SearchRequest, codes_NW: Codes) -> list[SearchResult]:
    database = request.database
    found, records = database.search_records(codes_NW, top=request.top, radius=request.radius, only=request.only)
    count = len(database)
    return [SearchResult(hits, records, count) for hits in found]


def _warm(database: Database) -> None:
    """Search once, which fills the engine, and encode once, which loads the model."""
    database.search_codes(np.zeros((1, database.bits // 8), np.uint8), top=1)
    database.hasher.encode_arrays(np.zeros((1, *database.hasher.spec.shape), np.uint8))


class _Kept(NamedTuple):
    """A cached value, and how long reading it took."""

    database: Database
    revision: int
    value: Any
    at: float  # seconds
    took: float


class RevisionCache:
    """A cache of values read from the whole catalog, valid for one revision.

    While another process indexes, the revision changes constantly, so slow reads are repeated at most a twentieth of
    the time; in between, values are slightly out of date. What this server changed itself is seen at once (`expire`).
    """

    SHARE = 20

    def __init__(
        self, *, most: int = 32, most_bytes: int = 256 << 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._most_bytes, self._clock = most, most_bytes, clock
        self._kept: dict[Any, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, database: Database, key: Any, read: Callable[[Database], T]) -> T:
        """The cached value, or the result of `read`; thread-safe, one thread reads at a time."""
        kept = self._valid(database, key)
        if kept is None:
            with self._lock:
                kept = self._valid(database, key) or self._read(database, key, read)
        value: T = kept.value
        return value

    def expire(self) -> None:
        """Make every value valid for its own revision only."""
        with self._lock:  # a read that began before the change has ended
            self._kept = {key: kept._replace(took=0.0) for key, kept in self._kept.items()}

    def _valid(self, database: Database, key: Any) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or kept.database is not database:
            return None
        holds = kept.revision == database.revision or self._clock() - kept.at < self.SHARE * kept.took
        return kept if holds else None

    def _read(self, database: Database, key: Any, read: Callable[[Database], Any]) -> _Kept:
        began, revision = self._clock(), database.revision
        value = read(database)
        now = self._clock()
        kept = {name: one for name, one in self._kept.items() if name != key}
        kept[key] = _Kept(database, revision, value, now, now - began)
        sizes = [getattr(one.value, "nbytes", 0) for one in kept.values()]
        while len(kept) > 1 and (len(kept) > self._most or sum(sizes) > self._most_bytes):
            del kept[next(iter(kept))]  # the oldest
            del sizes[0]
        self._kept = kept  # atomically, because readers do not lock
        return kept[key]
