"""Damage in image files that are still readable, and repair of truncated ones.

A JPEG decoder continues after bad data and a PNG decoder ignores most checksums, so a decoded picture may be damaged.
In strict mode libjpeg-turbo reports it; for PNG the checksums are verified here. A truncated file is read if at most a
tenth of its rows is missing, because every viewer shows such a picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from lookalike.imaging.formats.kinds import max_pixels

MISSING = 0.1  # share of the rows that may be missing in a picture that is read
END_OF_JPEG, START_OF_SCAN = b"\xff\xd9", 0xDA
PNG, END_OF_PNG = b"\x89PNG\r\n\x1a\n", b"IEND"
NO_END = "its end is missing"

_TAIL = 64  # bytes at the end, where an intact JPEG nearly always has its end marker
_ZEROS = 512  # this many zeros at the end of a compressed file are not picture data
_LARGEST = 1 << 28  # bytes of pixels in a PNG that is repaired
_STRAY = 4  # bytes before the end marker that are not damage: some cameras write them
_EMPTY = (127, 128)  # libjpeg's fill values for missing blocks; the first one in (inverted) CMYK


class _Chunk(NamedTuple):
    """A chunk of a PNG file."""

    kind: bytes
    content: memoryview
    is_sound: bool  # complete, with a matching checksum


class _Repaired(NamedTuple):
    """A truncated file made readable: missing parts are grey (JPEG) or repeat the last row (PNG)."""

    data: bytes
    present: float | None  # share of the rows present; None: measured after decoding (`rows_present`)


def find(data: bytes) -> tuple[str, ...]:
    """Damage in an image that can be decoded, in words; empty if none is known.

    A JPEG with more pixels than may be decoded is only checked for its end.
    """
    if data.startswith(b"\xff\xd8"):
        return _of_jpeg(data)
    if data.startswith(PNG):
        return _of_png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _of_webp(data)
    return ()


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG has no end marker, or zeros in its offset."""
    if data.startswith(b"\xff\xd8"):
        return END_OF_JPEG not in data[-_TAIL:] and end_of_jpeg(data) is None
    return data.startswith(PNG) and END_OF_PNG not in data[-_TAIL:] and END_OF_PNG not in data


def end_of_jpeg(data: bytes) -> int | None:
    """Offset of the end of the first picture in a JPEG file; None if its end is missing."""
    start = start_of_scan(data)
    # in a scan 0xFF is followed by 0 or a marker, and no table between scans contains this marker
    end = -1 if start is None else data.find(END_OF_JPEG, start)
    return None if end < 0 else end + 2


def start_of_scan(data: bytes) -> int | None:
    """Offset of the compressed pixels of a JPEG file, after all metadata; None if there are none."""
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == START_OF_SCAN:
            return offset
        if marker == 0xFF:  # padding
            offset += 1
        elif marker == 1 or 0xD0 <= marker <= 0xD8:  # a marker without content
            offset += 2
        else:
            offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return None


def repair(data: bytes) -> _Repaired | None:
    """A truncated JPEG or PNG file, made decodable; None for other files."""
    if not _is_cut_off(data):
        return None
    left = data.rstrip(b"\0")
    return _repair_png(left) if data.startswith(PNG) else _Repaired(left + END_OF_JPEG, None)


def rows_present(image: Image.Image) -> float:
    """Share of the rows of a repaired JPEG that were in the file."""
    pixels = np.asarray(image)
    pixels = pixels.reshape(len(pixels), -1)
    if pixels[-1, -1] not in _EMPTY:
        return 1.0
    full = np.flatnonzero((pixels != pixels[-1, -1]).any(axis=1))
    return (int(full[-1]) + 1) / len(pixels) if len(full) else 0.0


def in_words(present: float) -> str:
    """How much of a truncated picture is present, in words.

    >>> in_words(0.954), in_words(1.0)
    ('its end is missing: 95 % of its rows are there', 'its end is missing')
    """
    return NO_END if present >= 1 else f"{NO_END}: {int(100 * present)} % of its rows are there"


def chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks of a PNG file up to its end or the truncation."""
    view, offset = memoryview(data), len(PNG)
    while offset + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, offset)
        kind, content = data[offset + 4 : offset + 8], view[offset + 8 : offset + 8 + length]
        checksum = data[offset + 8 + length : offset + 12 + length]
        yield _Chunk(kind, content, len(content) == length and checksum == _checksum(kind, content))
        offset += 12 + length
        if kind == b"IEND":
            return


def _of_jpeg(data: bytes) -> tuple[str, ...]:
    if _is_cut_off(data):
        return (NO_END,)
    import simplejpeg

    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
        if height * width <= max_pixels():
            simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, fastupsample=True, min_factor=8)
    except ValueError as error:
        return () if _is_harmless(str(error)) else (f"its data are damaged ({error})",)
    return ()


def _is_harmless(warning: str) -> bool:
    """Whether a warning of libjpeg-turbo does not concern the picture.

    >>> _is_harmless("Corrupt JPEG data: 2 extraneous bytes before marker 0xd9")
    True
    >>> _is_harmless("Corrupt JPEG data: premature end of data segment")
    False
    """
    if not warning.startswith(("Corrupt JPEG data", "Premature end")):
        return True
    words = warning.removeprefix("Corrupt JPEG data: ").split()
    return words[1:3] == ["extraneous", "bytes"] and words[0].isdigit() and int(words[0]) <= _STRAY


def _of_png(data: bytes) -> tuple[str, ...]:
    kind = b""
    for kind, _, is_sound in chunks(data):
        if not is_sound and (kind[:1].isupper() or kind == b"fdAT"):  # other chunks hold no pixels
            return (f"its data are damaged (the checksum of {kind.decode('latin-1')} does not fit)",)
    return () if kind == b"IEND" else (NO_END,)


def _of_webp(data: bytes) -> tuple[str, ...]:
    end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < end:
        return (NO_END,)
    if not any(data[max(12, end - _ZEROS) : end]):
        return (f"{NO_END}: there are only zeros",)
    return ()


def _repair_png(data: bytes) -> _Repaired | None:
    """A truncated PNG with its last row repeated; None if it cannot be repaired."""
    before, pixels, header = [], [], b""
    for chunk in chunks(data):
        if chunk.kind == b"IHDR":
            header = bytes(chunk.content)
        elif chunk.kind == b"IDAT":
            pixels.append(chunk.content)
        elif not pixels and chunk.is_sound and chunk.kind not in (b"acTL", b"fcTL"):
            before.append(chunk)
    if len(header) != 13 or not pixels:
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    row = 1 + (width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0) + 7) // 8
    if interlaced or not 0 < width * height <= max_pixels() or row == 1 or row * height > _LARGEST:
        return None
    present = _inflated(pixels, row * height)
    rows = len(present) // row
    filled = present[: rows * row] + (b"\2" + bytes(row - 1)) * (height - rows)  # filter 2: same as the row above
    parts = [(b"IHDR", header), *((one.kind, bytes(one.content)) for one in before)]
    parts += [(b"IDAT", zlib.compress(filled, 1)), (b"IEND", b"")]
    return _Repaired(PNG + b"".join(_chunk(kind, content) for kind, content in parts), rows / height)


def _inflated(parts: list[memoryview], most: int) -> bytes:
    """Decompressed data of a possibly truncated stream, at most `most` bytes."""
    unpacker, pieces, size = zlib.decompressobj(), [], 0
    try:
        for part in parts:
            pieces.append(unpacker.decompress(part, max(1, most - size)))
            size += len(pieces[-1])
            if size >= most:
                break
    except zlib.error:
        return b""  # corrupt rather than truncated: the output could be anything
    return b"".join(pieces)[:most]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + _checksum(kind, content)


def _checksum(kind: bytes, content: bytes | memoryview) -> bytes:
    return struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
