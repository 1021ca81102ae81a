"""What a file is, by its first bytes: the formats that are read, raw files among them, and names for what is not read.

Nothing goes by a file's ending. A raw file of a camera that begins like any TIFF is told from one by `raw`.
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

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM")  # and HEIF with the extra `heic`
PLUGINS = ("Jpeg", "Png", "WebP", "Gif", "Tiff", "Bmp", "Avif", "Ppm", "Mpo")  # of Pillow, that read them
RAW_FORMATS = frozenset({  # by the ending that their files usually have; RAW: a camera's, of a maker not known here
    "3FR", "ARW", "CR2", "CR3", "DCR", "DNG", "ERF", "IIQ", "MEF", "MOS", "NEF", "ORF", "PEF", "RAF", "RAW", "RW2",
    "SRW",
})  # fmt: skip
HEAD = 64  # bytes that tell a format
NO_IMAGE = f"not an image in a format that is read here ({', '.join(FORMATS)}, HEIF)"
EXACT_ONLY = "which cannot be read here; only exact copies of it are found"

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

_max_pixels = ContextVar("max_pixels", default=MAX_PIXELS)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_RAW_BEGINNINGS = {b"IIU\0": "RW2", b"IIRO": "ORF", b"IIRS": "ORF", b"MMOR": "ORF", b"FUJIFILMCCD-RAW": "RAF"}
_BEGINNINGS = {  # of what is known, but not read
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
    """Whether this is the name of a camera's raw format, as `Decoded.format` and the database have it."""
    return format_ in RAW_FORMATS


def a_raw(name: str) -> str:
    """A raw format in words.

    >>> a_raw("NEF"), a_raw("CR3")
    ('an NEF raw file', 'a CR3 raw file')
    """
    return f"{'an' if name[0] in 'AEIMNORS' and name != 'RAW' else 'a'} {name} raw file"


def foreign_kind(reason: str) -> str | None:
    """What a file is that could not be read just because it is of another kind, by the reason; None if it is damaged.

    >>> foreign_kind(f"a video, {EXACT_ONLY}"), foreign_kind(NO_IMAGE) == NO_IMAGE, foreign_kind("is cut off")
    ('video', True, None)
    """
    if reason == NO_IMAGE:
        return NO_IMAGE
    kind = reason.removesuffix(f", {EXACT_ONLY}")
    return None if kind == reason else kind.split(" ", 1)[1]


def is_foreign(reason: str) -> bool:
    """Whether a file could not be read just because it is no image, or an image in a format that is not read here."""
    return foreign_kind(reason) is not None


def recognise(head: bytes) -> str:
    """The format that a file's first `HEAD` bytes promise. Raises `ImageError` if it is none that is read here."""
    return match(head)[0]


def match(head: bytes) -> tuple[str, Any]:
    """Format and Pillow's class of the file that begins like this; of raw files that are no TIFF, no class.

    Raises `ImageError` if it is none that is read.
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
    """The limit on pixels of the image that is being decoded, as `pixel_limit` set it."""
    return _max_pixels.get()


@contextmanager
def pixel_limit(most: int) -> Iterator[None]:
    """Decode images of up to so many pixels in this thread."""
    token = _max_pixels.set(most)
    try:
        yield
    finally:
        _max_pixels.reset(token)


def check_size(width: int, height: int) -> None:
    """Raise `ImageError` for an image without pixels, or with more than are decoded now."""
    if width * height > max_pixels():
        raise RetryableImageError(
            f"{width}×{height} are {width * height / 1e6:.0f} megapixels; at most {max_pixels() / 1e6:g} are decoded. "
            "Raise the cap with --max-pixels"
        )
    if width < 1 or height < 1:
        raise ImageError(f"has no pixels ({width}×{height})")


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """An image turned as its EXIF orientation says."""
    return image.transpose(UNDO[orientation]) if orientation in UNDO else image


def _not_read(head: bytes) -> str:
    """Why what begins like this is not read."""
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
    """Pillow's opener of each allowed format; the plugins of others are not loaded."""
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
