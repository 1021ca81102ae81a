"""State shared by a server's routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from lookalike.database import Database
from lookalike.store.records import Record
from lookalike.web.http.metrics import Metrics
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.http.settings import Settings
from lookalike.web.state.collection import Collection, RevisionCache
from lookalike.web.state.jobs import Done, Job, Jobs, folder_of
from lookalike.web.state.reviews import Reviews
from lookalike.web.state.surveys import Dates
from lookalike.web.state.tasks import Tasks
from lookalike.web.state.thumbnails import Thumbnails
from lookalike.web.state.uploads import UploadDecoders

T = TypeVar("T")
READ_ONLY = "this server is read-only; to change something, restart it with --write"


@dataclass(frozen=True)
class Server:
    """A server's components."""

    settings: Settings
    collection: Collection
    decoders: UploadDecoders
    thumbnails: Thumbnails
    jobs: Jobs
    memory: RevisionCache
    reviews: Reviews
    metrics: Metrics
    tasks: Tasks
    dates: Dates

    @classmethod
    def of(cls, database: Database, settings: Settings, reopen: Callable[[], Database]) -> Server:
        """The components for a database, not yet started."""
        metrics = Metrics()
        decoders = UploadDecoders(settings, on_death=lambda why: metrics.deaths.labels(why).inc())
        collection = Collection(database, reopen=reopen, decoders=decoders)
        thumbnails = Thumbnails(collection, decoders)
        folder = folder_of(database.path)
        jobs, tasks = Jobs(reopen, folder), Tasks(reopen, folder)
        return cls(
            settings,
            collection,
            decoders,
            thumbnails,
            jobs,
            RevisionCache(),
            Reviews(),
            metrics,
            tasks,
            Dates(lambda: decoders),
        )

    async def record(self, database: Database, id_: int) -> Record:
        """An image's record. Raises `Problem` if there is none."""
        found = await self.collection.run(database.records_of, [id_])
        if id_ not in found:
            raise Problem(404, f"there is no image {id_}")
        return found[id_]

    async def change(self, work: Callable[..., T], *values: Any) -> T:
        """The result of a function that changes the database; later requests see the change."""
        try:
            return await self.collection.read(work, *values)
        finally:
            await self.collection.run(self.memory.expire)

    async def done(self, job: Job) -> Done | JsonResponse:
        """The result of a background job, or a response with its progress."""
        revision = await self.collection.read(lambda database: database.revision)
        found = await self.collection.run(self.jobs.ask, job, revision)
        if isinstance(found, Done):
            return found
        return JsonResponse({"done": found.done, "total": found.total}, 202, headers={"Retry-After": "1"})

    def decoding(self, decode: Callable[[bytes], Awaitable[T]]) -> Callable[[bytes], T]:
        """A function for other threads that decodes an image in the worker processes."""
        loop = asyncio.get_running_loop()

        async def work(content: bytes) -> T:
            return await decode(content)

        return lambda content: asyncio.run_coroutine_threadsafe(work(content), loop).result()


async def _server(request: Request) -> Server:  # not async, it would be called by another thread
    server: Server = request.app.state.server
    return server


Shared = Annotated[Server, Depends(_server)]


async def _writable(server: Shared) -> Server:
    """The server, if it may write. Raises `Problem`."""
    if not server.settings.write:
        raise Problem(403, READ_ONLY)
    return server


Writable = Annotated[Server, Depends(_writable)]
