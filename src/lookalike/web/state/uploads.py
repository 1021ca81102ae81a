"""Images from outside, decoded by worker processes (`imaging.isolation`): a bomb or a crash costs one request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO, NamedTuple

import numpy as np

from lookalike.core.errors import ImageError
from lookalike.imaging import evidence
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.imaging.evidence import Evidence
from lookalike.imaging.isolation.asynchronous import Busy, Workers
from lookalike.imaging.isolation.protocol import Head, Message
from lookalike.web.http.problems import Problem
from lookalike.web.http.settings import Settings


class Decoded(NamedTuple):
    """An image as a model takes it, and what the file said of it."""

    array: Array
    width: int  # pixels, as shown
    height: int
    format: str


class Decoders(Workers):
    """The workers of a server."""

    def __init__(self, settings: Settings, *, on_death: Callable[[str], object] = lambda why: None) -> None:
        super().__init__(settings.workers, memory=settings.memory, seconds=settings.seconds, on_death=on_death)
        self._max_pixels = settings.max_pixels

    async def array(self, content: BinaryIO, length: int, spec: ImageSpec) -> Decoded:
        """The array of an encoded image. Raises `Problem` with the reason why there is none."""
        head = {"do": "array", "spec": asdict(spec), "max_pixels": self._max_pixels}
        about, values = await self._answer(head, content, length)
        array = np.frombuffer(values, np.uint8).reshape(spec.shape)
        return Decoded(array, about["width"], about["height"], about["format"])

    async def thumbnail(self, content: BinaryIO, length: int, side: int, *, max_pixels: int) -> bytes:
        """A JPEG of an encoded image, at most `side` pixels a side. Raises `Problem` if there is none."""
        head = {"do": "thumbnail", "side": side, "max_pixels": max_pixels}
        return (await self._answer(head, content, length))[1]

    async def pixels(self, content: BinaryIO, length: int, *, max_pixels: int) -> bytes:
        """What is the same for images of the same pixels (`decode.pixel_digest`). Raises `Problem` if there is none."""
        return (await self._answer({"do": "pixels", "max_pixels": max_pixels}, content, length))[1]

    async def evidence(self, content: BinaryIO, length: int, *, max_pixels: int) -> Evidence:
        """What an image tells of where it comes from. Raises `Problem` if it cannot be decoded."""
        return evidence.unpack(*await self._answer({"do": "evidence", "max_pixels": max_pixels}, content, length))

    async def _answer(self, head: Head, content: BinaryIO, length: int) -> Message:
        try:
            return await self.ask(head, content, length)
        except ImageError as error:
            raise Problem(422, str(error).replace("Raise the cap with --max-pixels", "").rstrip()) from None
        except Busy as error:
            raise Problem(503, f"{error}; ask again", headers={"Retry-After": "2"}) from None
