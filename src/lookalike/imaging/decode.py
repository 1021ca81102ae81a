"""Decoding: from a path or bytes to the uint8 array that a model takes.

In this order: the format must be on an allow-list; the pixel count is read from the header and capped before anything
is decoded; a JPEG is decoded at reduced size, and in grey, if no more is needed; of an animation the first frame is
taken; 16-bit and floating-point pixels become 8 bits (`tones`); transparent pixels are composed on white; colours of
other profiles are converted to sRGB (`profiles`); EXIF orientation is applied; borders are cut off if the model wants
that (`borders`); last, the image is resized to the model's square, ignoring its aspect ratio. Every step before the
resize works pixel by pixel, so a rotated file with a matching orientation tag gives the same array.

Shapes: S pixels a side; (S, S) in grey, (S, S, 3) in colour.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.core.limits import MAX_PIXELS as MAX_PIXELS
from lookalike.imaging import borders, files
from lookalike.imaging.formats import profiles
from lookalike.imaging.formats.kinds import HEAD as HEAD
from lookalike.imaging.formats.kinds import recognise as recognise
from lookalike.imaging.formats.profiles import flatten
from lookalike.imaging.opening import Opened, errors_as_one, opened, upright, with_limit
from lookalike.imaging.opening import header as header
from lookalike.imaging.pixels import pixel_digest as pixel_digest
from lookalike.imaging.spec import Array as Array
from lookalike.imaging.spec import ImageSpec as ImageSpec
from lookalike.imaging.spec import Source as Source

LARGER = 3  # a JPEG is decoded at no less than this multiple of the model's side


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as its model takes it, with facts from its file."""

    array: Array
    width: int  # pixels, as shown (after orientation)
    height: int
    format: str
    animated: bool
    damage: str | None = None  # what is wrong with the file, in words


def read(source: Source, spec: ImageSpec = ImageSpec(), *, max_pixels: int = MAX_PIXELS) -> Array:
    """The uint8 array of an image, shaped `spec.shape`.

    Raises `ImageError`, naming the file, if it is unreadable or has more than `max_pixels` pixels.
    """
    if isinstance(source, bytes):
        return decode(source, spec, max_pixels=max_pixels).array
    try:
        return decode(files.read(source), spec, max_pixels=max_pixels).array
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise ImageError(f"{os.fspath(source)}: {getattr(error, 'strerror', None) or error}") from error
    except ImageError as error:
        raise ImageError(f"{os.fspath(source)}: {error}") from error


def decode(data: bytes, spec: ImageSpec, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Array, size and format of an encoded image. Raises `ImageError`; the message does not name the file."""
    return with_limit(max_pixels, lambda: _decode(data, spec))


def thumbnail(data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image for display: RGB, upright, composed on white, at most `side` pixels a side, aspect ratio kept."""
    shown = with_limit(max_pixels, lambda: _shown(data, side))
    shown.thumbnail((side, side))
    return shown


def _decode(data: bytes, spec: ImageSpec) -> Decoded:
    with errors_as_one("cannot be opened"):
        source = opened(data)
    with errors_as_one(f"cannot be decoded as {source.format}"):
        return _reduce(source, spec)


def _shown(data: bytes, side: int) -> Image.Image:
    with errors_as_one():
        source = opened(data)
        source.image.draft("RGB", (side, side))
        return upright(flatten(source.load(), source.image, "RGB"), source.orientation())


def _reduce(source: Opened, spec: ImageSpec) -> Decoded:
    animated = source.is_animated()
    # Decode at three times the side or more: the decoder's own reduction differs from the resize below, and other
    # files of the same picture go through the resize only.
    mode = profiles.mode_to_convert(source.image, spec.mode)
    source.image.draft(mode, (LARGER * spec.side, LARGER * spec.side))
    pixels = flatten(source.load(), source.image, spec.mode)
    orientation = source.orientation()
    width, height = (source.height, source.width) if orientation >= 5 else (source.width, source.height)
    shown = upright(pixels, orientation)
    if spec.trim:
        shown = shown.crop(borders.inside(np.asarray(shown.convert("L"))))
    small = shown.resize((spec.side, spec.side), Image.Resampling[spec.resampling.upper()])
    return Decoded(np.asarray(small), width, height, source.format, animated, source.damage)
