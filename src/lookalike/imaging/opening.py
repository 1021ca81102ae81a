"""An image file whose header was read and held against the caps, before any of its pixels are decoded."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from PIL import Image

from lookalike.errors import ImageError, RetryableImageError
from lookalike.imaging import damage, formats

ORIENTATION = 0x0112  # the EXIF tag
UNDO = {  # what undoes each EXIF orientation (EXIF 2.32, 4.6.4)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_cap_is_set = threading.Lock()


@dataclass(slots=True)
class Opened:
    """An image with only its header read."""

    image: Image.Image
    format: str
    width: int  # pixels, as stored
    height: int
    mended: damage.Mended | None = None  # if the file is cut off

    def load(self) -> str | None:
        """Decode the pixels; what is wrong with the file, in words. Raises `ImageError` if too little is there."""
        self.image.load()
        if self.mended is None:
            return None
        present = self.mended.present
        present = damage.rows_present(self.image) if present is None else present
        if present < 1 - damage.MISSING:
            raise ImageError(f"is cut off: only {int(100 * present)} % of its rows are there")
        return damage.in_words(present)

    def orientation(self) -> int:
        """The EXIF orientation, 1 to 8; 1 where it is absent or unreadable. TIFF files are upright once decoded."""
        try:
            value = self.image.getexif().get(ORIENTATION, 1)
        except Exception:  # damaged metadata does not make a picture unreadable
            return 1
        return value if value in UNDO else 1

    def is_animated(self) -> bool:
        """Whether there is more than one frame or page."""
        try:
            return bool(getattr(self.image, "is_animated", False))
        except Exception:  # a damaged later frame does not spoil the first
            return False
        finally:
            if getattr(self.image, "tell", int)() != 0:
                self.image.seek(0)


def opened(data: bytes, *, max_pixels: int) -> Opened:
    """An image file with its header read. Raises `ImageError` if it is none, or has more than `max_pixels` pixels.

    Not `Image.open`: its pixel cap is one setting for the whole process, and only a warning up to twice its value.
    """
    formats.recognise(data[: formats.HEAD])
    mended = damage.mend(data, max_pixels=max_pixels)
    image = header(mended.data if mended else data)
    check_size(*image.size, max_pixels=max_pixels)
    return Opened(image, image.format or "?", *image.size, mended)


def header(data: bytes) -> Image.Image:
    """An image of which only the header is read; it may have any number of pixels. Raises `ImageError`."""
    name, factory = formats.match(data[: formats.HEAD])
    try:
        return cast(Image.Image, factory(io.BytesIO(data), ""))
    except Image.DecompressionBombError:
        raise
    except Exception as error:
        raise ImageError(f"begins like {name}, but its header cannot be read: {one_line(error)}") from error


def check_size(width: int, height: int, *, max_pixels: int) -> None:
    """Raise `ImageError` for an image without pixels, or with too many."""
    if width * height > max_pixels:
        raise RetryableImageError(
            f"{width}×{height} are {width * height / 1e6:.0f} megapixels; at most {max_pixels / 1e6:g} are decoded. "
            "Raise the cap with --max-pixels"
        )
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width}×{height})")


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """An image turned as its EXIF orientation says."""
    return image.transpose(UNDO[orientation]) if orientation in UNDO else image


@contextmanager
def errors_as_one(what: str = "cannot be decoded") -> Iterator[None]:
    """Whatever a decoder raises, as an `ImageError` with the reason; Pillow's bomb error goes through."""
    try:
        yield
    except (ImageError, Image.DecompressionBombError):
        raise
    except MemoryError as error:
        raise RetryableImageError("there is not enough memory to decode it") from error
    except Exception as error:  # decoders raise nearly anything on broken files
        raise ImageError(f"{what}: {one_line(error)}") from error


@contextmanager
def pillow_cap(max_pixels: int) -> Iterator[None]:
    """Pillow's cap set to ours for a moment: it still stops a frame that is larger than its header said."""
    with _cap_is_set:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            yield
        except Image.DecompressionBombError as error:
            raise ImageError(f"decodes to more pixels than its header says: {one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def one_line(error: Exception) -> str:
    """The type of an error and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
