"""What the routes of one server share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from lookalike.database import Database
from lookalike.store.records import Record
from lookalike.web.http.metrics import Metrics
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.http.settings import Settings
from lookalike.web.state.collection import Collection, RevisionCache
from lookalike.web.state.jobs import Done, Jobs, Task, folder_of
from lookalike.web.state.reviews import Reviews
from lookalike.web.state.thumbnails import Thumbnails
from lookalike.web.state.uploads import Decoders

T = TypeVar("T")


@dataclass(frozen=True)
class Server:
    """One server's parts."""

    settings: Settings
    collection: Collection
    decoders: Decoders
    thumbnails: Thumbnails
    jobs: Jobs
    memory: RevisionCache
    reviews: Reviews
    metrics: Metrics

    @classmethod
    def of(cls, database: Database, settings: Settings, reopen: Callable[[], Database]) -> Server:
        """The parts of a server over a database, none of them started."""
        metrics = Metrics()
        decoders = Decoders(settings, on_death=lambda why: metrics.deaths.labels(why).inc())
        collection = Collection(database, reopen=reopen, decoders=decoders)
        thumbnails = Thumbnails(collection, decoders)
        jobs = Jobs(reopen, folder_of(database.path))
        return cls(settings, collection, decoders, thumbnails, jobs, RevisionCache(), Reviews(), metrics)

    async def record(self, database: Database, id_: int) -> Record:
        """The row of an image. Raises `Problem` if there is none."""
        found = await self.collection.run(database.records_of, [id_])
        if id_ not in found:
            raise Problem(404, f"there is no image {id_}")
        return found[id_]

    async def done(self, task: Task) -> Done | JsonResponse:
        """The result of work in the background, or the answer that says how far it is."""
        revision = await self.collection.read(lambda database: database.revision)
        found = await self.collection.run(self.jobs.ask, task, revision)
        if isinstance(found, Done):
            return found
        return JsonResponse({"done": found.done, "total": found.total}, 202, headers={"Retry-After": "1"})

    def decoding(self, decode: Callable[[bytes], Awaitable[T]]) -> Callable[[bytes], T]:
        """A function for other threads that lets the worker processes `decode` an image."""
        loop = asyncio.get_running_loop()

        async def work(content: bytes) -> T:
            return await decode(content)

        return lambda content: asyncio.run_coroutine_threadsafe(work(content), loop).result()


async def _server(request: Request) -> Server:  # not async, it would be called by another thread
    server: Server = request.app.state.server
    return server


Shared = Annotated[Server, Depends(_server)]
