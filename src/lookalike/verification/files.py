"""Verdicts on two image files, without a database."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging import thumbnails
from lookalike.imaging.given import source_of
from lookalike.imaging.isolation.decoders import Decoders, Direct, ImageFile, Source
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.spec import ImageSpec
from lookalike.verification import edits, looks
from lookalike.verification.features import Array
from lookalike.verification.verdict import EXACT, SAME_PIXELS, Picture, Verdict

if TYPE_CHECKING:
    from lookalike.verification.edits import Size


class Compared(NamedTuple):
    """The verdict on two files, and their sizes in pixels unless the bytes are equal."""

    verdict: Verdict
    sizes: tuple[Size, Size] | None


def compare(first: Any, second: Any, *, decoders: Decoders | None = None) -> Verdict:
    """The verdict on two images (paths, bytes, and all that `given.source_of` takes): what the second is to the first.

    Images are decoded in this process by default. Raises `ImageError`, naming the file, if one is unreadable. Files
    with the same bytes need not be decodable.
    """
    return examine(source_of(first), source_of(second), decoders or Direct(DecodeLimits())).verdict


def examine(first: Source, second: Source, decoders: Decoders) -> Compared:
    """The verdict on two image files, and their sizes. Raises `ImageError`, naming the file."""
    with ExitStack() as stack:
        one, other = (_File(source, decoders, stack) for source in (first, second))
        if one.image.digest is not None and one.image.digest == other.image.digest:
            return Compared(EXACT, None)
        seen, sizes = (one.seen(), other.seen()), (one.size(), other.size())
        if sizes[0] == sizes[1] and one.has_pixels_of(other):
            return Compared(SAME_PIXELS, None)
        return Compared(edits.with_sizes(looks.verdict(*seen), sizes), sizes)


def shown(source: Source, side: int, decoders: Decoders) -> Array:
    """An image as compared: RGB or RGBA, at most `side` pixels a side. Raises `ImageError`, naming the file."""
    with ExitStack() as stack:
        return _File(source, decoders, stack).frames(side)[0]


class _File:
    """An open image file whose errors name it."""

    def __init__(self, source: Source, decoders: Decoders, stack: ExitStack) -> None:
        self._name = "image" if isinstance(source, bytes) else os.fspath(source)
        try:
            self.image: ImageFile = stack.enter_context(decoders.opened(source))
        except OSError as error:
            raise ImageError(f"{self._name}: {error.strerror or error}") from error

    def frames(self, side: int) -> Sequence[Array]:
        try:
            return self.image.frames(side)
        except ImageError as error:
            raise type(error)(f"{self._name}: {error}") from error

    def seen(self) -> looks.Seen:
        """The image prepared for verification."""
        close, *later = self.frames(looks.CLOSE)
        small = np.asarray(thumbnails.within(Image.fromarray(close), thumbnails.SIDE))
        return looks.Seen([small, *later], lambda: Picture(close))

    def size(self) -> Size:
        decoded = self.image.array(ImageSpec(side=8))
        return decoded.width, decoded.height

    def has_pixels_of(self, other: _File) -> bool:
        """Whether all pixels are the same; False if they cannot be compared completely."""
        with suppress(ImageError):
            return self.image.pixel_digest() == other.image.pixel_digest()
        return False
