"""Grey thumbnails of images: how alike two pictures look before any model is asked.

Whether two images show the same picture, no measurement can tell for sure. Pairs whose thumbnails correlate by
`SUSPECTED` or more are suspected of it: copies that were recompressed, resized or recoloured reach that, copies that
were cropped or turned do not, and the shots of a burst may.

Shapes: N images, H by W pixels, M = 256 pixels of a thumbnail.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.imaging.decode import Array

SIDE = 16
ALIKE, SUSPECTED = 0.9, 0.98  # correlations


def thumbnail_vector(pixels: Array) -> npt.NDArray[np.float32]:
    """A grey thumbnail (M,) of mean 0 and length 1 of uint8 pixels (H, W) or (H, W, 3); all 0 for one grey."""
    small = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values_M = np.asarray(small, np.float32).ravel()
    centred_M = values_M - values_M.mean()
    return np.asarray(centred_M / max(float(np.linalg.norm(centred_M)), 1e-6), np.float32)
