"""Thumbnails that a database keeps, so that pictures can be verified while their files are out of reach.

All thumbnails of an image take at most `BYTES` together. Of a still there is one, of at most `SIDE` pixels a side. Of
an animation, or a document of several pages, there are up to `LATER` more, of at most `LATER_SIDE` pixels. They are
upright, in sRGB, with transparency where some of a picture is transparent, and never enlarged.

Format: the version (1 byte), the number of thumbnails (1 byte), the length of each (2 bytes, most significant first),
then the thumbnails, each a WebP file.

Shapes: H by W pixels, C = 3 colours, or 4 with opacity.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging.formats import tones
from lookalike.imaging.formats.profiles import flatten
from lookalike.imaging.spec import Array

Thumbnails = tuple[Array, ...]  # (H, W, C) each, the one that shows most first

VERSION = 1
BYTES = 2000
SIDE, LATER_SIDE = 192, 96  # pixels
LATER = 3
WEIGHT = 3  # how many times the bytes of a later thumbnail the first may take
METHOD = 2  # of WebP, 0 to 6: 4 takes twice as long and saves a tenth
OPACITY_QUALITY = 10  # of WebP: four levels
FIRST_QUALITY, BEST_QUALITY, TRIES = 15, 95, 4
SHIFT = 22.0  # the size of a photograph in WebP grows roughly in proportion to its quality + SHIFT
FULL = 0.93  # of the bytes there are; a better quality is not looked for then


def pack(frames: Sequence[Image.Image]) -> bytes:
    """The thumbnails of an image in at most `BYTES` bytes; `frames` are RGB or RGBA, the one that shows most first."""
    some = [within(frame, LATER_SIDE if number else SIDE) for number, frame in enumerate(frames[: LATER + 1])]
    left, contents = BYTES - 2 - 2 * len(some), list[bytes]()
    for later, frame in zip(reversed(range(len(some))), some, strict=True):
        weight = 1 if contents else WEIGHT
        contents.append(_encoded(frame, left * weight // (weight + later)))
        left -= len(contents[-1])
    return struct.pack(f">BB{len(some)}H", VERSION, len(some), *map(len, contents)) + b"".join(contents)


def unpack(content: bytes) -> Thumbnails:
    """The thumbnails that were packed. Raises `ImageError` if they are damaged, or of a later version."""
    if content[:1] != bytes([VERSION]):
        raise ImageError(f"its thumbnails are of version {content[:1].hex() or '?'}, not {VERSION:02}: index it again")
    try:
        lengths = struct.unpack_from(f">{content[1]}H", content, 2)
        start, found = 2 + 2 * len(lengths), []
        for length in lengths:
            found.append(_decoded(content[start : start + length]))
            start += length
    except (struct.error, IndexError, OSError, ValueError) as error:
        raise ImageError(f"its thumbnails are damaged ({error}): index it again") from error
    return tuple(found)


def first(content: bytes) -> bytes:
    """The first of the thumbnails that were packed, as a WebP file."""
    start, (length,) = 2 + 2 * content[1], struct.unpack_from(">H", content, 2)
    return content[start : start + length]


def within(picture: Image.Image, side: int) -> Image.Image:
    """A picture reduced to at most `side` pixels a side, its aspect kept."""
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def shown(pixels: Image.Image, image: Image.Image, side: int) -> Image.Image:
    """Decoded pixels of an image as a thumbnail is made of them: in sRGB, RGBA if some are transparent, else RGB."""
    if tones.is_many_valued(pixels):
        pixels = tones.grey(pixels)
    if pixels.has_transparency_data:
        small = within(pixels.convert("RGBA"), side)
        opacity = small.getchannel("A")
        small = flatten(small.convert("RGB"), image, "RGB")
        if opacity.getextrema()[0] != 255:
            small.putalpha(opacity)
        return small
    if pixels.mode in ("RGB", "L", "YCbCr", "CMYK"):  # others cannot be reduced as they are
        pixels = within(pixels, side)
    return within(flatten(pixels, image, "RGB"), side)


def _encoded(picture: Image.Image, limit: int) -> bytes:
    """A picture as WebP of about the best quality, and else the greatest side, that fits into `limit` bytes."""
    content = _best(picture, limit, quality=FIRST_QUALITY)
    while len(content) > limit and max(picture.size) > 1:
        side = math.floor(max(picture.size) * min(0.9, math.sqrt(limit / len(content))))
        picture = within(picture, max(1, side))
        content = _best(picture, limit, quality=1)
    return content


def _best(picture: Image.Image, limit: int, *, quality: int) -> bytes:
    """A picture as WebP of about the best quality that fits into `limit` bytes; larger if none does."""
    fits, exceeds, best = 0, BEST_QUALITY + 1, b""
    for _ in range(TRIES):
        content = _webp(picture, quality)
        if len(content) <= limit:
            fits, best = quality, content
        else:
            exceeds = quality
        if FULL * limit <= len(content) <= limit or exceeds - fits <= 1:
            break
        expected = 0.97 * limit / len(content) * (SHIFT + quality) - SHIFT
        quality = round(min(max(expected, fits + 1), exceeds - 1))
    return best or content


def _webp(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=quality, method=METHOD, alpha_quality=OPACITY_QUALITY)
    return out.getvalue()


def _decoded(content: bytes) -> Array:
    image = Image.open(io.BytesIO(content), formats=["WEBP"])
    if max(image.size) > SIDE:
        raise ValueError(f"{image.width}×{image.height} pixels")
    return np.asarray(image)
