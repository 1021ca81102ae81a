"""What the routes of one server share."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from lookalike.imaging.decode import MAX_PIXELS, Array, ImageSpec
from lookalike.imaging.evidence import Evidence
from lookalike.opening import AnyDatabase
from lookalike.store.catalog import Record
from lookalike.web.http.metrics import Metrics
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.http.settings import Settings
from lookalike.web.state.collection import Collection, Memory
from lookalike.web.state.jobs import Done, Jobs, Work
from lookalike.web.state.reviews import Reviews
from lookalike.web.state.thumbnails import Thumbnails
from lookalike.web.state.uploads import Decoders


@dataclass(frozen=True)
class Server:
    """One server's parts."""

    settings: Settings
    collection: Collection
    decoders: Decoders
    thumbnails: Thumbnails
    jobs: Jobs
    memory: Memory
    reviews: Reviews
    metrics: Metrics

    @classmethod
    def of(cls, database: AnyDatabase, settings: Settings, reopen: Callable[[], AnyDatabase]) -> Server:
        """The parts of a server over a database, none of them started."""
        metrics = Metrics()
        collection = Collection(database, reopen=reopen)
        decoders = Decoders(settings, on_death=lambda why: metrics.deaths.labels(why).inc())
        thumbnails = Thumbnails(collection, decoders)
        return cls(settings, collection, decoders, thumbnails, Jobs(reopen), Memory(), Reviews(), metrics)

    async def record(self, database: AnyDatabase, id_: int) -> Record:
        """The row of an image. Raises `Problem` if there is none."""
        found = await self.collection.run(database.records_of, [id_])
        if id_ not in found:
            raise Problem(404, f"there is no image {id_}")
        return found[id_]

    async def done(self, key: Any, work: Work) -> Done | JsonResponse:
        """The result of work in the background, or the answer that says how far it is."""
        revision = await self.collection.read(lambda database: database.revision)
        found = self.jobs.ask(key, revision, work)
        if isinstance(found, Done):
            return found
        return JsonResponse({"done": found.done, "total": found.total}, 202, headers={"Retry-After": "1"})

    def decoder(self) -> Callable[[bytes, ImageSpec], Array]:
        """A function for other threads that lets the processes decode an image."""
        loop = asyncio.get_running_loop()

        def decode(content: bytes, spec: ImageSpec) -> Array:
            work = self.decoders.array(io.BytesIO(content), len(content), spec)
            return asyncio.run_coroutine_threadsafe(work, loop).result().array

        return decode

    def pixel_reader(self) -> Callable[[bytes], bytes]:
        """A function for other threads that lets the processes tell what is the same for the same pixels."""
        loop = asyncio.get_running_loop()

        def read(content: bytes) -> bytes:
            work = self.decoders.pixels(io.BytesIO(content), len(content), max_pixels=MAX_PIXELS)
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        return read

    def inspector(self) -> Callable[[bytes], Evidence]:
        """A function for other threads that lets the processes tell what an image says of where it comes from."""
        loop = asyncio.get_running_loop()

        def inspect(content: bytes) -> Evidence:
            work = self.decoders.evidence(io.BytesIO(content), len(content), max_pixels=MAX_PIXELS)
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        return inspect


async def _server(request: Request) -> Server:  # not async, it would be called by another thread
    server: Server = request.app.state.server
    return server


Shared = Annotated[Server, Depends(_server)]
