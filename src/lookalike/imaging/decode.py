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

import functools
import hashlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike import borders
from lookalike.errors import ConfigError, ImageError, MissingExtra, RetryableImageError
from lookalike.limits import MAX_PIXELS as MAX_PIXELS

Array = npt.NDArray[np.uint8]
Source = str | os.PathLike[str] | bytes

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM")  # and HEIF with the extra `heic`
NO_IMAGE = f"not an image in a format that is read here ({', '.join(FORMATS)}, HEIF)"
HEAD = 64  # bytes that tell a format
LARGER = 3  # times a model's side that a JPEG is decoded at, at least
WHITE = (255, 255, 255, 255)

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_cap_is_set = threading.Lock()
_OF_MORE_BITS = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N", "CMYK", "YCbCr", "LAB", "HSV")  # than 8-bit RGBA says
_ORIENTATION = 0x0112  # the EXIF tag
_UNDO = {  # what undoes each EXIF orientation (EXIF 2.32, 4.6.4)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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


def read(source: Source, spec: ImageSpec = ImageSpec(), *, max_pixels: int = MAX_PIXELS) -> Array:
    """The uint8 array of an image, of shape `spec.shape`.

    Raises `ImageError`, naming the file, if it cannot be read or has more than `max_pixels` pixels.
    """
    if isinstance(source, bytes):
        return decode(source, spec, max_pixels=max_pixels).array
    try:
        return decode(Path(source).read_bytes(), spec, max_pixels=max_pixels).array
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise ImageError(f"{os.fspath(source)}: {getattr(error, 'strerror', None) or error}") from error
    except ImageError as error:
        raise ImageError(f"{os.fspath(source)}: {error}") from error


def decode(data: bytes, spec: ImageSpec, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Array, size and format of an encoded image. Raises `ImageError` with the reason and nothing else."""
    try:
        return _decode(data, spec, max_pixels)
    except Image.DecompressionBombError:  # by the cap of Pillow, which some plugins heed, too
        with _pillow_cap(max_pixels):
            return _decode(data, spec, max_pixels)


def _decode(data: bytes, spec: ImageSpec, max_pixels: int) -> Decoded:
    image = None
    try:
        image = _open(data, max_pixels)
        return _reduce(image, spec)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        if max_pixels == Image.MAX_IMAGE_PIXELS:
            raise ImageError(f"decodes to more pixels than its header says: {_one_line(error)}") from error
        raise
    except MemoryError as error:
        raise RetryableImageError("there is not enough memory to decode it") from error
    except Exception as error:  # decoders raise nearly anything on broken files
        what = f"cannot be decoded as {image.format}" if image else "cannot be opened"
        raise ImageError(f"{what}: {_one_line(error)}") from error


@contextmanager
def _pillow_cap(max_pixels: int) -> Iterator[None]:
    """Pillow's cap set to ours for a moment: it still stops a frame that is larger than its header said."""
    with _cap_is_set:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def thumbnail(data: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image for people: RGB, upright, composed on white, at most `side` pixels a side, aspect kept."""
    try:
        image = _open(data, max_pixels)
        image.draft("RGB", (side, side))
        shown = _upright(_flatten(image, "RGB"), _orientation(image))
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"cannot be decoded: {_one_line(error)}") from error
    shown.thumbnail((side, side))
    return shown


def pixel_digest(data: bytes, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """What is the same for two files only if each pixel is, once upright: BLAKE2b, 16 bytes.

    Nothing is rounded or composed, so that what differs in transparency, in bits beyond eight or in its colour profile
    is not the same. Raises `ImageError` if the image cannot be decoded.
    """
    try:
        image = _open(data, max_pixels)
        image.load()
        exact = image if image.mode in _OF_MORE_BITS else image.convert("RGBA")
        shown = _upright(exact, _orientation(image))
    except ImageError:
        raise
    except MemoryError as error:
        raise RetryableImageError("there is not enough memory to decode it") from error
    except Exception as error:
        raise ImageError(f"cannot be decoded: {_one_line(error)}") from error
    digest = hashlib.blake2b(f"{shown.mode} {shown.width} {shown.height}".encode(), digest_size=16)
    digest.update(image.info.get("icc_profile") or b"")
    digest.update(shown.tobytes())
    return digest.digest()


def header(data: bytes) -> Image.Image:
    """An image of which only the header is read; it may have any number of pixels. Raises `ImageError`."""
    return _open(data, sys.maxsize)


def recognise(head: bytes) -> str:
    """The format that a file's first `HEAD` bytes promise. Raises `ImageError` if it is none that is read here."""
    return _match(head)[0]


def _match(head: bytes) -> tuple[str, Any]:
    """Format and Pillow's class of the file that begins like this."""
    if not head:
        raise ImageError("the file is empty")
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avi" not in head[12 : head[3]]:
        _register_heif()
        return "HEIF", Image.OPEN["HEIF"][0]
    for name, (factory, accept) in _openers().items():
        verdict = accept(head) if accept else True
        if isinstance(verdict, str):
            raise ImageError(verdict)
        if verdict:
            return name, factory
    raise ImageError(NO_IMAGE)


@functools.cache
def _openers() -> dict[str, Any]:
    """Pillow's opener of each allowed format."""
    Image.init()
    return {name: Image.OPEN[name] for name in FORMATS if name in Image.OPEN}


@functools.cache
def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise RetryableImageError(str(MissingExtra("HEIC images need pi-heif", "heic"))) from error
    pi_heif.register_heif_opener()


def _open(data: bytes, max_pixels: int) -> Image.Image:
    """The image with only its header read.

    Not `Image.open`: its pixel cap is one setting for the whole process, and only a warning up to twice its value.
    """
    name, factory = _match(data[:HEAD])
    try:
        image = cast(Image.Image, factory(io.BytesIO(data), ""))
    except Image.DecompressionBombError:
        raise
    except Exception as error:
        raise ImageError(f"begins like {name}, but its header cannot be read: {_one_line(error)}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise RetryableImageError(
            f"{width}×{height} are {width * height / 1e6:.0f} megapixels; at most {max_pixels / 1e6:g} are decoded. "
            "Raise the cap with --max-pixels"
        )
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width}×{height})")
    return image


def _reduce(image: Image.Image, spec: ImageSpec) -> Decoded:
    animated = _is_animated(image)
    width, height = image.size
    # At least three times the side is decoded: the decoder's own reduction differs from the resize below, which is all
    # that other files of the same picture go through.
    image.draft(spec.mode, (LARGER * spec.side, LARGER * spec.side))
    pixels = _flatten(image, spec.mode)
    orientation = _orientation(image)
    if orientation >= 5:
        width, height = height, width
    resampling = Image.Resampling[spec.resampling.upper()]
    upright = _upright(pixels, orientation)
    if spec.trim:
        upright = upright.crop(borders.inside(np.asarray(upright.convert("L"))))
    small = upright.resize((spec.side, spec.side), resampling)
    return Decoded(np.asarray(small), width, height, image.format or "?", animated)


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """8-bit pixels in grey ("L") or colour ("RGB"), transparent ones composed on white."""
    image.load()
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


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is absent or unreadable."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata does not make a picture unreadable
        return 1
    return value if value in _UNDO else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UNDO[orientation]) if orientation in _UNDO else image


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged later frame does not spoil the first
        return False
    finally:
        if getattr(image, "tell", int)() != 0:
            image.seek(0)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
