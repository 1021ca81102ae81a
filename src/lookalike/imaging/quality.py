"""How much there is to see in an image, 0 to 100: one that is too plain has a code that says nothing.

The formula is that of PDQ (Facebook 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm"):
of the image in grey, reduced to 64 × 64 pixels, the sum of the steps between pixels side by side and one above the
other, each as a whole percentage of the range from black to white, divided by 90. So steps below 1 %, such as those
of a clear sky or of noise in the dark, count nothing. Departures: pixels are averaged by area, not by PDQ's filter, and
the limit is lower, since photographs of a small thing in a clear sky have 6 to 50, and good codes.

Shapes: S pixels a side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 64  # pixels a side that are looked at
PLAIN = 5  # below this an image is too plain
LEAST_SIDE = 16  # pixels; what is smaller on either side shows nothing, whatever it is enlarged to


def quality(array: npt.NDArray[np.uint8], *, width: int | None = None, height: int | None = None) -> int:
    """How much there is to see, 0 to 100, in the uint8 array that a model takes, (S, S) or (S, S, 3).

    `width` and `height` are the pixels of the image that it was made of.

    >>> quality(np.zeros((128, 128), np.uint8)), quality(np.eye(128, dtype=np.uint8) * 255)
    (0, 100)
    """
    if min(width or LEAST_SIDE, height or LEAST_SIDE) < LEAST_SIDE:
        return 0
    grey = Image.fromarray(array).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(grey, np.int32)
    steps = (int((np.abs(np.diff(values, axis=axis)) * 100 // 255).sum()) for axis in (0, 1))
    return min(100, sum(steps) // 90)
