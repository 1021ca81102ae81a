"""From a path or bytes to the uint8 array that a model takes.

What is done, in this order: the format must be on an allow-list; the pixel count is read from the header and
capped before anything is decoded; a JPEG is decoded at reduced size, and in grey, when no more is needed; of an
animation the first frame is taken; 16-bit and floating pixels become 8 bits; transparent pixels are composed on
white; EXIF orientation is applied; borders are cut off, if the model wants that (`borders`); last, the image is resized
to the model's square, whatever its aspect ratio.
Colour profiles are not applied. Everything before the resize is done pixel by pixel, so a turned copy of a file
whose orientation tag undoes the turn gives the same array.

Shapes: S pixels a side; (S, S) in grey, (S, S, 3) in colour.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike import borders
from lookalike.errors import ConfigError, ImageError
from lookalike.imaging import files
from lookalike.imaging.formats import HEAD as HEAD
from lookalike.imaging.formats import recognise as recognise
from lookalike.imaging.opening import Opened, errors_as_one, opened, pillow_cap, upright
from lookalike.imaging.opening import header as header
from lookalike.limits import MAX_PIXELS as MAX_PIXELS

Array = npt.NDArray[np.uint8]
Source = str | os.PathLike[str] | bytes
T = TypeVar("T")

LARGER = 3  # times a model's side that a JPEG is decoded at, at least
WHITE = (255, 255, 255, 255)

_OF_MORE_BITS = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N", "CMYK", "YCbCr", "LAB", "HSV")  # than 8-bit RGBA says


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSpec:
    """What an image must be turned into for a model; stored in the model file."""

    side: int = 128  # S, pixels
    colour: bool = False
    resampling: str = "bilinear"  # a name of PIL.Image.Resampling
    trim: bool = field(default=False, repr=False)  # whether borders are cut off

    def __post_init__(self) -> None:
        if not 8 <= self.side <= 1024:
            raise ConfigError(f"an image side of {self.side} pixels is outside 8 to 1024")
        if self.resampling.upper() not in Image.Resampling.__members__:
            raise ConfigError(f"there is no resampling {self.resampling!r}; Pillow has bilinear, box, bicubic …")

    @property
    def shape(self) -> tuple[int, ...]:
        """(S, S) in grey, (S, S, 3) in colour."""
        return (self.side, self.side, 3) if self.colour else (self.side, self.side)

    @property
    def mode(self) -> str:
        """Pillow's mode of the array's pixels."""
        return "RGB" if self.colour else "L"


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as its model takes it, and what its file says of itself."""

    array: Array
    width: int  # pixels, as shown (after orientation)
    height: int
    format: str
    animated: bool
    damage: str | None = None  # what is wrong with the file, in words


def read(source: Source, spec: ImageSpec = ImageSpec(), *, max_pixels: int = MAX_PIXELS) -> Array:
    """The uint8 array of an image, of shape `spec.shape`.

    Raises `ImageError`, naming the file, if it cannot be read or has more than `max_pixels` pixels.
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
    """Array, size and format of an encoded image. Raises `ImageError` with the reason and nothing else."""
    return _with_cap(max_pixels, lambda: _decode(data, spec, max_pixels))


def thumbnail(data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image for people: RGB, upright, composed on white, at most `side` pixels a side, aspect kept."""
    shown = _with_cap(max_pixels, lambda: _shown(data, side, max_pixels))
    shown.thumbnail((side, side))
    return shown


