"""TIFF files of kinds that Pillow does not know: floating values of 16 or 64 bits, 32-bit colour, 16 bits, white as 0.

Microscopes and instruments write them. tifffile reads them, without compression or with deflate.
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

MAX_SAMPLES = 16  # of a pixel; a picture of more is no picture
RGB = 2  # value of the tag PhotometricInterpretation
PHOTOMETRICS = (0, 1, RGB)  # white is zero, black is zero, colours
ORIENTATION = "Orientation"

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what is wrong with a file, its error says


def read(data: bytes) -> tuple[Image.Image, bool]:
    """The first page as an upright image of 8 bits, and whether there are more pages.

    Raises `ImageError` if it has too many pixels, and nearly anything if it cannot be read.
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
    """The low bytes, upright, of the first page of a TIFF file with 16-bit colour in planes; None if unreadable."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page: Any = file.pages.first
            values = np.moveaxis(page.asarray(maxworkers=1), 0, -1)
            orientation = page.tags.get(ORIENTATION)
        low = Image.fromarray((values & 255).astype(np.uint8))
        return upright(low, int(orientation.value) if orientation is not None else 1)
    except Exception:  # a compression that tifffile does not know
        return None


def _check(page: Any) -> None:
    check_size(page.imagewidth, page.imagelength)
    if int(page.photometric) not in PHOTOMETRICS or page.imagedepth != 1 or page.samplesperpixel > MAX_SAMPLES:
        raise ImageError(
            f"is a TIFF of a kind that is not read here: {page.photometric!r}, {page.samplesperpixel} samples"
        )


def _picture(values: tones.Values, page: Any) -> tones.Values:
    """The values as (H, W), or (H, W, 3) of colours; of other samples only the first."""
    values = values.reshape(-1, page.imagelength, page.imagewidth, 1) if page.samplesperpixel == 1 else values
    if page.samplesperpixel == 1:
        return values[0, ..., 0]
    values = np.moveaxis(values, 0, -1) if int(page.planarconfig) == 2 else values
    return values[..., :3] if int(page.photometric) == RGB and values.shape[-1] >= 3 else values[..., 0]
