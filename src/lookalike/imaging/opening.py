"""Image files with their header read and checked against the limits, before any pixels are decoded."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from PIL import Image

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging.formats import containers, damage, directories, kinds, raw, scientific, tones
from lookalike.imaging.formats.kinds import ORIENTATION, UNDO, check_size
from lookalike.imaging.formats.kinds import upright as upright

T = TypeVar("T")
_TRIED = 8  # previews of a raw file that are tried
_limit_is_set = threading.Lock()


@dataclass(slots=True)
class Opened:
    """An image with only its header read, until it is loaded."""

    data: bytes  # what is decoded; a truncated file is repaired first
    image: Image.Image
    format: str
    width: int  # pixels, as stored
    height: int
    present: float | None = 1.0  # share of the rows present; None: measured after decoding
    damage: str | None = None  # what is wrong with the file, in words, once it is loaded
    is_whole: bool = True  # False if the file holds more of the picture than decoding gives
    turned: int | None = None  # EXIF orientation, if the image itself does not have it

    def load(self) -> Image.Image:
        """The decoded pixels of the first frame; colours have 8 bits.

        Raises `ImageError` if too many rows are missing.
        """
        is_deep = tones.is_deep(self.image)
        self.image.load()
        if self.present is None or self.present < 1:
            present = damage.rows_present(self.image) if self.present is None else self.present
            if present < 1 - damage.MISSING:
                raise ImageError(f"is cut off: only {int(100 * present)} % of its rows are there")
            self.damage = damage.in_words(present)
        if not is_deep or tones.states_its_range(self.image):
            return self.image
        pixels = tones.colour(self.image, self._low_bytes)
        pixels.info = self.image.info
        return pixels

    def _low_bytes(self) -> Image.Image | None:
        """The low bytes of 16-bit colour; None if they are unavailable."""
        again = header(self.data)
        if tones.take_low_bytes(again):
            again.load()
            return again
        if tones.tag(again, tones.PLANAR_CONFIGURATION) != 2:
            return None
        low = scientific.low_bytes(self.data)
        if low is None:
            raise ImageError("holds 16-bit colour in planes whose compression leaves only the high bytes readable")
        return low

    def orientation(self) -> int:
        """EXIF orientation, 1 to 8; 1 if absent or unreadable. TIFF files are upright once decoded."""
        if self.turned is not None:
            return self.turned if self.turned in UNDO else 1
        try:
            value = self.image.getexif().get(ORIENTATION, 1)
        except Exception:  # damaged metadata does not make a picture unreadable
            return 1
        return value if value in UNDO else 1

    def is_animated(self) -> bool:
        """Whether it has more than one frame or page; layers are neither."""
        if self.image.format in kinds.UPRIGHT:
            return False
        try:
            return bool(getattr(self.image, "is_animated", False))
        except Exception:  # a damaged later frame does not make the first unreadable
            return False
        finally:
            if getattr(self.image, "tell", int)() != 0:
                self.image.seek(0)


def opened(data: bytes) -> Opened:
    """An image file with its header read. Raises `ImageError` if it is not an image, or has too many pixels.

    `Image.open` would not do: its pixel limit is a process-wide setting, and only warns up to twice its value.
    """
    name = kinds.recognise(data[: kinds.HEAD])
    if (name == "TIFF" or kinds.is_raw(name)) and (found := raw.recognise(data)) is not None:
        return _embedded(data, found)
    if name == "TIFF" and (main := raw.main_directory(data)) is not None:
        full = opened(directories.alone(main))
        full.is_whole = False
        return full
    repaired = damage.repair(data)
    data, present, wrong = (repaired.data, repaired.present, damage.NO_END) if repaired else (data, 1.0, None)
    try:
        image = header(data)
    except ImageError as error:
        if name != "TIFF":
            raise
        return _scientific(data, error)
    check_size(*image.size)
    turned = 1 if image.format in kinds.UPRIGHT else None
    return Opened(data, image, image.format or "?", *image.size, present, wrong, repaired is None, turned)


def _embedded(data: bytes, found: raw.Raw) -> Opened:
    """The largest readable preview in a raw file, with the size of the sensor's image."""
    for picture in found.pictures[:_TRIED]:
        own = data[picture.offset :] if picture.data is None else picture.data
        try:
            image = header(own)
            check_size(*image.size)
        except ImageError:
            continue
        width, height = (found.width, found.height) if found.width * found.height else image.size
        turned = found.orientation
        if picture.orientation is not None and picture.orientation >= 2:  # its decoder rotates it
            turned = 1
            width, height = (height, width) if picture.orientation >= 5 else (width, height)
        image.is_animated = False  # type: ignore[attr-defined]
        return Opened(own, image, found.format, width, height, is_whole=False, turned=turned)
    raise ImageError(f"{kinds.a_raw(found.format)} without a preview, {kinds.EXACT_ONLY}")


def _scientific(data: bytes, refusal: ImageError) -> Opened:
    """A TIFF file that Pillow cannot open, already decoded. Raises `ImageError`."""
    try:
        image, has_more = scientific.read(data)
    except (ImageError, MemoryError):
        raise
    except Exception:  # Pillow's error says more
        raise refusal from None
    image.is_animated = has_more  # type: ignore[attr-defined]
    return Opened(data, image, "TIFF", *image.size, is_whole=False)


def header(data: bytes) -> Image.Image:
    """An image with only its header read, of any number of pixels. Raises `ImageError`."""
    name, factory = kinds.match(data[: kinds.HEAD])
    if factory is None:
        raise ImageError(f"{kinds.a_raw(name)}, {kinds.EXACT_ONLY}")
    if name == "JPEG" and not any(data[-kinds.HEAD :]):  # Pillow scans zeros for a marker byte by byte
        data = data.rstrip(b"\0")
    try:
        if (picture := containers.icon(data, name)) is not None:
            image = header(picture)
            image.format = name
            return image
        image = cast(Image.Image, factory(io.BytesIO(data), ""))
        tones.correct(image)
        containers.complete(image, data)
        return image
    except (ImageError, Image.DecompressionBombError):
        raise
    except Exception as error:
        raise ImageError(f"begins like {name}, but its header cannot be read: {_one_line(error)}") from error


@contextmanager
def errors_as_one(what: str = "cannot be decoded") -> Iterator[None]:
    """Turn any decoder error into an `ImageError` with the reason; Pillow's bomb error passes through."""
    try:
        yield
    except (ImageError, Image.DecompressionBombError):
        raise
    except MemoryError as error:
        raise RetryableImageError("there is not enough memory to decode it") from error
    except Exception as error:  # decoders raise nearly anything on broken files
        raise ImageError(f"{what}: {_one_line(error)}") from error


def with_limit(max_pixels: int, work: Callable[[], T]) -> T:
    """The result of decoding under our own pixel limit instead of Pillow's, which some plugins also enforce."""
    with kinds.pixel_limit(max_pixels):
        try:
            return work()
        except Image.DecompressionBombError:
            with _pillow_limit(max_pixels):
                return work()


@contextmanager
def _pillow_limit(max_pixels: int) -> Iterator[None]:
    """Pillow's limit set to ours briefly: it stops frames larger than their header claims."""
    with _limit_is_set:
        kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            yield
        except Image.DecompressionBombError as error:
            raise ImageError(f"decodes to more pixels than its header says: {_one_line(error)}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = kept


def _one_line(error: Exception) -> str:
    """An error's type and message on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
