"""Grey thumbnail vectors: how similar two pictures look before any model is applied.

No measure can prove that two images show the same picture. Pairs whose thumbnails correlate by `SUSPECTED` or more are
suspected copies: recompressed, resized and recoloured copies reach it, cropped or rotated ones do not, and shots of a
burst may.

Shapes: N images, H by W pixels, M = 256 pixels of a thumbnail.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.imaging.decode import Array

SIDE = 16
SUSPECTED = 0.98  # correlation


def thumbnail_vector(pixels: Array) -> npt.NDArray[np.float32]:
    """The thumbnail (M,) of uint8 pixels (H, W) or (H, W, 3), with mean 0 and length 1; zeros for a uniform image."""
    small = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values_M = np.asarray(small, np.float32).ravel()
    centred_M = values_M - values_M.mean()
    return np.asarray(centred_M / max(float(np.linalg.norm(centred_M)), 1e-6), np.float32)
