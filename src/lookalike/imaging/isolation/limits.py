"""What decoding one image may take."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.files import MAX_BYTES

MEMORY = 640 << 20  # bytes
PIXEL_MEMORY = 16  # bytes for each pixel above the usual cap


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of one image; make them with `Limits.of`, which fits memory and file size to the pixels allowed."""

    max_pixels: int = MAX_PIXELS
    memory: int = MEMORY  # bytes, the file included
    little: int = 128 << 20  # bytes that suffice for most images; every worker may take as much at once
    seconds: float = 7.0  # of decoding
    file_bytes: int = MAX_BYTES

    @classmethod
    def of(cls, max_pixels: int) -> Limits:
        """The limits for images of up to `max_pixels` pixels: more than usual need more memory."""
        extra = PIXEL_MEMORY * max(0, max_pixels - MAX_PIXELS)
        return cls(max_pixels=max_pixels, memory=MEMORY + extra, file_bytes=MAX_BYTES + extra)
