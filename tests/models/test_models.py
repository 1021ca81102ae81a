"""Properties of every model, and of each according to the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lookalike.core.errors import ConfigError
from lookalike.models import MODELS, HashModel, create
from lookalike.models.blocks import MinMax, SimAM
from lookalike.models.vae import VAEConfig
from tests.references.batch_norms import settle

SMALL: dict[str, dict[str, Any]] = {  # settings with which a test takes no time
    "vae": {"layers": (64, 32, 16, 8)},
    "cvae": {"channels": (4, 4, 8, 8)},
    "csvae": {"channels": (4, 4, 8, 8)},
    "vte": {"channels": (4, 4, 8, 8), "embedding": 16, "depth": 1},
}

MIDDLING: dict[str, dict[str, Any]] = {  # with which a test takes a second
    "vae": {"layers": (256, 128, 64, 32)},
    "cvae": {"channels": (8, 16, 32, 64)},
    "csvae": {"channels": (8, 16, 32, 64)},
    "vte": {"channels": (8, 16, 32, 64), "embedding": 64, "depth": 2},
}


def losses_of(model: HashModel[Any], x: torch.Tensor, *, steps: int) -> list[float]:
    """The losses of some steps on one batch."""
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for step in range(steps):
        loss = model.loss(x, generator=torch.Generator().manual_seed(step)).total
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", MODELS)
def test_forty_steps_on_real_images_lower_the_loss(name: str, tiny_images: np.ndarray) -> None:
    x = MinMax()(torch.from_numpy(np.array(tiny_images[:16])))
    losses = losses_of(create(name, seed=1, **MIDDLING[name]), x, steps=40)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", MODELS)
def test_training_is_determined_by_the_seed(name: str, tiny_images: np.ndarray) -> None:
    x = MinMax()(torch.from_numpy(np.array(tiny_images[:8])))
    first, again, other = (losses_of(create(name, seed=s, **SMALL[name]), x, steps=3) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("bits", [8, 64, 512])
def test_shapes(name: str, bits: int) -> None:
    model = create(name, bits=bits, **SMALL[name])
    x = torch.rand(3, 1, 128, 128)
    assert model.latent(x).shape == (3, bits)
    reconstruction = model.reconstruct(x)
    assert reconstruction.shape == x.shape
    assert 0 <= reconstruction.min() <= reconstruction.max() <= 1


def test_making_a_model_leaves_the_global_random_numbers_alone() -> None:
    before = torch.get_rng_state()
    create("csvae", seed=5)
    assert torch.equal(before, torch.get_rng_state())


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'resnet'; it must be one of vae, cvae, csvae, vte"):
        create("resnet")


def test_vae_has_four_fully_connected_layers_each_way_that_halve_and_double() -> None:
    model = create("vae", bits=64)
    encoder = [layer.out_features for layer in model.encoder.modules() if isinstance(layer, nn.Linear)]
    decoder = [layer.in_features for layer in model.decoder.modules() if isinstance(layer, nn.Linear)]
    assert encoder == [1024, 512, 256, 128]
    assert decoder[1:] == encoder[::-1]


def test_cvae_halves_the_side_four_times_and_its_decoder_mirrors_it() -> None:
    model = create("cvae")
    encoder = [(layer.in_channels, layer.out_channels) for layer in convolutions(model.encoder)]
    decoder = [(layer.out_channels, layer.in_channels) for layer in convolutions(model.decoder)]
    assert encoder == [(1, 16), (16, 32), (32, 64), (64, 128)]
    assert decoder == encoder[::-1]


def test_csvae_is_cvae_with_simam_after_the_second_and_third_layer() -> None:
    layers = list(create("csvae").encoder.children())
    assert [index for index, layer in enumerate(layers) if isinstance(layer, SimAM)] == [2, 4]
    plain, attentive = create("cvae"), create("csvae")
    assert [p.shape for p in plain.parameters()] == [p.shape for p in attentive.parameters()]


def test_vte_tells_where_a_patch_is() -> None:
    model = create("vte", **SMALL["vte"]).eval()
    x = torch.zeros(1, 1, 128, 128)
    left, right = x.clone(), x.clone()
    left[..., :16, :16] = 1
    right[..., :16, 16:32] = 1
    assert not torch.allclose(model.latent(left), model.latent(right))


def test_the_paper_s_own_widths_can_be_had() -> None:
    assert VAEConfig(layers=(8192, 4096, 2048, 1024)).widths[0] == 8192
    assert VAEConfig(bits=512).widths == (8192, 4096, 2048, 1024)
    assert [VAEConfig(bits=bits).widths[-1] for bits in (16, 64, 128)] == [128, 128, 256]


def test_a_vae_starts_as_principal_components() -> None:
    random = torch.Generator().manual_seed(0)
    patterns = nn.functional.interpolate(torch.randn(12, 1, 8, 8, generator=random), size=128, mode="bilinear")
    weights = torch.randn(100, 12, generator=random) * 0.8 ** torch.arange(12)
    images = (0.5 + 0.02 * torch.tensordot(weights, patterns, dims=1)).clamp(0, 1)
    centred = (images - images.mean(dim=0)).flatten(1)
    expected = torch.linalg.svdvals(centred)[8:].square().sum() / centred.numel()
    errors = {}
    for start in (True, False):
        model = create("vae", bits=8, layers=(256, 128, 64, 32))
        if start:
            model.start(images)  # type: ignore[operator]
        settle(model.encoder, images)
        h_ND = model.encoder(images)
        settle(model.decoder, model.to_mean(h_ND))
        with torch.inference_mode():
            errors[start] = (model.reconstruct(images) - images).square().mean().item()
    assert errors[True] < 1.2 * expected
    assert errors[False] > 3 * expected


def test_a_vae_starts_from_fewer_images_than_components() -> None:
    model = create("vae", bits=64, layers=(64, 32, 16, 16))
    model.start(torch.rand(3, 1, 128, 128, generator=torch.Generator().manual_seed(0)))  # type: ignore[operator]
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
    assert all(row.abs().sum() > 0 for row in model.to_mean.weight)  # otherwise a bit would never be learnt


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
