"""Models of transformers give the same results as in PyTorch, and nothing is downloaded for them. Weights are random.

Shapes: N images, S pixels a side, D features.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lookalike.backbones import huggingface, tracing
from lookalike.backbones.about import About
from lookalike.backbones.backbone import load
from lookalike.core.errors import ConfigError, ModelError
from lookalike.hasher import Hasher
from lookalike.training import TrainConfig, train

SIDE, MEAN, DEVIATION = 32, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
CARD = "---\nlicense: mit\ndatasets:\n- some/photos\n- others\n---\n# A model\n"
FAR = 1e-4  # features of two runtimes


def pictures(side: int = SIDE) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)


def scaled(images_NSSC: npt.NDArray[np.uint8], mean: Any = MEAN, deviation: Any = DEVIATION) -> Any:
    """What a network is handed, (N, 3, S, S)."""
    x_NSSC = (torch.from_numpy(images_NSSC).float() / 255 - torch.tensor(mean)) / torch.tensor(deviation)
    return x_NSSC.permute(0, 3, 1, 2)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for another machine fails the test."""

    def refused(*arguments: object, **_: object) -> None:
        pytest.fail(f"asked for {arguments}")

    monkeypatch.setattr("socket.getaddrinfo", refused)
    monkeypatch.setattr("socket.socket.connect", refused)


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", os.fspath(tmp_path / "hub"))
    return tmp_path / "hub"


def put(cache: Path, name: str) -> Path:
    """The folder in a cache for a model's files."""
    place, revision = cache / f"models--{name.replace('/', '--')}", "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(revision)
    (place / "snapshots" / revision).mkdir(parents=True)
    return place / "snapshots" / revision


# Without the packages


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"hf:some/model needs the package transformers, .* pip install transformers"):
        load("hf:some/model")


def test_a_prefix_alone_names_no_model() -> None:
    with pytest.raises(ConfigError, match="hf: names no model; expected hf:NAME"):
        load("hf:")


def test_an_unknown_backbone_is_reported_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"resnet is neither .*, hf:NAME nor an ONNX file"):
        load("resnet")


