"""The boxes that AVIF, HEIF, JPEG 2000 and JPEG XL files consist of (ISO/IEC 14496-12; 15444-1, annex I)."""

from __future__ import annotations

from collections.abc import Iterator


def top(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The kind and content of each box that is not inside another; `b"?"` for what is not a box."""
    view, offset = memoryview(data), 0
    while offset + 8 <= len(data):
        size, start = int.from_bytes(data[offset : offset + 4], "big"), offset + 8
        if size == 1:
            size, start = int.from_bytes(data[offset + 8 : offset + 16], "big"), offset + 16
        size = size or len(data) - offset
        if size < start - offset:
            yield b"?", view[:0]
            return
        yield data[offset + 4 : offset + 8], view[start : offset + size]
        offset += size
    if any(view[offset:]):
        yield b"?", view[:0]
