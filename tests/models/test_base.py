"""The evidence lower bound against closed forms and sampling, and the settings all models share."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lookalike.core.errors import ConfigError
from lookalike.models import MODELS, create
from lookalike.models.base import ModelConfig, _gaussian_nats, _kl_nats


@pytest.fixture
def posterior() -> tuple[torch.Tensor, torch.Tensor]:
    numbers = torch.Generator().manual_seed(1)
    return torch.randn(5, 8, generator=numbers), torch.randn(5, 8, generator=numbers)


def test_kl_is_the_closed_form(posterior: tuple[torch.Tensor, torch.Tensor]) -> None:
    mean, logvar = posterior
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(_kl_nats(mean, logvar), expected)
    assert _kl_nats(torch.zeros(2, 8), torch.zeros(2, 8)).tolist() == [0, 0]


def test_kl_is_what_sampling_gives(posterior: tuple[torch.Tensor, torch.Tensor]) -> None:
    mean, logvar = posterior
    noise = torch.randn(20_000, *mean.shape, generator=torch.Generator().manual_seed(2))
    z = mean + (logvar / 2).exp() * noise
    sampled = log_prob(Normal(mean, (logvar / 2).exp()), z) - log_prob(Normal(0.0, 1.0), z)
    torch.testing.assert_close(sampled.sum(2).mean(0), _kl_nats(mean, logvar), rtol=0.02, atol=0.1)


def test_reconstruction_is_the_likelihood_without_its_constant() -> None:
    x, other = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    sigma = 0.3
    constant = 16 * math.log(sigma * math.sqrt(2 * math.pi))
    expected = -log_prob(Normal(other, sigma), x).flatten(1).sum(1) - constant
    torch.testing.assert_close(_gaussian_nats(x, other, sigma=sigma), expected)


def test_total_is_the_weighted_sum_of_its_parts() -> None:
    model = create("cvae", bits=8, beta=2.5)
    losses = model.loss(torch.rand(2, 1, 128, 128), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(losses.total, losses.parts["reconstruction"] + 2.5 * losses.parts["kl"])


def test_noise_comes_from_the_generator_alone() -> None:
    model, x = create("cvae", bits=8).eval(), torch.rand(2, 1, 128, 128)
    before = torch.get_rng_state()
    first, again, other = (model.loss(x, generator=torch.Generator().manual_seed(s)).total for s in (3, 3, 4))
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("bits", [-8, 0, 4, 12, 63, 520])
def test_bits_out_of_range_are_refused(bits: int) -> None:
    for config_class, _ in MODELS.values():
        with pytest.raises(ConfigError, match=rf"bits is {bits}; .*8 to 512 bits, in steps of 8"):
            config_class(bits=bits)


@pytest.mark.parametrize(("name", "value"), [("sigma", 0.0), ("sigma", float("inf")), ("beta", -1.0)])
def test_weights_must_be_positive(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        ModelConfig(**{name: value})  # type: ignore[arg-type]


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().bits = 8  # type: ignore[misc]


def log_prob(distribution: Normal, x: torch.Tensor) -> torch.Tensor:
    value: torch.Tensor = distribution.log_prob(x)  # type: ignore[no-untyped-call]
    return value
