"""Uploaded images, decoded in worker processes (`imaging.isolation`): a bomb or crash fails only one request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple, TypeVar

from lookalike.core.errors import ImageError, Interrupted
from lookalike.imaging.decode import MAX_PIXELS, Array, Decoded, ImageSpec
from lookalike.imaging.evidence import Evidence
from lookalike.imaging.isolation.decoders import ImageFile, Source
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.isolation.pool import Pool
from lookalike.web.http.problems import Problem
from lookalike.web.http.settings import Settings
from lookalike.web.state.surveys import in_words

PATIENCE = 20.0  # seconds that a request waits for a worker
MAX_WAITING = 256  # requests

T = TypeVar("T")


class DecodedUpload(NamedTuple):
    """An uploaded image, decoded."""

    decoded: Decoded
    frames: list[Array]
    digest: bytes | None


_HINT = re.compile(r"[ .]*(Raise|Allow)[^.]* --max-pixels.*", re.DOTALL)  # for the command line


class UploadDecoders:
    """Worker processes that decode images; each method raises `Problem` with the reason if it fails.

    Requests that wait for a worker hold no images in memory.
    """

    def __init__(self, settings: Settings, *, on_death: Callable[[str], object] = lambda why: None) -> None:
        self._settings, self._on_death = settings, on_death
        self._free = asyncio.Semaphore(settings.workers)
        self._waiting = 0

    async def start(self) -> None:
        """Start the processes, and wait until they are ready."""
        settings = self._settings
        limits = DecodeLimits(max_pixels=MAX_PIXELS, memory=settings.memory, seconds=settings.seconds)
        self._threads = ThreadPoolExecutor(settings.workers, "lookalike-decode")
        self._pool = Pool(limits, workers=settings.workers, on_death=self._on_death)
        await asyncio.to_thread(self._pool.wait)

    async def stop(self) -> None:
        """End the processes."""
        await asyncio.to_thread(self._pool.close)
        self._threads.shutdown()

    @property
    def alive(self) -> int:
        """The number of processes."""
        return self._pool.alive

    def opened(self, source: Source) -> AbstractContextManager[ImageFile]:
        """An image for verification, in the calling thread; waits for a free process."""
        return self._pool.opened(source)

    async def decode(self, file: BinaryIO, spec: ImageSpec, side: int) -> DecodedUpload:
        """An image decoded for a model, and for verification at up to `side` pixels a side."""

        def content() -> bytes:
            file.seek(0)
            return file.read()

        def look(image: ImageFile) -> DecodedUpload:
            return DecodedUpload(image.array(spec), image.frames(side) if side else [], image.digest)

        return await self._ask(content, look, self._settings.max_pixels)

    async def thumbnail(self, content: bytes, side: int, max_pixels: int | None = None) -> bytes:
        """A JPEG of an encoded image, at most `side` pixels a side."""
        return await self._ask(lambda: content, lambda image: image.thumbnail(side), max_pixels)

    async def picture(self, content: bytes, side: int) -> Array:
        """An encoded image, (H, W, 3), at most `side` pixels a side."""
        return await self._ask(lambda: content, lambda image: image.picture(side), self._settings.max_pixels)

    async def pixels(self, content: bytes) -> bytes:
        """A digest that is equal for images with the same pixels (`decode.pixel_digest`)."""
        return await self._ask(lambda: content, ImageFile.pixel_digest)

    async def evidence(self, content: bytes) -> Evidence:
        """Evidence of an image's origin."""
        return await self._ask(lambda: content, ImageFile.evidence)

    async def _ask(
        self, content: Callable[[], bytes], question: Callable[[ImageFile], T], max_pixels: int | None = None
    ) -> T:
        def work() -> T:
            with self._pool.opened(content(), max_pixels=max_pixels) as image:
                return question(image)

        await self._wait()
        loop, future = asyncio.get_running_loop(), self._threads.submit(work)
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._free.release))  # also after a disconnect
        try:
            return await asyncio.wrap_future(future)
        except ImageError as error:
            raise Problem(422, in_words(_HINT.sub("", str(error)))) from None
        except Interrupted:
            raise Problem(503, "the server is stopping", headers={"Retry-After": "2"}) from None

    async def _wait(self) -> None:
        """Wait until a worker is free."""
        if self._waiting >= MAX_WAITING:
            raise _busy()
        self._waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), PATIENCE)
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1


def _busy() -> Problem:
    return Problem(503, "too many images are waiting to be decoded; ask again", headers={"Retry-After": "2"})
