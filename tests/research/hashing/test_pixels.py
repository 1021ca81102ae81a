"""Further autoencoders: losses by their formulas, codes of the exported file.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from lookalike.core.errors import ConfigError
from lookalike.hasher import Hasher
from lookalike.models import create
from lookalike.models.base import SIDE
from lookalike.training import TrainConfig, reconstruct, train
from research.hashing.pixels import PIXEL_MODELS, PIXEL_TASKS, SCAE, PixelTask, SCAEConfig, changed
from tests.references.encoders import write_kinds

N, K = 3, 16


def images(seed: int = 0) -> torch.Tensor:
    return torch.rand(N, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", PIXEL_MODELS)
def test_shapes_gradients_and_the_same_weights_for_a_seed(name: str) -> None:
    model = create(name, models=PIXEL_MODELS, bits=K)
    model.loss(images()).total.backward()  # type: ignore[no-untyped-call]
    assert all(weight.grad is not None for weight in model.parameters())
    model.eval()
    with torch.inference_mode():
        z_NK, drawn_N1SS = model.latent(images()), model.reconstruct(images())
        alone = torch.cat([model.latent(image[None]) for image in images()])
    assert (z_NK.shape, drawn_N1SS.shape) == ((N, K), (N, 1, SIDE, SIDE))
    assert torch.allclose(z_NK, alone, atol=1e-5)
    assert (drawn_N1SS >= 0).all()
    assert (drawn_N1SS <= 1).all()
    same = create(name, models=PIXEL_MODELS, bits=K).state_dict()
    assert all(
        torch.equal(value, same[key]) for key, value in create(name, models=PIXEL_MODELS, bits=K).state_dict().items()
    )


def test_the_loss_of_vit_is_the_squared_error() -> None:
    model = create("vit", models=PIXEL_MODELS, bits=K, sigma=0.5).eval()
    with torch.inference_mode():
        losses, drawn = model.loss(images()), model.reconstruct(images())
    squares = [(x - y) ** 2 for x, y in zip(images().flatten().tolist(), drawn.flatten().tolist(), strict=True)]
    assert losses.total.item() == pytest.approx(sum(squares) / (2 * 0.5**2) / N, rel=1e-4)
    assert list(losses.parts) == ["reconstruction"]


def test_the_code_of_vit_is_of_the_class_token() -> None:
    """The other tokens reach it by attention alone: without it, all images have the same code."""
    model = create("vit", models=PIXEL_MODELS, bits=K).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "from_heads" in name:
                weight.zero_()
        z_NK = model.latent(images())
    assert torch.allclose(z_NK, z_NK[:1].expand_as(z_NK), atol=1e-6)


@pytest.mark.parametrize("name", PIXEL_MODELS)
def test_the_file_gives_the_codes_of_the_network(name: str, tmp_path: Path) -> None:
    photos, out = write_kinds(tmp_path / "photos", each=5), tmp_path / "model.onnx"
    made = train(photos, TrainConfig(model=name, bits=K, epochs=1, batch=8), out=out, tasks=PIXEL_TASKS)
    hasher = Hasher.load(out)
    assert (made.info.name, hasher.bits, hasher.info.model) == (f"{name}-{K}", K, name)
    pictures_NSS = (255 * images()[:, 0]).to(torch.uint8).numpy()
    assert hasher.encode_arrays(pictures_NSS).shape == (N, K // 8)
    drawn = reconstruct(made.folder, pictures_NSS, models=PixelTask.models)
    assert drawn.shape == (N, SIDE, SIDE)
    assert np.isfinite(drawn).all()


def test_the_loss_of_scae_is_error_binarisation_and_balance() -> None:
    model = create("scae", models=PIXEL_MODELS, bits=K, sigma=0.5, binary=2.0, balance=3.0, share=0.1).eval()
    with torch.inference_mode():
        losses, drawn, z = model.loss(images()), model.reconstruct(images()), model.latent(images())
    h = [[1 / (1 + math.exp(-x)) for x in row] for row in z.tolist()]
    means = [sum(column) / N for column in zip(*h, strict=True)]
    divergence = sum(0.1 * math.log(0.1 / q) + 0.9 * math.log(0.9 / (1 - q)) for q in means)
    squares = ((images() - drawn) ** 2).sum().item() / N
    binary = sum(x * (1 - x) for row in h for x in row) / N
    assert losses.total.item() == pytest.approx((squares + 2 * binary + 3 * divergence) / (2 * 0.5**2), rel=1e-4)


def test_gradients_of_scae_are_those_of_its_penalties() -> None:
    model = SCAE(SCAEConfig(bits=8)).double()
    z_NK = torch.randn(N, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: torch.stack(list(model.penalties(z).values())).sum(), z_NK)
    assert PixelTask.models["scae"][0] is SCAEConfig


def test_settings_are_set_by_name() -> None:
    assert changed("vae", ["sigma=0.5", "layers=(8,4)"]) == {"sigma": 0.5, "layers": (8, 4)}
    assert changed("dhn", []) == {}
    for model, text, said in (
        ("dhn", "sigma=1", "--set is for models of pixels .*, not for dhn"),
        ("cvae", "depth=2", "cvae has no setting 'depth'; it has sigma, beta, channels"),
        ("vte", "depth=two", "'two' is neither a number"),
        ("scae", "bits=8", "scae has no setting 'bits'"),
    ):
        with pytest.raises(ConfigError, match=said):
            changed(model, [text])
