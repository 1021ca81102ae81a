"""The open database of a server.

One thread searches, so that an engine is filled anew by one at a time; what asks while it works is searched for
together with the next. Reading goes on in other threads. A database that was replaced, or indexed again with another
model, is opened anew; the old one is closed when nobody reads from it any more.

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
EVERY = 1.0  # seconds between two looks at what other processes have done
READERS = 8  # threads


class SearchRequest(NamedTuple):
    """What a search may find; searches for the same are done together."""

    database: Database
    top: int
    radius: int | None
    only: Filter | None


class SearchResult(NamedTuple):
    """The hits of one query, the rows of the catalog that they stand for, and how many were searched."""

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
    """A database that several requests ask at the same time."""

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
        """The database as it is now; it stays open as long as it is used."""
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
        """What a function of the database, and more values, gives; in another thread."""
        with self.use() as database:
            return await self.run(work, database, *values)

    async def run(self, work: Callable[..., T], *values: Any) -> T:
        """What a function gives, in one of the threads that read."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, work, *values)

    async def search(self, code_W: Codes, request: SearchRequest) -> SearchResult:
        """What is found by one code."""
        future: asyncio.Future[SearchResult] = asyncio.get_running_loop().create_future()
        self._pending.append((request, code_W, future))
        if self._batch is None or self._batch.done():
            self._batch = asyncio.create_task(self._search_pending())
        return await future

    async def search_verified(self, query: QueryImage, request: SearchRequest) -> SearchResult:
        """What is found by one image: its codes propose images, and pixels say what these are."""
        database, top = request.database, request.top

        def propose() -> Any:
            return database.propose(query, top=top, radius=request.radius, only=request.only)

        proposed, others = await asyncio.get_running_loop().run_in_executor(self._searching, propose)
        found = await self.run(lambda: database.judge(query, proposed, others, top=top))
        return SearchResult(found.hits, found.records, len(database), found.unverified)

    async def freshness(self) -> Freshness:
        """Number of images, and whether searches see the newest; an error, if the database cannot be read."""
        try:
            images, revision = await self.read(lambda database: (len(database), database.revision))
        except LookalikeError as error:
            return Freshness(0, -1, self._searched, str(error))
        return Freshness(images, revision, self._searched, self._error)

    async def watch(self) -> None:
        """Follow what other processes do, until this is cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def refresh(self) -> None:
        """Open the database anew if it was replaced, and let searches see what is new before somebody asks."""
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
        """Wait for what is being done, and give the files back."""
        if self._batch is not None:
            await self._batch
        self._searching.shutdown()
        self._reading.shutdown()
        self._database.close()

    def _replace(self, database: Database) -> None:
        """Called while the old one is in use, which closes it in the end."""
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
                if not future.done():  # else whoever asked has gone
                    (future.set_exception if isinstance(answer, Exception) else future.set_result)(answer)


def _search(request: SearchRequest, codes_NW: Codes) -> list[SearchResult]:
    database = request.database
    found, records = database.search_records(codes_NW, top=request.top, radius=request.radius, only=request.only)
    count = len(database)
    return [SearchResult(hits, records, count) for hits in found]


def _warm(database: Database) -> None:
    """One search, which fills the engine, and one image, which loads the model."""
    database.search_codes(np.zeros((1, database.bits // 8), np.uint8), top=1)
    database.hasher.encode_arrays(np.zeros((1, *database.hasher.spec.shape), np.uint8))


class _Kept(NamedTuple):
    """Something that was read from a database, and how long that took."""

    database: Database
    revision: int
    value: Any
    at: float  # seconds
    took: float


class RevisionCache:
    """What is read from the whole catalog, kept while it holds.

    While another process indexes, the codes change all the time. So what takes long is read anew at most a twentieth
    of the time; until then it lacks what is new, and holds what is gone.
    """

    SHARE = 20

    def __init__(
        self, *, most: int = 32, most_bytes: int = 256 << 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._most_bytes, self._clock = most, most_bytes, clock
        self._kept: dict[Any, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, database: Database, key: Any, read: Callable[[Database], T]) -> T:
        """What `read` gives, or has given. Called by threads, of which one reads at a time."""
        kept = self._held(database, key)
        if kept is None:
            with self._lock:
                kept = self._held(database, key) or self._read(database, key, read)
        value: T = kept.value
        return value

    def _held(self, database: Database, key: Any) -> _Kept | None:
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
        self._kept = kept  # at once: others read it without the lock
        return kept[key]
