"""The model file gives the model's codes, and describes itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lookalike.backbones.backbone import load
from lookalike.core import codes
from lookalike.core.errors import TrainingError
from lookalike.hasher import Hasher, ModelInfo
from lookalike.imaging.decode import ImageSpec
from lookalike.models import HashModel, copy_encoder, create, hashing
from lookalike.models.copy_encoder import CopyEncoder
from lookalike.models.hashing import HashingNetwork, Head
from lookalike.training.export import TOLERANCE, export, export_autoencoder, export_behind, theta_digest
from lookalike.training.run import _choose_theta
from lookalike.training.settings import Settings
from lookalike.training.task import SPEC, AutoencoderTask
from tests.references.batch_norms import settle
from tests.references.encoders import SIDE, write_encoder

SETTINGS = Settings(
    images="", limit=None, model="csvae", config={}, seed=0, epochs=1, batch=64, learning_rate=1e-3, validation=0.1
)
NUMBER_OF_IMAGES = {"csvae": 1000, "cvae": 100, "vae": 50, "vte": 100}


def model_of(name: str) -> HashModel[Any]:
    """An untrained model whose BatchNorm has seen something."""
    sizes: dict[str, Any] = (
        {"layers": (128, 64, 32, 16)} if name == "vae" else {}
    )  # the usual ones have 70 MB of weights
    model = create(name, bits=64, seed=2, **sizes)
    for _ in range(2):
        model.latent(torch.rand(8, 1, 128, 128, generator=torch.Generator().manual_seed(0)))
    return model.eval()


def pictures(side: int) -> np.ndarray:
    """Random ones, in colour."""
    return np.random.default_rng(0).integers(0, 256, (5, side, side, 3), dtype=np.uint8)


def head_of(features: int) -> HashingNetwork:
    """A network behind a backbone."""
    return hashing.seeded(lambda: HashingNetwork(Head(features=features, bits=16, hidden=8)), 0)


def copies_of(bits: int) -> HashingNetwork:
    """A network that recognises copies, its weights drawn."""
    return hashing.seeded(
        lambda: HashingNetwork(Head(features=copy_encoder.FEATURES, bits=bits), encoder=CopyEncoder()), 0
    )


def info_of(name: str, theta: np.ndarray) -> ModelInfo:
    return ModelInfo(
        name=f"{name}-64",
        model=name,
        bits=64,
        image=SPEC,
        theta_digest=theta_digest(theta),
        data_name="tiny",
        data_images=900,
        data_validation=100,
        seed=2,
        epochs=1,
    )


@pytest.mark.parametrize("name", NUMBER_OF_IMAGES)
def test_codes_are_those_of_the_torch_model(name: str, tiny_images: np.ndarray, tmp_path: Path) -> None:
    images = tiny_images[: NUMBER_OF_IMAGES[name]]
    model, rows = model_of(name), np.arange(len(images))
    task = AutoencoderTask(SETTINGS, images)
    theta = _choose_theta(task, model, rows)
    info = info_of(name, theta)
    export_autoencoder(tmp_path / "model.onnx", model, theta, info, check_NSS=images[:4])

    hasher = Hasher.load(tmp_path / "model.onnx")
    z = task.latents(model, rows)
    np.testing.assert_allclose(hasher.latents(images[:20]), z[:20], atol=TOLERANCE)
    differing = codes.unpack(hasher.encode_arrays(images)) != codes.binarize(z, theta)
    assert not (differing & (np.abs(z - theta) >= TOLERANCE)).any()
    assert hasher.info == info
    if name == "csvae":
        assert (tmp_path / "model.onnx").stat().st_size < 3e6


def test_the_same_weights_give_the_same_bytes_and_no_paths(tiny_images: np.ndarray, tmp_path: Path) -> None:
    theta = np.zeros(64, np.float32)
    for out in ("a.onnx", "b.onnx"):
        export_autoencoder(tmp_path / out, model_of("cvae"), theta, info_of("cvae", theta), check_NSS=tiny_images[:4])
    content = (tmp_path / "a.onnx").read_bytes()
    assert content == (tmp_path / "b.onnx").read_bytes()
    assert b".py" not in content
    assert not list(tmp_path.glob("*.tmp"))


def test_networks_of_features_and_of_images_give_the_same_bytes_each_time(tmp_path: Path) -> None:
    theta = np.zeros(16, np.float32)
    backbone = load(write_encoder(tmp_path))
    behind, own = head_of(32).eval(), copies_of(16)
    small, large = pictures(SIDE), pictures(copy_encoder.SIDE)[..., 0]
    settle(own, torch.from_numpy(large))
    info = dataclasses.replace(info_of("clusters", theta), bits=16)
    for out in ("a", "b"):
        at_hand = dataclasses.replace(info, image=backbone.spec)
        export_behind(
            tmp_path / f"{out}.behind", backbone, behind, theta, at_hand, check_NSSC=small,
            features_ND=backbone.features(small),
        )  # fmt: skip
        at_hand = dataclasses.replace(info, image=ImageSpec(side=copy_encoder.SIDE, colour=False))
        export(tmp_path / f"{out}.own", own, theta, at_hand, check_NSSC=large)
    for kind in ("behind", "own"):
        content = (tmp_path / f"a.{kind}").read_bytes()
        assert content == (tmp_path / f"b.{kind}").read_bytes()
        assert b".py" not in content
    assert not list(tmp_path.glob("*.tmp"))


def test_both_looks_are_in_the_file_and_weights_once(tmp_path: Path) -> None:
    network = copies_of(16)
    theta, images = np.zeros(16, np.float32), pictures(copy_encoder.SIDE)[..., 0]
    settle(network, torch.from_numpy(images))
    spec = ImageSpec(side=copy_encoder.SIDE, colour=False)
    info = dataclasses.replace(info_of("copies", theta), bits=16, image=spec)
    export(tmp_path / "m.onnx", network, theta, info, check_NSSC=images)
    with torch.inference_mode():
        z = network(torch.from_numpy(images)).numpy()
        of_one_look = network.head(network.encoder(torch.from_numpy(images))).numpy()
    np.testing.assert_allclose(Hasher.load(tmp_path / "m.onnx").latents(images), z, atol=10 * TOLERANCE)
    assert z.std(axis=0).max() > 100 * TOLERANCE
    assert np.abs(z - of_one_look).max() > 100 * TOLERANCE
    weights = sum(weight.numel() for weight in network.parameters())
    assert 4 * weights < (tmp_path / "m.onnx").stat().st_size < 5 * weights


def test_features_of_other_images_are_found_out(tmp_path: Path) -> None:
    theta, backbone = np.zeros(16, np.float32), load(write_encoder(tmp_path))
    network = head_of(32).eval()
    info = dataclasses.replace(info_of("clusters", theta), bits=16, image=backbone.spec)
    with pytest.raises(TrainingError, match=r"disagrees with the trained one in .* bits of 5 images"):
        export_behind(
            tmp_path / "m.onnx", backbone, network, theta, info, check_NSSC=pictures(SIDE),
            features_ND=np.random.default_rng(1).normal(size=(5, 32)),
        )  # fmt: skip
    assert not (tmp_path / "m.onnx").exists()


def test_a_graph_that_disagrees_is_not_written(
    tiny_images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hasher, "encode_arrays", lambda _self, images: np.zeros((len(images), 8), np.uint8))
    theta = np.zeros(64, np.float32)
    with pytest.raises(TrainingError, match="disagrees with the trained one"):
        export_autoencoder(
            tmp_path / "m.onnx", model_of("cvae"), theta, info_of("cvae", theta), check_NSS=tiny_images[:4]
        )
    assert not list(tmp_path.iterdir())
