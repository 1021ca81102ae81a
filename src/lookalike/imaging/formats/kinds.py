"""File types by their first bytes: the formats that are read, raw files, and names for those that are not.

File name extensions are ignored. `raw` distinguishes camera raw files that begin like any TIFF.
"""

from __future__ import annotations

import functools
import importlib
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from PIL import Image

from lookalike.core.errors import ImageError, MissingExtra, RetryableImageError
from lookalike.core.limits import MAX_PIXELS

FORMATS = (  # plus HEIF with the extra `heic`, and JXL with the extra `jxl`
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM", "JPEG2000", "PSD", "QOI", "DDS", "ICO", "ICNS", "SGI",
    "PCX", "TGA",
)  # fmt: skip
PLUGINS = (  # Pillow's plugins for them
    "Jpeg", "Png", "WebP", "Gif", "Tiff", "Bmp", "Avif", "Ppm", "Mpo", "Jpeg2K", "Psd", "Qoi", "Dds", "Ico", "Icns",
    "Sgi", "Pcx", "Tga",
)  # fmt: skip
STILL = frozenset(FORMATS) - {"PNG", "WEBP", "GIF", "TIFF", "AVIF"} | {"MPO", "JXL"}  # of which one picture is read
UPRIGHT = frozenset({"JPEG2000", "PSD", "JXL"})  # whose EXIF orientation viewers ignore
RAW_FORMATS = frozenset({  # by their usual extension; RAW: of an unknown maker
    "3FR", "ARW", "CR2", "CR3", "DCR", "DNG", "ERF", "IIQ", "MEF", "MOS", "NEF", "ORF", "PEF", "RAF", "RAW", "RW2",
    "SRW",
})  # fmt: skip
HEAD = 64  # bytes needed to recognise a format
_NO_IMAGE = "not an image in a format that is read here"
NO_IMAGE = f"{_NO_IMAGE} ({', '.join(FORMATS)}, HEIF, JXL)"
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

_NEEDS = {"heic": "HEIC images need pi-heif", "jxl": "JPEG XL images need imagecodecs"}  # by the extra
_max_pixels = ContextVar("max_pixels", default=MAX_PIXELS)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_RAW_BEGINNINGS = {b"IIU\0": "RW2", b"IIRO": "ORF", b"IIRS": "ORF", b"MMOR": "ORF", b"FUJIFILMCCD-RAW": "RAF"}
_BEGINNINGS = {  # formats that are recognised, but not read
    b"8BPS\0\2": "a large Photoshop document (PSB)",
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
    if reason.startswith(_NO_IMAGE):
        return NO_IMAGE
    kind = reason.removesuffix(f", {EXACT_ONLY}")
    return None if kind == reason else kind.split(" ", 1)[1]


def is_read_now(reason: str) -> bool:
    """Whether a file was refused by an earlier version that read fewer formats.

    >>> is_read_now(f"a Photoshop document, {EXACT_ONLY}"), is_read_now(f"a video, {EXACT_ONLY}"), is_read_now(NO_IMAGE)
    (True, False, False)
    """
    if reason.startswith(_NO_IMAGE):
        return reason != NO_IMAGE
    return reason in (f"a Photoshop document, {EXACT_ONLY}", f"a JPEG XL image, {EXACT_ONLY}")


def is_extra_missing(reason: str) -> bool:
    """Whether a file was unreadable only because an optional package is not installed."""
    return reason.startswith(tuple(_NEEDS.values()))


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
    if head.startswith(_JPEG_XL):
        return "JXL", _jpeg_xl()
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
    openers = {name: Image.OPEN[name] for name in FORMATS if name in Image.OPEN}
    return {name: (factory, _ACCEPT.get(name, accept)) for name, (factory, accept) in openers.items()}


def _is_psd(head: bytes) -> bool | str:
    """Whether it is a Photoshop document, or why it cannot be read."""
    if not head.startswith(b"8BPS\0\1"):
        return False
    bits = int.from_bytes(head[22:24], "big")
    if bits in (16, 32):
        return f"a Photoshop document of {bits} bits a channel, {EXACT_ONLY}"
    return True if bits in (1, 8) else "begins like PSD, but its header is damaged"


def _is_icon(head: bytes) -> bool:
    return head.startswith(b"\0\0\1\0") and 0 < int.from_bytes(head[4:6], "little") < 256 and head[9:10] == b"\0"


def _is_sgi(head: bytes) -> bool:
    return head.startswith(b"\x01\xda") and head[2:3] in b"\0\1" and head[3:4] in b"\1\2" and head[4:6] in _SGI


def _is_pcx(head: bytes) -> bool:
    return len(head) > 16 and head[0] == 10 and head[1] in (0, 2, 3, 4, 5) and head[2] == 1 and head[3] in (1, 2, 4, 8)


def _is_tga(head: bytes) -> bool:
    """Whether the first bytes are a consistent Targa header, which has no signature."""
    if len(head) < 18:
        return False
    _, has_palette, kind, first, colours, depth, _, _, width, height, bits, flags = struct.unpack_from(
        "<BBBHHBHHHHBB", head
    )
    if has_palette:
        is_consistent = kind in (1, 9) and bits == 8 and depth in (16, 24, 32) and 0 < first + colours <= 256
    else:
        is_consistent = (kind, bits) in _TGA and first == colours == depth == 0
    return is_consistent and width * height > 0 and flags & 0xC0 == 0


_SGI = (b"\0\1", b"\0\2", b"\0\3")  # dimensions
_TGA = {(2, 16), (2, 24), (2, 32), (10, 16), (10, 24), (10, 32), (3, 1), (3, 8), (3, 16), (11, 8), (11, 16)}
_ACCEPT: dict[str, Callable[[bytes], bool | str]] = {  # stricter than Pillow, because any file is tried
    "PSD": _is_psd, "ICO": _is_icon, "SGI": _is_sgi, "PCX": _is_pcx, "TGA": _is_tga,
}  # fmt: skip


def _jpeg_xl() -> Any:
    from lookalike.imaging.formats import jpeg_xl

    try:
        return jpeg_xl.opener()
    except ImportError as error:
        raise RetryableImageError(str(MissingExtra(_NEEDS["jxl"], "jxl"))) from error


@functools.cache
def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise RetryableImageError(str(MissingExtra(_NEEDS["heic"], "heic"))) from error
    pi_heif.register_heif_opener()