def pixel_digest(data: bytes, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """What is the same for two files only if each pixel is, once upright: BLAKE2b, 16 bytes.

    Nothing is rounded or composed, so that what differs in transparency, in bits beyond eight or in its colour profile
    is not the same. Raises `ImageError` if the image cannot be decoded.
    """
    return _with_cap(max_pixels, lambda: _digest(data, max_pixels))


def _with_cap(max_pixels: int, work: Callable[[], T]) -> T:
    """The result of decoding, with our cap on pixels in place of Pillow's, which some plugins heed, too."""
    try:
        return work()
    except Image.DecompressionBombError:
        with pillow_cap(max_pixels):
            return work()


def _decode(data: bytes, spec: ImageSpec, max_pixels: int) -> Decoded:
    with errors_as_one("cannot be opened"):
        source = opened(data, max_pixels=max_pixels)
    with errors_as_one(f"cannot be decoded as {source.format}"):
        return _reduce(source, spec)


def _shown(data: bytes, side: int, max_pixels: int) -> Image.Image:
    with errors_as_one():
        source = opened(data, max_pixels=max_pixels)
        source.image.draft("RGB", (side, side))
        source.load()
        return upright(flatten(source.image, "RGB"), source.orientation())


def _digest(data: bytes, max_pixels: int) -> bytes:
    with errors_as_one():
        source = opened(data, max_pixels=max_pixels)
        if source.load() is not None:  # what is missing is not the same in any other file
            return hashlib.blake2b(b"bytes" + data, digest_size=16).digest()
        image = source.image
        exact = image if image.mode in _OF_MORE_BITS else image.convert("RGBA")
        shown = upright(exact, source.orientation())
    digest = hashlib.blake2b(f"{shown.mode} {shown.width} {shown.height}".encode(), digest_size=16)
    digest.update(image.info.get("icc_profile") or b"")
    digest.update(shown.tobytes())
    return digest.digest()


def _reduce(source: Opened, spec: ImageSpec) -> Decoded:
    animated = source.is_animated()
    # At least three times the side is decoded: the decoder's own reduction differs from the resize below, which is all
    # that other files of the same picture go through.
    source.image.draft(spec.mode, (LARGER * spec.side, LARGER * spec.side))
    damage = source.load()
    pixels = flatten(source.image, spec.mode)
    orientation = source.orientation()
    width, height = (source.height, source.width) if orientation >= 5 else (source.width, source.height)
    shown = upright(pixels, orientation)
    if spec.trim:
        shown = shown.crop(borders.inside(np.asarray(shown.convert("L"))))
    small = shown.resize((spec.side, spec.side), Image.Resampling[spec.resampling.upper()])
    return Decoded(np.asarray(small), width, height, source.format, animated, damage)


def flatten(image: Image.Image, mode: str) -> Image.Image:
    """8-bit pixels in grey ("L") or colour ("RGB"), transparent ones composed on white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    if mode == "L" and image.mode not in ("L", "RGB", "RGBA", "1"):
        image = image.convert("RGB")  # Pillow has no direct way from some modes
    return image if image.mode == mode else image.convert(mode)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """An image of 8 bits ("L", or "LA" if one of its values means transparent) of one of 16, 32 or floating ones."""
    values = np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="))  # a 16-bit TIFF may be big-endian
    grey = Image.fromarray(_scale_to_8_bits(values))
    if isinstance(clear := image.info.get("transparency"), int):
        alpha = np.where(values == clear, 0, 255).astype(np.uint8)
        return Image.merge("LA", (grey, Image.fromarray(alpha)))
    return grey


def _scale_to_8_bits(values: npt.NDArray[Any]) -> Array:
    """8-bit values of 16-bit, 32-bit or floating ones.

    Unsigned 16-bit values, and whole numbers that fit, lose their low byte; others are stretched from their least
    to their greatest finite value, since their files do not say what white is; what is no number becomes the least.
    """
    if values.dtype == np.uint16 or (values.dtype.kind in "iu" and values.min() >= 0 and values.max() > 255):
        if values.max() <= 65535:
            return np.asarray(values >> 8, np.uint8)
    elif values.dtype.kind in "iu" and values.min() >= 0:
        return np.asarray(values, np.uint8)
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    low, high = np.min(values, where=finite, initial=np.inf), np.max(values, where=finite, initial=-np.inf)
    share = (np.where(finite, values, low) - low) / (high - low) if high > low else np.zeros(values.shape)
    return np.asarray(np.round(255 * share), np.uint8)
