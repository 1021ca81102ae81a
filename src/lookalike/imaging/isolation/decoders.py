"""Image decoding for threads, in worker processes or in this process.

`with decoders(...) as chosen, chosen.opened(source) as image:` gives an image with known digest and length that is
decoded on request.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging.decode import Array, Decoded, ImageSpec
from lookalike.imaging.isolation import work
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.isolation.protocol import Head, Message

if TYPE_CHECKING:
    from lookalike.imaging.evidence import Evidence

Source = str | os.PathLike[str] | bytes  # path of an image file, or encoded bytes


class ImageFile:
    """An image that has been read, but not decoded.

    `digest` and `length` (bytes) are None only if even those could not be determined; `error` says why it cannot be
    decoded, if that is known already.
    """

    def __init__(self, about: Head, limits: DecodeLimits, ask: Callable[[Head], Message]) -> None:
        digest = about.get("digest")
        self.digest: bytes | None = None if digest is None else bytes.fromhex(digest)
        self.length: int | None = about.get("bytes")
        self.error: ImageError | None = _error_of(about)
        self._limits, self._ask = limits, ask

    def array(self, spec: ImageSpec, *, with_thumbnail: bool = False) -> Decoded:
        """Array, size and format of the image, and its thumbnail if requested. Raises `ImageError`."""
        about, values = self._answer({"do": "array", "spec": asdict(spec), "with_thumbnail": with_thumbnail})
        size = math.prod(spec.shape)
        array = np.frombuffer(values, np.uint8, size).reshape(spec.shape)
        about = {name: value for name, value in about.items() if name != "length"}
        return Decoded(array=array, thumbnail=values[size:] or None, **about)

    def picture(self, side: int) -> Array:
        """The image for display, (H, W, 3), at most `side` pixels a side. Raises `ImageError`."""
        about, values = self._answer({"do": "picture", "side": side})
        return np.frombuffer(values, np.uint8).reshape(about["shape"])

    def frames(self, side: int) -> list[Array]:
        """The image as verification sees it (`decode.frames`). Raises `ImageError`."""
        about, values = self._answer({"do": "frames", "side": side})
        sizes = [math.prod(shape) for shape in about["shapes"]]
        parts = np.split(np.frombuffer(values, np.uint8), np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, about["shapes"], strict=True)]

    def pixel_digest(self) -> bytes:
        """The digest that only images with the same pixels share (`decode.pixel_digest`). Raises `ImageError`."""
        return self._answer({"do": "pixels"})[1]

    def evidence(self) -> Evidence:
        """Evidence of the image's origin. Raises `ImageError`."""
        from lookalike.imaging import evidence  # needed only to choose a best copy

        return evidence.unpack(*self._answer({"do": "evidence"}))

    def taken(self) -> str:
        """When the image was taken, by its metadata (`evidence.taken`). Raises `ImageError`."""
        return str(self._answer({"do": "taken"})[0]["taken"])

    def thumbnail(self, side: int) -> bytes:
        """A JPEG of the image for display, at most `side` pixels a side. Raises `ImageError`."""
        return self._answer({"do": "thumbnail", "side": side})[1]

    def _answer(self, head: Head) -> Message:
        if self.error is not None:
            raise self.error
        about, content = self._ask({**head, "max_pixels": self._limits.max_pixels})
        if error := _error_of(about):
            raise error
        return about, content


class Decoders(Protocol):
    """Opens images for any number of threads."""

    def opened(self, source: Source) -> AbstractContextManager[ImageFile]:
        """A context manager that yields the image of a source. Raises `OSError` if it is unreadable."""


def array_of(source: Source, spec: ImageSpec, decoders: Decoders) -> Array:
    """The array of an image. Raises `ImageError` or `OSError`."""
    with decoders.opened(source) as image:
        return image.array(spec).array


class Direct:
    """Decodes in this process: faster, but without limits on memory and time."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits

    @contextmanager
    def opened(self, source: Source) -> Iterator[ImageFile]:
        """The image of a source. Raises `OSError` if it is unreadable."""
        session = work.ImageTasks()
        head, content = opening(source, self._limits)
        about, _ = session.answer(head, content)
        yield ImageFile(checked(about), self._limits, session.answer)


def opening(source: Source, limits: DecodeLimits) -> Message:
    """The request that opens an image."""
    if isinstance(source, bytes):
        return {"do": "open"}, source
    return {"do": "open", "path": os.path.abspath(source), "most": limits.file_bytes}, b""


def checked(about: Head) -> Head:
    """The answer to an open request. Raises `OSError` if the file is unreadable."""
    if about.get("unread"):
        raise OSError(about["errno"], about["error"])
    return about


def _error_of(about: Head) -> ImageError | None:
    """The error that an answer reports, if any."""
    if "error" not in about:
        return None
    return (RetryableImageError if about.get("again") else ImageError)(about["error"])
