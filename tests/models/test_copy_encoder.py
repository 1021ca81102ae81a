"""The encoder that finds copies gives features of each image alone, and pools them by a generalised mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lookalike.models.copy_encoder import SIDE, CopyEncoder, GeneralisedMean


def test_features_are_those_of_each_image_alone() -> None:
    torch.manual_seed(0)
    one = CopyEncoder().eval()
    images = torch.randint(0, 256, (3, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = one(images)
        alone = torch.cat([one(image[None]) for image in images])
    assert features.shape == (3, one.width)
    assert torch.allclose(features, alone, atol=1e-4)
    assert not torch.allclose(features[0], features[1], atol=1e-3)


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_pooling_is_a_generalised_mean(power: float) -> None:
    x_NCHW = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    pool = GeneralisedMean()
    pool.power.data.fill_(power)
    expected_NC = np.mean(x_NCHW.numpy() ** power, axis=(2, 3)) ** (1 / power)
    assert np.allclose(pool(x_NCHW).detach().numpy(), expected_NC, rtol=1e-4)


def test_it_is_small_enough_for_five_milliseconds_an_image() -> None:
    counted = 0

    def count(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal counted
        if isinstance(module, torch.nn.Conv2d):
            counted += module.weight.numel() * output.shape[2] * output.shape[3]

    encoder = CopyEncoder().eval()
    for module in encoder.modules():
        module.register_forward_hook(count)
    with torch.inference_mode():
        encoder(torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8))
    assert 80e6 < counted < 100e6  # multiply-adds
    assert sum(weight.numel() for weight in encoder.parameters()) < 1.3e6
