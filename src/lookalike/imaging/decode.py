"""Decoding: from a path or bytes to the uint8 array that a model takes.

In this order: the format must be on an allow-list; the pixel count is read from the header and capped before anything
is decoded; a JPEG is decoded at reduced size, and in grey, if no more is needed; of an animation or document the first
frame with enough detail is taken (`quality`); 16-bit and floating-point pixels become 8 bits (`tones`); transparent
pixels are composed on white; colours of other profiles are converted to sRGB (`profiles`); EXIF orientation is applied;
borders are removed if the model requires it (`borders`); last, the image is resized to the model's square, ignoring its
aspect ratio. Every step before the resize works pixel by pixel, so a rotated file with a matching orientation tag gives
the same array. Thumbnails for verification come from the same decoding, and keep their borders.

Shapes: S pixels a side; (S, S) in grey, (S, S, 3) in colour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.core.limits import MAX_PIXELS as MAX_PIXELS
from lookalike.imaging import borders, files, thumbnails
from lookalike.imaging.formats import containers, profiles, tones
from lookalike.imaging.formats.kinds import HEAD as HEAD
from lookalike.imaging.formats.kinds import STILL
from lookalike.imaging.formats.kinds import recognise as recognise
from lookalike.imaging.formats.profiles import flatten
from lookalike.imaging.opening import Opened, errors_as_one, opened, upright, with_limit
from lookalike.imaging.opening import header as header
from lookalike.imaging.pixels import pixel_digest as pixel_digest
from lookalike.imaging.quality import LOW_INFORMATION, quality
from lookalike.imaging.spec import Array as Array
from lookalike.imaging.spec import ImageSpec as ImageSpec
from lookalike.imaging.spec import Source as Source

LARGER = 3  # a JPEG is decoded at no less than this multiple of the model's side
FRAMES = 60  # frames or pages of a file that are considered
FRAME_PIXELS = 32e6  # decoded at most, in all frames after the first
FRAME_SECONDS = 2.0  # after which no further frame is begun, so that slow ones do not cost the image


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as its model takes it, with facts from its file."""

    array: Array
    width: int  # pixels, as shown (after orientation)
    height: int
    format: str
    animated: bool
    damage: str | None = None  # what is wrong with the file, in words
    thumbnail: bytes | None = None  # packed (`thumbnails`), if it was asked for


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


def decode(data: bytes, spec: ImageSpec, *, max_pixels: int = MAX_PIXELS, with_thumbnail: bool = False) -> Decoded:
    """Array, size and format of an encoded image. Raises `ImageError`; the message does not name the file."""
    return with_limit(max_pixels, lambda: _decode(data, spec, with_thumbnail=with_thumbnail))


