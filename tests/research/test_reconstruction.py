"""Reconstruction errors with known results."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.core.errors import DataError
from research.reconstruction import reconstruction_error, squared_errors


def test_squared_error_is_a_mean_over_pixels_and_spread_over_images() -> None:
    images = np.zeros((2, 4, 4))
    errors = reconstruction_error(images, np.stack([np.full((4, 4), 0.1), np.full((4, 4), 0.3)]))
    assert errors.mse == pytest.approx((0.01 + 0.09) / 2)
    assert errors.deviation == pytest.approx(0.04)
    assert (errors.root, errors.root_deviation) == pytest.approx((0.2, 0.1))
    assert (errors.mse_of_mean, errors.root_of_mean) == (0, 0)  # both images are black, and so is their mean
    halves = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    assert reconstruction_error(halves, halves)[-2:] == pytest.approx((0.25, 0.5))


def test_images_of_other_sizes_are_refused() -> None:
    with pytest.raises(DataError, match="both must be"):
        squared_errors(np.zeros((1, 2, 2)), np.zeros((1, 2, 3)))
