"""Amount of visible detail in an image, 0 to 100: the code of a nearly blank image means nothing.

The formula is PDQ's (Facebook 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm"):
reduce the grey image to 64 × 64 pixels, take the steps between horizontal and vertical neighbours, each as a whole
percentage of the range from black to white, and divide their sum by 90. Steps below 1 %, such as those of a clear sky
or of noise in the dark, count as 0. Departures: pixels are averaged by area, not by PDQ's filter, and the limit is
lower, because photographs of a small object in a clear sky score 6 to 50 and have good codes.

Shapes: S pixels a side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 64  # pixels a side after reduction
LOW_INFORMATION = 5  # images below this are too plain
LEAST_SIDE = 16  # pixels; anything smaller on either side scores 0, whatever it is enlarged to


def quality(array: npt.NDArray[np.uint8], *, width: int | None = None, height: int | None = None) -> int:
    """Amount of visible detail, 0 to 100, in the uint8 array that a model takes: (S, S) or (S, S, 3).

    `width` and `height` are the original image's size in pixels.

    >>> quality(np.zeros((128, 128), np.uint8)), quality(np.eye(128, dtype=np.uint8) * 255)
    (0, 100)
    """
    if min(width or LEAST_SIDE, height or LEAST_SIDE) < LEAST_SIDE:
        return 0
    grey = Image.fromarray(array).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(grey, np.int32)
    steps = (int((np.abs(np.diff(values, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return min(100, sum(steps) // 90)
