"""A user's encoder as in docs/backbones.md: exported by torch, described in TOML, used for training.

Shapes: N images, S = 32 pixels a side, D = 48 features.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.hasher import Hasher
from lookalike.training import TrainConfig, TrainReport, train

SIDE, FEATURES, BITS = 32, 48, 16


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """An ONNX file of positions (N, D, 4, 4), not yet described."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, FEATURES, 8, stride=8), nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(), (torch.zeros(1, 3, SIDE, SIDE),), tmp_path / "encoder.onnx", dynamo=False, opset_version=17,
            input_names=["images"], output_names=["positions"],
            dynamic_axes={"images": {0: "N"}, "positions": {0: "N"}},
        )  # fmt: skip
    return tmp_path / "encoder.onnx"


def trained(encoder: Path, photos: Path) -> TrainReport:
    config = TrainConfig(model="itq", bits=BITS, backbone=encoder, epochs=1)
    return train(photos, config, out=encoder.with_name("model.onnx"))


@pytest.mark.parametrize("pooling", ["mean", "none"])
def test_what_is_written_next_to_an_encoder_stands_in_the_model(
    pooling: str, encoder: Path, photo_folder: Path
) -> None:
    encoder.with_suffix(".toml").write_text(f'side = {SIDE}\npooling = "{pooling}"\nlicence = "MIT"\nlabels = false\n')
    made = trained(encoder, photo_folder)
    told = "encoder, 32 pixels, trained on unknown without labels, licence MIT; pixels in [0, 1] less 0.485/0.456/0.406"
    assert made.info.backbone.startswith(told)
    assert made.info.backbone.endswith(f"pooling {pooling}")
    images = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    assert Hasher.load(made.path).encode_arrays(images).shape == (2, BITS // 8)
