"""The base of all hashing models: an encoder with two heads, a decoder, and the evidence lower bound.

Paper: Kim et al., section III: the code is the thresholded latent mean. The paper does not state the lower bound; it is
that of Kingma and Welling, "Auto-Encoding Variational Bayes" (2014), whose equation numbers are given below. Departures
and choices:

* The likelihood of a pixel is Gaussian with a fixed standard deviation σ (`ModelConfig.sigma`); the paper says only
  that the difference of x and x̂ is minimised. All losses omit the constant S²·log(σ√2π).
* * The posterior's variance is the sigmoid of its head's output: below 1, the prior's variance, which no optimum of a
  linear decoder exceeds. The usual exponential overflows in the first steps at our learning rates.
* * Only β·σ² affects the optimum, so β is 1, the true lower bound, by default.

Shapes: N images, S = 128 pixels a side, K bits, D outputs of an encoder for an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError

SIDE = 128  # S, pixels


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Settings shared by all models."""

    bits: int = 64  # K
    sigma: float = 0.3  # standard deviation of a pixel around its reconstruction; pixels lie in [0, 1]
    beta: float = 1.0  # weight of the KL term; 1 is the evidence lower bound

    def __post_init__(self) -> None:
        check_bits(self.bits)
        for name in ("sigma", "beta"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be a number above 0")


Config = TypeVar("Config", bound=ModelConfig)


class Losses(NamedTuple):
    """The total loss and its parts: scalars, in nats per image, averaged over the batch."""

    total: Tensor
    parts: dict[str, Tensor]


def _gaussian_nats(x_N1SS: Tensor, reconstruction_N1SS: Tensor, *, sigma: float) -> Tensor:
    """−log p(x | z) without its constant, in nats per image, (N,)."""
    return (x_N1SS - reconstruction_N1SS).square().flatten(1).sum(1) / (2 * sigma**2)


def _kl_nats(mean_NK: Tensor, logvar_NK: Tensor) -> Tensor:
    """KL(q(z | x) ‖ N(0, I)) of a diagonal Gaussian, in nats per image, (N,)."""
    return 0.5 * (mean_NK.square() + logvar_NK.exp() - 1 - logvar_NK).sum(1)  # appendix B


class HashModel(nn.Module, Generic[Config]):
    """A variational autoencoder whose posterior mean, thresholded at θ, is the code.

    A model provides an `encoder` (N, 1, S, S) → (N, D) and a `decoder` (N, K) → (N, 1, S, S).
    """

    def __init__(self, config: Config, *, encoder: nn.Module, width: int, decoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.to_mean = nn.Linear(width, config.bits)
        self.to_variance = nn.Linear(width, config.bits)
        self.decoder = decoder

    def latent(self, x_N1SS: Tensor) -> Tensor:
        """Mean of the posterior, (N, K)."""
        mean_NK: Tensor = self.to_mean(self.encoder(x_N1SS))
        return mean_NK

    def reconstruct(self, x_N1SS: Tensor) -> Tensor:
        """x̂ in [0, 1], (N, 1, S, S), decoded from the mean of the posterior."""
        reconstruction_N1SS: Tensor = self.decoder(self.latent(x_N1SS))
        return reconstruction_N1SS

    def loss(
        self, x_N1SS: Tensor, *, seen_N1SS: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Losses:
        """Negative evidence lower bound, in nats per image, and its two parts; `generator` generates the noise.

        The encoder may be given distorted versions of the images to reconstruct, as `seen_N1SS`.
        """
        h_ND = self.encoder(x_N1SS if seen_N1SS is None else seen_N1SS)
        mean_NK, logvar_NK = self.to_mean(h_ND), functional.logsigmoid(self.to_variance(h_ND))
        noise_NK = torch.randn(mean_NK.shape, generator=generator, device=mean_NK.device)
        z_NK = mean_NK + torch.exp(0.5 * logvar_NK) * noise_NK  # z = μ + σ ⊙ ε, equation 10
        reconstruction = _gaussian_nats(x_N1SS, self.decoder(z_NK), sigma=self.config.sigma).mean()
        kl = _kl_nats(mean_NK, logvar_NK).mean()
        return Losses(
            total=reconstruction + self.config.beta * kl,  # equation 3, one sample of z
            parts={"reconstruction": reconstruction, "kl": kl},
        )
