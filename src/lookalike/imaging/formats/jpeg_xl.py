"""JPEG XL images, decoded by imagecodecs, which has libjxl; Pillow's plug-in for them is under the GPL.

Their size is read here from the header (ISO/IEC 18181-1, annex D), because decoding must not begin before it is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from lookalike.core.errors import ImageError
from lookalike.imaging.formats import boxes, tones

BEGINNING = b"\xff\x0a"
BEGIN = 512  # bytes of a codestream that hold its header
_RATIOS = ((1, 1), (6, 5), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_KNOWN = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp", b"jxli", b"jbrd", b"Exif", b"xml ", b"brob"})


@dataclass(frozen=True, slots=True)
class _Header:
    """What the header of a JPEG XL image says."""

    width: int  # pixels, upright
    height: int
    is_plain: bool  # a still sRGB picture with 8 bits a channel


class _Bits:
    """A bit stream, least significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next `count` bits. Raises `ImageError` at the end."""
        if count > self._left:
            raise ImageError("begins like JXL, but its header is cut off")
        value = self._value & ((1 << count) - 1)
        self._value, self._left = self._value >> count, self._left - count
        return value

    def _one_of(self, *choices: tuple[int, int]) -> int:
        """A number in one of four forms: an offset, plus that many bits."""
        offset, bits = choices[self.take(2)]
        return offset + self.take(bits)

    def side(self, *, is_small: int) -> int:
        """A width or height in pixels."""
        return 8 * (1 + self.take(5)) if is_small else self._one_of((1, 9), (1, 13), (1, 18), (1, 30))

    def size(self) -> tuple[int, int]:
        """A width and a height in pixels."""
        is_small = self.take(1)
        height = self.side(is_small=is_small)
        if ratio := self.take(3):
            wide, high = _RATIOS[ratio - 1]
            return height * wide // high, height
        return self.side(is_small=is_small), height


def _header(codestream: bytes) -> _Header:
    """The header of a codestream, of which the first bytes are given. Raises `ImageError`."""
    if not codestream.startswith(BEGINNING):
        raise ImageError("begins like JXL, but holds no picture")
    bits = _Bits(codestream[len(BEGINNING) :])
    width, height = bits.size()
    if bits.take(1):  # all default
        return _Header(width, height, is_plain=True)
    is_plain = True
    if bits.take(1):  # extra fields
        if bits.take(3) >= 4:
            width, height = height, width
        if bits.take(1):
            bits.size()
        is_plain = not bits.take(2)  # neither preview nor animation
    return _Header(width, height, is_plain=is_plain and _is_usual(bits))


def _is_usual(bits: _Bits) -> bool:
    """Whether samples are 8-bit integers in sRGB, with opacity at most; the stream is at their depth."""
    if bits.take(1) or bits._one_of((8, 0), (10, 0), (12, 0), (1, 6)) != 8:
        return False
    bits.take(1)  # whether 16-bit buffers are enough
    more = bits._one_of((0, 0), (1, 0), (2, 4), (1, 12))
    if more > 1 or (more and not bits.take(1)):  # more than an ordinary opacity
        return False
    bits.take(1)  # whether colours are in XYB
    return bool(bits.take(1))


def has_more(data: bytes, image: Image.Image) -> bool:
    """Whether a file holds more than a picture of 8-bit sRGB values."""
    kinds = {kind for kind, _ in boxes.top(data)} if not data.startswith(BEGINNING) else set()
    return bool(kinds - _KNOWN) or not getattr(image, "is_plain", False)


class _JpegXlImage(ImageFile.ImageFile):
    """A JPEG XL image; it has 8 bits a channel once it is loaded."""

    format = "JXL"
    format_description = "JPEG XL (ISO/IEC 18181)"
    is_plain = False

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        found = _header(self._codestream())
        self._size, self._mode, self.is_plain = (found.width, found.height), "RGB", found.is_plain

    def _codestream(self) -> bytes:
        """The beginning of the codestream; notes the metadata next to it."""
        if self._data.startswith(BEGINNING):
            return self._data[:BEGIN]
        stream = b""
        for kind, content in boxes.top(self._data):
            if kind in (b"jxlc", b"jxlp"):
                stream = stream or bytes(content[4 if kind == b"jxlp" else 0 :][:BEGIN])
            elif kind == b"Exif":
                self.info["exif"] = b"Exif\0\0" + bytes(content[4 + int.from_bytes(content[:4], "big") :])
            elif kind == b"xml ":
                self.info["xmp"] = bytes(content)
        return stream

    def load(self) -> Any:
        """Decode the first frame."""
        if self._im is None:
            import imagecodecs

            try:
                values = np.asarray(imagecodecs.jpegxl_decode(self._data, index=0, numthreads=1))
            except imagecodecs.JpegxlError as error:
                raise ImageError("begins like JXL, but its data are damaged or cut off") from error
            if values.dtype != np.uint8:
                values = tones.to_8_bits(values, bits=tones.FULL if values.dtype == np.uint16 else None)
            image = Image.fromarray(values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values)
            self.im, self._mode, self._size = image.im, image.mode, image.size
        return Image.Image.load(self)


def opener() -> type[_JpegXlImage]:
    """The class that opens JPEG XL images. Raises `ImportError` without imagecodecs."""
    import imagecodecs  # noqa: F401 only whether it is there

    return _JpegXlImage
