"""File types by their first bytes: the formats that are read, raw files, and names for those that are not.

File name extensions are ignored. `raw` distinguishes camera raw files that begin like any TIFF.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from PIL import Image

from lookalike.core.errors import ImageError, MissingExtra, RetryableImageError
from lookalike.core.limits import MAX_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM")  # plus HEIF with the extra `heic`
PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Tiff", "Bmp", "Avif", "Ppm", "Mpo")  # Pillow's plugins for them
RAW_FORMATS = frozenset({  # by their usual extension; RAW: of an unknown maker
    "3FR", "ARW", "CR2", "CR3", "DCR", "DNG", "ERF", "IIQ", "MEF", "MOS", "NEF", "ORF", "PEF", "RAF", "RAW", "RW2",
    "SRW",
})  # fmt: skip
HEAD = 64  # bytes needed to recognise a format
NO_IMAGE = f"not an image in a format that is read here ({', '.join(FORMATS)}, HEIF)"
EXACT_ONLY = "which cannot be read here; only exact copies of it are found"

ORIENTATION = 0x0112  # the EXIF tag
UNDO = {  # the inverse of each EXIF orientation (EXIF 2.32, 4.6.4)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_max_pixels = ContextVar("max_pixels", default=MAX_PIXELS)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_RAW_BEGINNINGS = {b"IIU\0": "RW2", b"IIRO": "ORF", b"IIRS": "ORF", b"MMOR": "ORF", b"FUJIFILMCCD-RAW": "RAF"}
_BEGINNINGS = {  # formats that are recognised, but not read
    b"8BPS": "a Photoshop document",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL image",
    b"II\xbc\x01": "a JPEG XR image",
    b"v/1\x01": "an OpenEXR image",
    b"#?RADIANCE": "a Radiance HDR image",
    b"gimp xcf": "a GIMP image",
    b"FOVb": "a Sigma X3F raw file",
    b"\0MRM": "a Minolta MRW raw file",
    b"II\x1a\0\0\0HEAPCCDR": "a Canon CRW raw file",
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"\xc5\xd0\xd3\xc6": "a PostScript document",
    b"\x1aE\xdf\xa3": "a Matroska or WebM video",
    b"\0\0\x01\xba": "an MPEG video",
    b"\0\0\x01\xb3": "an MPEG video",
    b"0&\xb2u\x8ef\xcf\x11": "a Windows Media video",
    b"FLV\x01": "a Flash video",
}


def is_raw(format_: str | None) -> bool:
    """Whether this is the name of a camera raw format, as in `Decoded.format` and the database."""
    return format_ in RAW_FORMATS


def a_raw(name: str) -> str:
    """A raw format's name with its article.

    >>> a_raw("NEF"), a_raw("CR3")
    ('an NEF raw file', 'a CR3 raw file')
    """
    return f"{'an' if name[0] in 'AEIMNORS' and name != 'RAW' else 'a'} {name} raw file"


def foreign_kind(reason: str) -> str | None:
    """What kind of file is not an image that can be read, judging by the error; None if the file is damaged.

    >>> foreign_kind(f"a video, {EXACT_ONLY}"), foreign_kind(NO_IMAGE) == NO_IMAGE, foreign_kind("is cut off")
    ('video', True, None)
    """
    if reason == NO_IMAGE:
        return NO_IMAGE
    kind = reason.removesuffix(f", {EXACT_ONLY}")
    return None if kind == reason else kind.split(" ", 1)[1]


def is_foreign(reason: str) -> bool:
    """Whether a file was unreadable only because it is not an image, or has an unsupported format."""
    return foreign_kind(reason) is not None


def recognise(head: bytes) -> str:
    """The format that a file's first `HEAD` bytes indicate. Raises `ImageError` if it is unsupported."""
    return match(head)[0]


def match(head: bytes) -> tuple[str, Any]:
    """Format and Pillow class for a file's first bytes; the class is None for raw files that are not TIFF.

    Raises `ImageError` if the format is unsupported.
    """
    if not head:
        raise ImageError("the file is empty")
    name = "CR3" if head[4:12] == b"ftypcrx " else None
    name = next((name for start, name in _RAW_BEGINNINGS.items() if head.startswith(start)), name)
    if name is not None:
        return name, None
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avi" not in head[12 : head[3]]:
        _register_heif()
        return "HEIF", Image.OPEN["HEIF"][0]
    for name, (factory, accept) in _openers().items():
        verdict = accept(head) if accept else True
        if isinstance(verdict, str):
            raise ImageError(verdict)
        if verdict:
            return name, factory
    raise ImageError(_not_read(head))


def max_pixels() -> int:
    """The current limit on pixels, as set by `pixel_limit`."""
    return _max_pixels.get()


@contextmanager
def pixel_limit(most: int) -> Iterator[None]:
    """Allow images of up to `most` pixels in this thread."""
    token = _max_pixels.set(most)
    try:
        yield
    finally:
        _max_pixels.reset(token)


def check_size(width: int, height: int) -> None:
    """Raise `ImageError` for an image without pixels or above the current limit."""
    if width * height > max_pixels():
        raise RetryableImageError(
            f"{width}×{height} are {width * height / 1e6:.0f} megapixels; at most {max_pixels() / 1e6:g} are decoded. "
            "Raise the cap with --max-pixels"
        )
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width}×{height})")


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """An image rotated according to its EXIF orientation."""
    return image.transpose(UNDO[orientation]) if orientation in UNDO else image


def _not_read(head: bytes) -> str:
    """Why a file with these first bytes is not read."""
    kind = next((kind for start, kind in _BEGINNINGS.items() if head.startswith(start)), None)
    if (
        head[4:8] == b"ftyp"
        or head[4:8] in (b"moov", b"mdat", b"wide")
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
    ):
        kind = "a video"
    elif b"<svg" in head.lower():
        kind = "an SVG drawing"
    return f"{kind}, {EXACT_ONLY}" if kind else NO_IMAGE


@functools.cache
def _openers() -> dict[str, Any]:
    """Pillow's opener for each allowed format; other plugins are not loaded."""
    for module in PLUGINS:
        importlib.import_module(f"PIL.{module}ImagePlugin")
    return {name: Image.OPEN[name] for name in FORMATS if name in Image.OPEN}


@functools.cache
def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise RetryableImageError(str(MissingExtra("HEIC images need pi-heif", "heic"))) from error
    pi_heif.register_heif_opener()