@pytest.mark.parametrize(
    ("told", "side"),
    [
        ({"size": 384}, 384),
        ({"size": [192, 192]}, 192),
        ({"size": {"height": 96, "width": 96}, "crop_size": {"height": 80, "width": 80}}, 96),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 80, "width": 80}, "do_center_crop": True}, 80),
        ({"size": {"shortest_edge": 256}, "crop_size": 72, "do_center_crop": True}, 72),
        ({"do_center_crop": True}, 64),
        ({}, 64),
    ],
)
def test_the_side_is_that_of_the_models_own_preparation(told: dict[str, Any], side: int, tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    assert huggingface.about(blank(image_size=64), tmp_path, "small").side == side
    assert huggingface.about(blank(image_size=64), tmp_path, "small", 48).side == 48


@pytest.mark.parametrize(
    ("told", "mean", "deviation"),
    [
        ({}, 0.485, 0.229),
        ({"image_mean": 0.5, "image_std": [0.25]}, 0.5, 0.25),
        ({"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "do_normalize": False}, 0.0, 1.0),
        ({"image_mean": [127.5] * 3, "image_std": [51] * 3, "do_rescale": False}, 0.5, 0.2),
        ({"image_mean": [0.5] * 3, "do_flip_channel_order": True}, 0.0, 1.0),
        ({"image_mean": 0, "image_std": 1, "rescale_factor": 1 / 127.5, "rescale_offset": True}, 0.5, 0.5),
    ],
)
def test_pixels_are_scaled_as_the_model_has_it(
    told: dict[str, Any], mean: float, deviation: float, tmp_path: Path
) -> None:
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": told}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.9] * 3}))  # of older versions
    about = huggingface.about(blank(), tmp_path, "small")
    assert about.mean == pytest.approx((mean, 0.456, 0.406) if not told else (mean,) * 3)
    assert about.deviation == pytest.approx((deviation, 0.224, 0.225) if not told else (deviation,) * 3)


def test_a_preparation_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json is not a readable JSON object"):
        huggingface.about(blank(), tmp_path, "small")


def blank(**config: Any) -> Any:
    """A model of which only the configuration counts."""
    return SimpleNamespace(config=SimpleNamespace(**config), state_dict=dict)


class Drawing(torch.nn.Module):
    """A random network."""

    def forward(self, x_NCSS: Any) -> Any:
        return x_NCSS.mean(dim=(2, 3)) + torch.rand(1)


def test_what_onnx_does_not_give_again_is_refused() -> None:
    about = About(name="drawing", side=SIDE)
    network = Drawing().eval()
    with pytest.raises(ModelError, match="drawing gives other results in ONNX than in PyTorch"):
        tracing.check(tracing.traced(network, about, output="features"), network, about)


class Heavy(torch.nn.Linear):
    """A network of which only the size counts."""


def test_a_network_too_large_for_a_file_is_refused() -> None:
    with pytest.raises(ModelError, match=r"heavy has 4\.0 GiB of weights"):
        tracing.traced(Heavy(2**15, 2**15, device="meta"), About(name="heavy"), output="features")


def test_what_an_error_says_fits_on_a_line() -> None:
    assert tracing.one_line(ValueError("\nno such model.\nmore")) == "no such model"
    assert (
        tracing.one_line(ValueError("Error(s) in loading:\n\tmissing keys\nmore"))
        == "Error(s) in loading: missing keys"
    )
    assert tracing.one_line(ValueError()) == "ValueError"


# With transformers


@pytest.fixture
def transformers() -> Any:
    found = pytest.importorskip("transformers", reason="needs the package transformers")
    torch.manual_seed(0)
    return found


def saved(model: Any, folder: Path, **preparation: Any) -> Any:
    """A model in a folder, as from `save_pretrained`; itself."""
    model.save_pretrained(folder)
    told = {"image_mean": MEAN, "image_std": DEVIATION, "size": {"height": SIDE, "width": SIDE}} | preparation
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    return model.eval()


def hidden(model: Any, images: npt.NDArray[np.uint8] | None = None, **options: Any) -> Any:
    with torch.inference_mode():
        return model(pixel_values=scaled(pictures() if images is None else images), **options)


def vit(transformers: Any, **config: Any) -> Any:
    return transformers.ViTModel(transformers.ViTConfig(image_size=SIDE, patch_size=8, **SMALL, **config))


def dinov2(transformers: Any) -> Any:
    return transformers.Dinov2Model(transformers.Dinov2Config(image_size=SIDE, patch_size=8, **SMALL))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("make", [vit, dinov2])
def test_features_of_transformers_are_its_class_tokens(make: Any, transformers: Any, tmp_path: Path) -> None:
    expected = hidden(saved(make(transformers), tmp_path / "small")).last_hidden_state.numpy()
    (tmp_path / "small/README.md").write_text(CARD)
    backbone = load(f"hf:{tmp_path / 'small'}")
    assert (backbone.dimension, backbone.spec.shape, backbone.about.pooling) == (32, (SIDE, SIDE, 3), "first")
    assert np.abs(backbone.features(pictures()) - expected[:, 0]).max() < FAR
    sentence = "hf:small, 32 pixels, trained on some/photos, others with or without labels: unknown, licence mit"
    assert backbone.about.sentence == sentence
    whole = load(f"hf:{tmp_path / 'small'}", pooling="none").features(pictures())
    assert np.abs(whole.reshape(3, 17, 32) - expected).max() < FAR


@pytest.mark.parametrize("make", [vit, dinov2])
def test_another_side_interpolates_the_places(make: Any, transformers: Any, tmp_path: Path) -> None:
    model = saved(make(transformers), tmp_path)
    images = pictures(48)
    options = {"interpolate_pos_encoding": True} if make is vit else {}
    expected = hidden(model, images, **options).last_hidden_state[:, 0].numpy()
    assert np.abs(load(f"hf:{tmp_path}", side=48).features(images) - expected).max() < FAR


def test_of_clip_the_image_tower_is_taken(transformers: Any, tmp_path: Path) -> None:
    config = transformers.CLIPConfig(
        vision_config={"image_size": SIDE, "patch_size": 8, "intermediate_size": 64, **SMALL},
        text_config={"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2, **SMALL},
    )
    model = saved(transformers.CLIPModel(config), tmp_path)
    expected = hidden(model.vision_model).pooler_output.numpy()
    assert np.abs(load(f"hf:{tmp_path}").features(pictures()) - expected).max() < FAR
    assert load(f"hf:{tmp_path}", pooling="none").dimension == 17 * 32


def test_siglip_pools_by_attention(transformers: Any, tmp_path: Path) -> None:
    config = transformers.SiglipVisionConfig(image_size=SIDE, patch_size=8, intermediate_size=64, **SMALL)
    model = saved(transformers.SiglipVisionModel(config), tmp_path)
    expected = hidden(model).pooler_output.numpy()
    assert np.abs(load(f"hf:{tmp_path}").features(pictures()) - expected).max() < FAR


@pytest.mark.parametrize("flipped", [False, True])
def test_features_of_convolutions_are_means_over_positions(flipped: bool, transformers: Any, tmp_path: Path) -> None:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
    )
    model = saved(
        transformers.ResNetForImageClassification(config), tmp_path, do_flip_channel_order=flipped, do_normalize=True
    )
    x_NCSS = scaled(pictures())
    with torch.inference_mode():
        expected = model.resnet(x_NCSS.flip(1) if flipped else x_NCSS).last_hidden_state.mean(dim=(2, 3)).numpy()
    backbone = load(f"hf:{tmp_path}")
    assert np.abs(backbone.features(pictures()) - expected).max() < FAR
    assert (backbone.about.pooling, backbone.about.labels) == ("mean", True)


@pytest.mark.usefixtures("no_network")
def test_a_name_of_the_hub_is_looked_up_in_its_cache(transformers: Any, cached: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not in the Hugging Face cache, .* hf download some/small; or name"):
        load("hf:some/small")
    folder = put(cached, "some/small")
    expected = hidden(saved(vit(transformers), folder)).last_hidden_state[:, 0].numpy()
    (folder / "README.md").write_text(CARD)
    backbone = load("hf:some/small")
    assert np.abs(backbone.features(pictures()) - expected).max() < FAR
    assert (backbone.about.name, backbone.about.licence) == ("hf:some/small", "mit")


@pytest.mark.usefixtures("no_network")
def test_a_folder_without_a_model_is_reported(transformers: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be loaded .*\. Name a folder written by save_pretrained"):
        load(f"hf:{tmp_path}")
    text = transformers.BertModel(transformers.BertConfig(vocab_size=50, intermediate_size=64, **SMALL))
    text.save_pretrained(tmp_path / "text")
    with pytest.raises(ConfigError, match="takes input_ids, not images"):
        load(f"hf:{tmp_path / 'text'}")


def test_weights_that_are_missing_are_not_drawn(transformers: Any, tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    saved(vit(transformers), tmp_path)
    weights = safetensors.load_file(tmp_path / "model.safetensors")
    kept = {key: value for key, value in weights.items() if not key.startswith("pooler.")}
    safetensors.save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert load(f"hf:{tmp_path}").dimension == 32  # the pooler's are not needed
    del kept["embeddings.cls_token"]
    safetensors.save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"lacks weights for embeddings\.cls_token and 0 others"):
        load(f"hf:{tmp_path}")


def test_a_model_that_masks_by_chance_is_refused(transformers: Any, tmp_path: Path) -> None:
    config = transformers.ViTMAEConfig(image_size=SIDE, patch_size=8, intermediate_size=64, **SMALL)
    saved(transformers.ViTMAEModel(config), tmp_path)
    with pytest.raises(ModelError, match="it is random"):
        load(f"hf:{tmp_path}")


def test_a_model_is_trained_behind_transformers(transformers: Any, photo_folder: Path, tmp_path: Path) -> None:
    saved(vit(transformers), tmp_path / "small")
    config = TrainConfig(model="itq", bits=16, backbone=f"hf:{tmp_path / 'small'}")
    trained = train(photo_folder, config, out=tmp_path / "m.onnx")
    assert trained.info.backbone.startswith("hf:small, 32 pixels, trained on unknown")
    codes = Hasher.load(tmp_path / "m.onnx").encode_arrays(pictures())
    assert codes.shape == (3, 2)
