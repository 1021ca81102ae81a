"""A network follows an encoder, and a model may be truncated to its first bits.

Shapes: N images, T tokens, D features, K bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from lookalike.backbones import graph, tracing
from lookalike.backbones.about import About
from lookalike.backbones.backbone import Backbone, load
from lookalike.core.errors import ModelError
from tests.references.encoders import POSITIONS, write_encoder

from .test_backbones import DIMENSION, SIDE, exported, network, pictures

K = 24


def small(output: str = "positions", *, pooling: str = "mean", version: int = 17) -> Backbone:
    return Backbone(exported(network(output), version=version), About(name="small", side=SIDE, pooling=pooling))


def run(model: onnx.ModelProto) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Codes and latents of the pictures."""
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    code, latent = session.run(["code", "latent"], {"images": pictures()})
    return code, latent


def behind(features: int) -> tuple[nn.Module, onnx.ModelProto]:
    """A small network, and its graph in version 17."""
    torch.manual_seed(1)
    module = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, K)).eval()
    return module, tracing.to_onnx(module, torch.zeros(2, features), outputs=["u"])


def with_head(backbone: Backbone) -> onnx.ModelProto:
    torch.manual_seed(0)
    linear, version = nn.Linear(backbone.dimension, K).eval(), graph.version(backbone.model)
    head = tracing.to_onnx(linear, torch.zeros(2, backbone.dimension), outputs=["u"], version=version)
    return graph.with_network(backbone.model, head, np.full(K, 0.1, np.float32))


def test_without_pooling_all_numbers_of_an_output_are_features() -> None:
    backbone = small("tokens", pooling="none")
    tokens_NTD = backbone.features(pictures()).reshape(3, POSITIONS, DIMENSION)
    assert np.allclose(tokens_NTD.mean(axis=1), small("tokens", pooling="mean").features(pictures()), atol=1e-5)
    positions_NDT = small(pooling="none").features(pictures()).reshape(3, DIMENSION, POSITIONS)
    assert np.allclose(positions_NDT.transpose(0, 2, 1), tokens_NTD, atol=1e-5)


def test_positions_of_an_open_number_reach_a_network_unpooled() -> None:
    encoder = exported(network("positions"))
    for dim in encoder.graph.output[0].type.tensor_type.shape.dim[2:]:
        dim.Clear()
    backbone = Backbone(encoder, About(name="small", side=SIDE, pooling="none"))
    _, latent_NK = run(with_head(backbone))
    assert latent_NK.shape == (3, K)


@pytest.mark.parametrize(
    ("output", "pooling", "said"), [("positions", "first", r'returns positions, which have no "first"')]
)
def test_what_cannot_be_pooled_is_reported(output: str, pooling: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        small(output, pooling=pooling)


@pytest.mark.parametrize("version", [17, 18])
def test_a_network_behind_a_backbone_gives_codes(version: int) -> None:
    backbone = small()
    features = onnx.version_converter.convert_version(backbone.model, version) if version == 18 else backbone.model
    module, part = behind(backbone.dimension)
    before = part.SerializeToString()
    theta_K = np.linspace(-0.2, 0.2, K).astype(np.float32)
    code, latent = run(graph.with_network(features, part, theta_K))
    with torch.inference_mode():
        z_NK = module(torch.from_numpy(backbone.features(pictures()))).numpy()
    assert np.allclose(latent, z_NK, atol=1e-5)
    assert np.array_equal(code, np.packbits(latent > theta_K, axis=1))
    assert part.SerializeToString() == before


def test_operators_that_an_old_encoder_does_not_know_are_reported() -> None:
    backbone = small(version=11)
    _, part = behind(backbone.dimension)
    with pytest.raises(
        ModelError, match=r"the encoder's version 11 of the ONNX operators .*export the encoder with version 17"
    ):
        graph.with_network(backbone.model, part, np.zeros(K, np.float32))


@pytest.mark.parametrize("version", [9, 11, 17])
def test_a_truncated_model_gives_the_first_bits(version: int) -> None:
    whole = with_head(small(pooling="mean", version=version))
    before = whole.SerializeToString()
    code, latent = run(whole)
    for bits in (16, 8):
        short_code, short_latent = run(graph.truncated(whole, bits))
        assert np.array_equal(short_code, code[:, : bits // 8])
        assert np.array_equal(short_latent, latent[:, :bits])
    assert np.array_equal(run(graph.truncated(graph.truncated(whole, 16), 8))[0], code[:, :1])
    assert whole.SerializeToString() == before


def test_a_truncated_model_says_its_shapes() -> None:
    short = graph.truncated(with_head(small(pooling="mean")), 16)
    shapes = {value.name: value.type.tensor_type.shape.dim[1].dim_value for value in short.graph.output}
    assert shapes == {"code": 2, "latent": 16}


def test_pooling_may_be_said_when_a_file_is_loaded(tmp_path: Path) -> None:
    path = write_encoder(tmp_path)
    pooled, whole = load(path), load(path, pooling="none")
    assert (pooled.dimension, whole.dimension) == (32, 32 * POSITIONS)
    assert pooled.digest != whole.digest
    assert pooled.about.sentence == whole.about.sentence
