"""Shared parts against slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from lookalike.models.blocks import MinMax, SimAM, TransformerBlock, _UpsampledConv


def simam_reference(channel: list[list[float]], lambda_: float = 1e-4) -> list[list[float]]:
    """SimAM of one channel, number by number."""
    numbers = [x for row in channel for x in row]
    mean = sum(numbers) / len(numbers)
    variance = sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1)

    def weigh(x: float) -> float:
        y = (x - mean) ** 2 / (4 * (variance + lambda_)) + 0.5
        return x / (1 + math.exp(-y))

    return [[weigh(x) for x in row] for row in channel]


def test_simam_is_its_reference() -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = torch.tensor([[simam_reference(channel.tolist()) for channel in image] for image in x])
    torch.testing.assert_close(SimAM()(x), expected)


def test_simam_of_a_flat_channel_is_finite() -> None:
    torch.testing.assert_close(SimAM()(torch.ones(1, 1, 2, 2)), torch.full((1, 1, 2, 2), 1 / (1 + math.exp(-0.5))))


def test_upsampled_convolution_is_upsampling_and_convolution() -> None:
    layer = _UpsampledConv(3, 5)
    x = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    upsampled = functional.interpolate(x, scale_factor=2.0, mode="nearest")
    expected = functional.conv2d(upsampled, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_min_max_spans_zero_to_one(tiny_images: np.ndarray) -> None:
    x = MinMax()(torch.from_numpy(np.array(tiny_images[:20])))
    assert x.shape == (20, 1, 128, 128)
    assert x.dtype == torch.float32
    assert x.amin((1, 2, 3)).tolist() == [0] * 20
    assert x.amax((1, 2, 3)).tolist() == [1] * 20


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_image_of_one_grey_becomes_zero(grey: int) -> None:
    assert not MinMax()(torch.full((1, 128, 128), grey, dtype=torch.uint8)).any()


def test_brightness_and_contrast_leave_the_input_as_it_is() -> None:
    image = torch.randint(0, 50, (1, 128, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(MinMax()(3 * image + 17), MinMax()(image))


def test_a_transformer_block_mixes_tokens_and_keeps_their_shape() -> None:
    block, x = TransformerBlock(8, heads=2), torch.randn(2, 5, 8)
    changed = x.clone()
    changed[:, 0] += torch.randn(8)
    assert block(x).shape == x.shape
    assert not torch.equal(block(x)[:, 1:], block(changed)[:, 1:])
