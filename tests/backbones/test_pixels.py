"""Without a backbone, features are the pixels themselves."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.backbones.backbone import load


@pytest.mark.parametrize("side", [None, 8])
def test_features_are_pixels_between_minus_one_and_one(side: int | None) -> None:
    backbone = load("none", side=side)
    pixels = side or 32
    assert (backbone.spec.shape, backbone.dimension) == ((pixels, pixels, 3), 3 * pixels**2)
    images = np.random.default_rng(0).integers(0, 256, (3, pixels, pixels, 3), dtype=np.uint8)
    expected = images.transpose(0, 3, 1, 2).reshape(3, -1) / 127.5 - 1
    assert np.allclose(backbone.features(images), expected, atol=1e-6)


def test_it_says_that_nothing_was_trained() -> None:
    assert load("none").about.sentence == "pixels, 32 pixels, trained on nothing without labels, licence none needed"
