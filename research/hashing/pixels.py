"""Further autoencoders of grey images, trained like the paper's four, but without noise: ViT and SCAE.

Shapes: N images, S = 128 pixels a side, T tokens, E numbers a token, K bits.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.core.errors import ConfigError
from lookalike.models import MODELS, Models
from lookalike.models.base import SIDE, Config, HashModel, Losses
from lookalike.models.blocks import ConvDecoder, TransformerBlock
from lookalike.models.cvae import CVAE, CVAEConfig
from lookalike.models.vte import VTEConfig
from lookalike.training.task import AutoencoderTask


class Deterministic(HashModel[Config]):
    """An autoencoder without noise: the latent itself, thresholded at θ, is the code."""

    def __init__(self, config: Config, *, encoder: nn.Module, width: int, decoder: nn.Module) -> None:
        super().__init__(config, encoder=encoder, width=width, decoder=decoder)
        del self.to_variance

    def loss(
        self, x_N1SS: Tensor, *, seen_N1SS: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Losses:
        """The squared error of an image's reconstruction, divided by 2σ² as in the other models, and `penalties`."""
        z_NK = self.latent(x_N1SS if seen_N1SS is None else seen_N1SS)
        error = (x_N1SS - self.decoder(z_NK)).square().flatten(1).sum(1).mean() / (2 * self.config.sigma**2)
        parts = {"reconstruction": error, **self.penalties(z_NK)}
        return Losses(total=torch.stack(list(parts.values())).sum(), parts=parts)

    def penalties(self, z_NK: Tensor) -> dict[str, Tensor]:
        """Further parts of the loss."""
        return {}


class _ClassToken(nn.Module):
    """Images (N, 1, S, S) → the class token of a vision transformer, (N, E)."""

    def __init__(self, config: VTEConfig) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, config.embedding, config.patch, stride=config.patch)
        self.first_E = nn.Parameter(0.02 * torch.randn(config.embedding))
        self.position_TE = nn.Parameter(0.02 * torch.randn(config.tokens + 1, config.embedding))
        blocks = [TransformerBlock(config.embedding, heads=config.heads) for _ in range(config.depth)]
        self.blocks, self.norm = nn.Sequential(*blocks), nn.LayerNorm(config.embedding)

    def forward(self, x_N1SS: Tensor) -> Tensor:
        x_NTE = self.embed(x_N1SS).flatten(2).transpose(1, 2)
        first_N1E = self.first_E + 0 * x_NTE[:, :1]  # batch size from the input, also when traced
        h_NTE = self.blocks(torch.cat([first_N1E, x_NTE], dim=1) + self.position_TE)
        first_NE: Tensor = self.norm(h_NTE[:, 0])
        return first_NE


class ViT(Deterministic[VTEConfig]):
    """A plain vision transformer, the third model that the paper's contributions name beside VAE and VTE.

    Paper: Kim et al., section III: "the output of ViT can be considered as the latent vector", trained by
    self-supervision; no figures are printed for it, and it says neither how it is trained nor which output is meant.
    Here: the class token (Dosovitskiy et al. 2021, equation 4) and a linear layer to K numbers, trained to reconstruct
    the image by VTE's decoder, with VTE's sizes. So VTE is this model with noise, a prior and all tokens.
    """

    def __init__(self, config: VTEConfig) -> None:
        decoder = ConvDecoder(config.bits, config.channels)
        super().__init__(config, encoder=_ClassToken(config), width=config.embedding, decoder=decoder)


@dataclass(frozen=True, kw_only=True, slots=True)
class SCAEConfig(CVAEConfig):
    """Settings of an SCAE."""

    binary: float = 1.0  # weight of Σ h(1 − h), relative to a squared error
    balance: float = 1.0  # weight of the divergence of a bit's mean from `share`
    share: float = 0.5  # of images in which a bit is 1; less makes codes sparse


class SCAE(Deterministic[SCAEConfig]):
    """A convolutional autoencoder with a nearly binary middle layer h = σ(z), of CVAE's sizes.

    Source: En, Crémilleux, Jurie, "Unsupervised deep hashing with stacked convolutional autoencoders", ICIP 2017. After
    the description: only the abstract could be read ("a binary relaxation constraint applied to the middle layer makes
    the codes sparse and binary"; measured on MNIST). The form of the penalties, their weights, and training all layers
    together instead of one after the other are our choice. The code is h > ½.
    """

    def __init__(self, config: SCAEConfig) -> None:
        super().__init__(
            config,
            encoder=nn.Sequential(*CVAE.encoder_layers(config.channels), nn.Flatten()),
            width=config.channels[-1] * (SIDE // 16) ** 2,
            decoder=nn.Sequential(nn.Sigmoid(), ConvDecoder(config.bits, config.channels)),
        )

    def penalties(self, z_NK: Tensor) -> dict[str, Tensor]:
        """Σ h(1 − h) of an image, and Σ KL(ρ ‖ mean h) over bits, both divided by 2σ² like the squared error."""
        h_NK, rho = torch.sigmoid(z_NK), self.config.share
        mean_K, scale = h_NK.mean(dim=0), 1 / (2 * self.config.sigma**2)
        entropy = functional.binary_cross_entropy(torch.full_like(mean_K, rho), torch.full_like(mean_K, rho))
        divergence_K = functional.binary_cross_entropy(mean_K, torch.full_like(mean_K, rho), reduction="none") - entropy
        return {
            "binary": self.config.binary * scale * (h_NK * (1 - h_NK)).sum(dim=1).mean(),
            "balance": self.config.balance * scale * divergence_K.sum(),
        }


PIXEL_MODELS: Models = {"vit": (VTEConfig, ViT), "scae": (SCAEConfig, SCAE)}
TITLES = {"vit": "ViT", "scae": "SCAE"}


class PixelTask(AutoencoderTask):
    """One of the paper's models, or of those above."""

    models: ClassVar[Models] = {**MODELS, **PIXEL_MODELS}

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.cut_at_mean = self.settings.model != "scae"  # its bits are those of h > ½


PIXEL_TASKS = dict.fromkeys(PixelTask.models, PixelTask.of)


def changed(model: str, settings: Sequence[str]) -> dict[str, Any]:
    """Settings of a model's configuration, of texts such as `sigma=0.5`. Raises `ConfigError`."""
    if settings and model not in PixelTask.models:
        raise ConfigError(f"--set is for models of pixels ({', '.join(PixelTask.models)}), not for {model}")
    known = [one.name for one in fields(PixelTask.models[model][0]) if one.name != "bits"] if settings else []
    found = {}
    for text in settings:
        name, _, value = text.partition("=")
        if name not in known:
            raise ConfigError(f"{model} has no setting {name!r}; it has {', '.join(known)}, as in --set {known[0]}=1")
        try:
            found[name] = literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise ConfigError(f"--set {text}: {value!r} is neither a number nor numbers such as (64,32)") from error
    return found
