"""Reconstruction errors.

The paper (section III, Fig. 5) gives "mean squared error: 8.680 ± 0.821 for VAE …" for images scaled to [0, 1], without
a unit. A mean of squares of numbers in [0, 1] is below 1, so it must be a multiple or a root. Two forms have the
published magnitude:

    root, %      root of the mean over pixels of (x − x̂)², in percent of the range
    mse × 1000   the mean itself, times 1000

± is the standard deviation over images. For comparison, the error is also given for using the mean of all images as
every reconstruction.

Shapes: N images, S pixels a side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import DataError
from lookalike.metrics.counts import Floats


class ReconstructionError(NamedTuple):
    """Errors of reconstructions, for pixels in [0, 1]: means and standard deviations over images."""

    mse: float  # squared errors
    deviation: float
    root: float  # root of each image's mean squared error
    root_deviation: float
    images: int
    mse_of_mean: float  # with the mean of all images as every reconstruction
    root_of_mean: float


def squared_errors(images_NSS: npt.ArrayLike, reconstructions_NSS: npt.ArrayLike) -> Floats:
    """Mean squared error of each image (N,), for pixels in [0, 1]. Raises `DataError` if shapes differ.

    >>> squared_errors(np.zeros((1, 2, 2)), np.full((1, 2, 2), 0.5)).tolist()
    [0.25]
    """
    x, y = np.asarray(images_NSS, np.float64), np.asarray(reconstructions_NSS, np.float64)
    if x.shape != y.shape or x.ndim != 3 or not x.size:
        raise DataError(f"images have shape {x.shape}, reconstructions {y.shape}; both must be (N, S, S)")
    return np.asarray(((x - y) ** 2).mean(axis=(1, 2)))


def reconstruction_error(images_NSS: npt.ArrayLike, reconstructions_NSS: npt.ArrayLike) -> ReconstructionError:
    """Errors of reconstructions in [0, 1] of images in [0, 1]."""
    errors_N = squared_errors(images_NSS, reconstructions_NSS)
    x_NSS = np.asarray(images_NSS, np.float64)
    of_mean_N = squared_errors(x_NSS, np.broadcast_to(x_NSS.mean(axis=0), x_NSS.shape))
    return ReconstructionError(
        mse=float(errors_N.mean()),
        deviation=float(errors_N.std()),
        root=float(np.sqrt(errors_N).mean()),
        root_deviation=float(np.sqrt(errors_N).std()),
        images=len(errors_N),
        mse_of_mean=float(of_mean_N.mean()),
        root_of_mean=float(np.sqrt(of_mean_N).mean()),
    )
