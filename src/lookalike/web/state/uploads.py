"""Images from outside, decoded by worker processes (`imaging.isolation`): a bomb or a crash costs one request."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from lookalike.core.errors import ImageError
from lookalike.imaging import evidence
from lookalike.imaging.decode import MAX_PIXELS, Array, ImageSpec
from lookalike.imaging.evidence import Evidence
from lookalike.imaging.isolation.asynchronous import Busy, Workers
from lookalike.imaging.isolation.protocol import Message
from lookalike.web.http.problems import Problem
from lookalike.web.http.settings import Settings


class Decoded(NamedTuple):
    """An image as a model takes it, and what the file said of it."""

    array: Array
    width: int  # pixels, as shown
    height: int
    format: str


class Decoders(Workers):
    """Worker processes that decode images; each method raises `Problem` with the reason if it fails."""

    def __init__(self, settings: Settings, *, on_death: Callable[[str], object] = lambda why: None) -> None:
        super().__init__(settings.workers, memory=settings.memory, seconds=settings.seconds, on_death=on_death)
        self._max_pixels = settings.max_pixels

    async def array(self, file: BinaryIO, spec: ImageSpec) -> Decoded:
        """The array of an encoded image."""
        about, values = await self._answer("array", file, max_pixels=self._max_pixels, spec=asdict(spec))
        array = np.frombuffer(values, np.uint8).reshape(spec.shape)
        return Decoded(array, about["width"], about["height"], about["format"])

    async def thumbnail(self, content: bytes, side: int) -> bytes:
        """A JPEG of an encoded image, at most `side` pixels a side."""
        return (await self._answer("thumbnail", io.BytesIO(content), side=side))[1]

    async def pixels(self, content: bytes) -> bytes:
        """A digest that is equal for images with the same pixels (`decode.pixel_digest`)."""
        return (await self._answer("pixels", io.BytesIO(content)))[1]

    async def evidence(self, content: bytes) -> Evidence:
        """What an encoded image says of its origin."""
        return evidence.unpack(*await self._answer("evidence", io.BytesIO(content)))

    async def _answer(self, task: str, file: BinaryIO, *, max_pixels: int = MAX_PIXELS, **options: Any) -> Message:
        length = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            return await self.ask({"do": task, "max_pixels": max_pixels, **options}, file, length)
        except ImageError as error:
            raise Problem(422, str(error).replace("Raise the cap with --max-pixels", "").rstrip()) from None
        except Busy as error:
            raise Problem(503, f"{error}; ask again", headers={"Retry-After": "2"}) from None
