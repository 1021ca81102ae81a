"""What a file claims of itself, read without a decoder: the work that it would make, before any is done."""

from __future__ import annotations

import struct

from lookalike.core.errors import ImageError

SCANS = 100  # of a JPEG; programs write about ten
SCANNED = 5e9  # pixels that all scans of a JPEG go over
LARGE = 1 << 20  # bytes
_SCAN = b"\xff\xda"
_FRAMES = (b"\xff\xc2", b"\xff\xc6", b"\xff\xca", b"\xff\xce")  # of progressive JPEG files


def check(content: bytes) -> None:
    """Raise `ImageError` for a JPEG whose scans go over its pixels again and again, or a large one without any."""
    if not content.startswith(b"\xff\xd8"):
        return
    if len(content) > LARGE and content.find(_SCAN) < 0:  # which a decoder would look through byte by byte
        raise ImageError(f"begins like JPEG, but has no picture in {len(content) / 1e6:.0f} MB")
    scans = content.count(_SCAN)
    if scans > SCANS and scans * _frame_pixels(content) > SCANNED:
        raise ImageError(f"has {scans:,} scans, which no program writes; it is made to keep a decoder busy")


def canvas(content: bytes) -> tuple[int, int] | None:
    """Width and height of an extended WebP file, which only a decoder with enough memory opens; else nothing."""
    if content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8X" and len(content) >= 30:
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    return None


def _frame_pixels(content: bytes) -> int:
    """The pixels of the largest progressive frame of a JPEG."""
    most = 0
    for marker in _FRAMES:
        at = content.find(marker)
        if 0 <= at <= len(content) - 9:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            most = max(most, width * height)
    return most
