"""Encoders of our own take images in colour as they are and give features, or all tokens, of each alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lookalike.models.encoders import CHANNELS, DEPTH, EMBEDDING, PATCH, SIDE, ConvEncoder, Pixels, ViTEncoder

TOKENS = (SIDE // PATCH) ** 2


def images(count: int = 3) -> Tensor:
    shape = (count, SIDE, SIDE, CHANNELS)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def encoder(name: str) -> ConvEncoder | ViTEncoder:
    torch.manual_seed(0)
    return ConvEncoder() if name == "conv" else ViTEncoder(all_tokens=name == "tokens")


def test_pixels_lie_between_minus_one_and_one_with_channels_first() -> None:
    x = Pixels()(images())
    assert x.shape == (3, CHANNELS, SIDE, SIDE)
    assert (x.min().item(), x.max().item()) == (-1, 1)
    assert x[1, 2, 3, 4].item() == pytest.approx(images()[1, 3, 4, 2].item() / 127.5 - 1)


@pytest.mark.parametrize(
    ("name", "shape"), [("conv", (0, 512)), ("vit", (0, EMBEDDING)), ("tokens", (TOKENS, EMBEDDING))]
)
def test_features_are_those_of_each_image_alone(name: str, shape: tuple[int, int]) -> None:
    one = encoder(name).eval()
    assert (one.tokens, one.width) == shape
    with torch.inference_mode():
        features = one(images())
        alone = torch.cat([one(image[None]) for image in images()])
    assert features.shape == (3, one.width * max(1, one.tokens))
    assert torch.allclose(features, alone, atol=1e-4)
    assert not torch.allclose(features[0], features[1], atol=1e-3)


def test_features_of_the_transformer_are_the_mean_of_its_tokens() -> None:
    whole, all_tokens = encoder("vit").eval(), encoder("tokens").eval()
    with torch.inference_mode():
        tokens = all_tokens(images()).unflatten(1, (TOKENS, EMBEDDING))
        assert torch.allclose(whole(images()), tokens.mean(dim=1), atol=1e-5)


def test_depth_and_all_weights_are_trained() -> None:
    one = encoder("vit").train()
    assert len(one.blocks) - 1 == DEPTH  # type: ignore[arg-type]
    one(images()).square().mean().backward()
    assert all(weight.grad is not None for weight in one.parameters())
