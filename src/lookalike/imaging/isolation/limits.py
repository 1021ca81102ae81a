"""Limits on the memory, time and pixels of decoding one image."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.files import MAX_BYTES

MEMORY = 640 << 20  # bytes
BYTES_PER_PIXEL = 16  # extra memory for each pixel above the default limit


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeLimits:
    """Limits for one image. `DecodeLimits.of` scales memory and file size to a number of pixels."""

    max_pixels: int = MAX_PIXELS
    memory: int = MEMORY  # bytes, including the file
    usual_memory: int = 128 << 20  # bytes, enough for most images; reserved for each worker
    seconds: float = 7.0  # of decoding
    file_bytes: int = MAX_BYTES

    @classmethod
    def of(cls, max_pixels: int) -> DecodeLimits:
        """The limits for images of up to `max_pixels` pixels."""
        extra = BYTES_PER_PIXEL * max(0, max_pixels - MAX_PIXELS)
        return cls(max_pixels=max_pixels, memory=MEMORY + extra, file_bytes=MAX_BYTES + extra)
