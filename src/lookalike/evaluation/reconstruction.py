"""How far a reconstruction is from its image.

The paper (section III, Fig. 5) gives "mean squared error: 8.680 ± 0.821 for VAE …" of images scaled to [0, 1], and no
unit. A mean of squares of numbers in [0, 1] is below 1, so something is multiplied. Three forms are computed:

    mse          mean over pixels of (x − x̂)², x in [0, 1]
    mse × 1000   the one of our forms that has the published size (8.7 is a deviation of 9 % of the range)
    grey levels  root of the mean square, of 255

± is the standard deviation over images.

Shapes: N images, S pixels a side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.errors import DataError
from lookalike.evaluation.counts import Floats


class ReconstructionError(NamedTuple):
    """Squared errors of reconstructions, of pixels in [0, 1]: mean and standard deviation over images."""

    mse: float
    deviation: float
    images: int

    @property
    def thousandths(self) -> tuple[float, float]:
        """Mean and deviation × 1000, in which we read the paper's figures."""
        return 1000 * self.mse, 1000 * self.deviation

    @property
    def grey_levels(self) -> float:
        """Root of the mean square, of 255."""
        return 255 * float(np.sqrt(self.mse))


def squared_errors(images_NSS: npt.ArrayLike, reconstructions_NSS: npt.ArrayLike) -> Floats:
    """Mean squared error of each image (N,), of pixels in [0, 1]. Raises `DataError` if shapes differ.

    >>> squared_errors(np.zeros((1, 2, 2)), np.full((1, 2, 2), 0.5)).tolist()
    [0.25]
    """
    x, y = np.asarray(images_NSS, np.float64), np.asarray(reconstructions_NSS, np.float64)
    if x.shape != y.shape or x.ndim != 3 or not x.size:
        raise DataError(f"images have shape {x.shape}, reconstructions {y.shape}; both must be (N, S, S)")
    return np.asarray(((x - y) ** 2).mean(axis=(1, 2)))


def reconstruction_error(images_NSS: npt.ArrayLike, reconstructions_NSS: npt.ArrayLike) -> ReconstructionError:
    """Error of reconstructions in [0, 1] of images in [0, 1]."""
    errors_N = squared_errors(images_NSS, reconstructions_NSS)
    return ReconstructionError(float(errors_N.mean()), float(errors_N.std()), len(errors_N))
