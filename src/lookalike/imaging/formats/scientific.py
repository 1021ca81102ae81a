"""TIFF variants that Pillow cannot open: 16- and 64-bit floats, 32-bit colour, 16 bits with white as 0.

Microscopes and instruments write them. Reads them with tifffile, uncompressed or with deflate.
"""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging.formats import tones
from lookalike.imaging.formats.kinds import check_size, upright

MAX_SAMPLES = 16  # a pixel; anything with more is not a picture
RGB = 2  # value of the tag PhotometricInterpretation
PHOTOMETRICS = (0, 1, RGB)  # white is zero, black is zero, colours
ORIENTATION = "Orientation"

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its warnings repeat the error


def read(data: bytes) -> tuple[Image.Image, bool]:
    """The first page as an upright 8-bit image, and whether there are more pages.

    Raises `ImageError` if it has too many pixels, and nearly any exception if it is unreadable.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages.first
        _check(page)
        values = page.asarray(maxworkers=1)
        orientation = page.tags.get(ORIENTATION)
        has_more = bool(page.is_multipage) if hasattr(page, "is_multipage") else len(file.pages) > 1
        is_negative = int(page.photometric) == tones.WHITE_IS_ZERO
        shown = tones.to_8_bits(_picture(values, page), white_is_zero=is_negative)
    return upright(Image.fromarray(shown), int(orientation.value) if orientation is not None else 1), has_more


def low_bytes(data: bytes) -> Image.Image | None:
    """The low bytes of the first page of a TIFF with 16-bit planar colour, upright; None if unreadable."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages.first
            values = np.moveaxis(page.asarray(maxworkers=1), 0, -1)
            orientation = page.tags.get(ORIENTATION)
        low = Image.fromarray((values & 255).astype(np.uint8))
        return upright(low, int(orientation.value) if orientation is not None else 1)
    except Exception:  # a compression that tifffile does not support
        return None


def _check(page: Any) -> None:
    check_size(page.imagewidth, page.imagelength)
    if int(page.photometric) not in PHOTOMETRICS or page.imagedepth != 1 or page.samplesperpixel > MAX_SAMPLES:
        raise ImageError(f"is an unsupported kind of TIFF: {page.photometric!r}, {page.samplesperpixel} samples")


def _picture(values: tones.Values, page: Any) -> tones.Values:
    """Values as (H, W), or (H, W, 3) for colours; only the first of other samples."""
    values = values.reshape(-1, page.imagelength, page.imagewidth, 1) if page.samplesperpixel == 1 else values
    if page.samplesperpixel == 1:
        return values[0, ..., 0]
    values = np.moveaxis(values, 0, -1) if int(page.planarconfig) == 2 else values
    return values[..., :3] if int(page.photometric) == RGB and values.shape[-1] >= 3 else values[..., 0]
