"""The bytes of a database's images, and of no other files.

A file is read only if it is below its indexed folder after following links. Otherwise, or if it is gone, the original
kept by the database is used.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lookalike import data
from lookalike.core.errors import DataError, ImageError, LookalikeError
from lookalike.imaging.formats import kinds
from lookalike.store import originals
from lookalike.store.records import Record
from lookalike.web.http.problems import Problem

LARGEST = 512 << 20  # maximum bytes of an image
TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "PPM": "image/x-portable-anymap",
    "JPEG2000": "image/jp2",
    "PSD": "image/vnd.adobe.photoshop",
    "QOI": "image/qoi",
    "DDS": "image/vnd.ms-dds",
    "ICO": "image/vnd.microsoft.icon",
    "ICNS": "image/icns",
    "SGI": "image/sgi",
    "PCX": "image/vnd.zbrush.pcx",
    "TGA": "image/x-tga",
    "JXL": "image/jxl",
    "HEIF": "image/heif",
    "CR3": "image/x-canon-cr3",
    "ORF": "image/x-olympus-orf",
    "RAF": "image/x-fuji-raf",
    "RW2": "image/x-panasonic-rw2",
}


def read(folder: Path | str, record: Record) -> bytes:
    """A record's encoded image; `folder` is the database's. Raises `Problem` if it is unavailable."""
    reason = "is gone"
    if _lies_below(record.item.file, record.root):
        try:
            if record.row is None and os.stat(record.item.file).st_size > LARGEST:
                raise DataError(f"it is larger than {LARGEST >> 20} MiB")
            return data.read_bytes(record.item)
        except (OSError, LookalikeError) as error:
            reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    elif os.path.lexists(record.item.file):
        reason = "is outside the indexed folder"
    if record.digest is not None:
        with contextlib.suppress(OSError):
            return originals.path(Path(folder), record.digest).read_bytes()
    raise Problem(404, f"the file of image {record.id} {reason}, and no original is kept")


def _lies_below(file: str, root: str) -> bool:
    """Whether an existing file is below a folder after following links."""
    try:
        real = os.path.realpath(file, strict=True)
        return os.path.commonpath([real, os.path.realpath(root)]) == os.path.realpath(root)
    except (OSError, ValueError):
        return False


def digest(content: bytes) -> str:
    """A digest of bytes, in hexadecimal."""
    return data.content_digest(content).hex()


def media_type(content: bytes) -> str:
    """The media type of an encoded image. Raises `Problem` if it is not an image."""
    try:
        return TYPES[kinds.recognise(content[: kinds.HEAD])]
    except (ImageError, KeyError):
        raise Problem(404, "the file is no longer an image") from None