def thumbnail(data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image for display: RGB, upright, composed on white, at most `side` pixels a side, aspect ratio kept."""
    shown = with_limit(max_pixels, lambda: _shown(data, side))
    shown.thumbnail((side, side))
    return shown


def frames(data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> list[Array]:
    """What thumbnails show: uint8 (H, W, 3 or 4), up to `side` pixels a side; for an animation, smaller frames follow.

    Raises `ImageError`; the message does not name the file.
    """
    return with_limit(max_pixels, lambda: _frames(data, side))


def _frames(data: bytes, side: int) -> list[Array]:
    with errors_as_one("cannot be opened"):
        source = opened(data)
    with errors_as_one(f"cannot be decoded as {source.format}"):
        return [np.asarray(one) for one in _chosen(source, ImageSpec(side=side // LARGER), side=side)[1]]


def _decode(data: bytes, spec: ImageSpec, *, with_thumbnail: bool) -> Decoded:
    with errors_as_one("cannot be opened"):
        source = opened(data)
    with errors_as_one(f"cannot be decoded as {source.format}"):
        return _reduce(source, spec, with_thumbnail=with_thumbnail)


def _shown(data: bytes, side: int) -> Image.Image:
    with errors_as_one():
        source = opened(data)
        source.image.draft("RGB", (side, side))
        containers.reduce(source.image, data, side)
        return upright(flatten(source.load(), source.image, "RGB"), source.orientation())


def _reduce(source: Opened, spec: ImageSpec, *, with_thumbnail: bool) -> Decoded:
    animated = source.is_animated()
    array, kept = _chosen(source, spec, side=thumbnails.SIDE if with_thumbnail else 0)
    width, height = (source.height, source.width) if source.orientation() >= 5 else (source.width, source.height)
    packed = thumbnails.pack(kept) if kept else None
    return Decoded(array, width, height, source.format, animated, source.damage, packed)


def _chosen(source: Opened, spec: ImageSpec, *, side: int) -> tuple[Array, list[Image.Image]]:
    """The model's array of the first frame that shows enough; with a side in pixels, that frame and some later ones."""
    animated = source.is_animated()
    frame = _first(source, spec, with_colours=side > 0)
    array, later = _array(frame, source, spec), _later(source.image) if animated else iter(())
    kept = [_small(frame, source, side)] if side else []
    if animated and quality(array) < LOW_INFORMATION:
        for frame in later:
            found = _array(frame, source, spec)
            if quality(found) >= LOW_INFORMATION:
                array, kept = found, [_small(frame, source, side)] if side else []
                break
    if side:
        kept += _spread([_small(frame, source, thumbnails.LATER_SIDE) for frame in later])
    return array, kept


def _first(source: Opened, spec: ImageSpec, *, with_colours: bool) -> Image.Image:
    """The pixels of the first frame; YCbCr for a colour JPEG of which both grey and colours are needed."""
    mode = profiles.mode_to_convert(source.image, spec.mode)
    if with_colours and mode == "L":
        mode = "RGB" if _stores_rgb(source.image) else "YCbCr"
    # Decode at three times the side or more: the decoder's own reduction differs from the resize below, and other
    # files of the same picture go through the resize only.
    source.image.draft(mode, (LARGER * spec.side, LARGER * spec.side))
    containers.reduce(source.image, source.data, LARGER * spec.side)
    pixels = source.load()
    source.turned = source.orientation()  # of the file; a later page may have its own tag
    return pixels


def _stores_rgb(image: Image.Image) -> bool:
    """Whether libjpeg takes the components of a JPEG for RGB, which it cannot convert to YCbCr."""
    if "jfif" in image.info:
        return False
    if "adobe" in image.info:
        return image.info.get("adobe_transform") == 0
    return [layer[0] for layer in getattr(image, "layer", ())] == list(b"RGB")


def _array(pixels: Image.Image, source: Opened, spec: ImageSpec) -> Array:
    """The model's array of decoded pixels."""
    if pixels.mode == "YCbCr" and spec.mode == "L" and source.image.format in ("JPEG", "MPO"):
        pixels = pixels.getchannel(0)  # the same values as a decoding in grey gives
    shown = upright(flatten(pixels, source.image, spec.mode), source.orientation())
    if spec.trim:
        shown = shown.crop(borders.inside(np.asarray(shown.convert("L"))))
    return np.asarray(shown.resize((spec.side, spec.side), Image.Resampling[spec.resampling.upper()]))


def _small(pixels: Image.Image, source: Opened, side: int) -> Image.Image:
    small = thumbnails.shown(pixels, source.image, side)
    return upright(small.copy() if small is pixels else small, source.orientation())  # pixels change with the frame


def _later(image: Image.Image) -> Iterator[Image.Image]:
    """The frames or pages after the first, within the limits, up to one that cannot be decoded."""
    left, due = FRAME_PIXELS, time.monotonic() + FRAME_SECONDS
    for number in range(1, FRAMES) if image.format not in STILL else ():
        try:
            image.seek(number)
            left -= image.width * image.height
            if left < 0 or time.monotonic() > due:
                return
            tones.correct(image)
            image.load()
        except Exception:  # a damaged later frame does not spoil the first
            return
        yield image


def _spread(frames: list[Image.Image]) -> list[Image.Image]:
    """The frames at one third, two thirds, and the last."""
    count, parts = len(frames), thumbnails.LATER
    return [frames[at] for at in sorted({-(-count * part // parts) - 1 for part in range(1, parts + 1)}) if count]
