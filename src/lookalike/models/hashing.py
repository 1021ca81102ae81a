"""Hashing networks: features, tokens or images in, outputs u whose signs are the code, trained for an objective.

A network may be trained for several lengths at once: then the first bits of its code are the code of a shorter length
(nested codes, after Kusupati et al., "Matryoshka representation learning", NeurIPS 2022): the loss is the mean of those
of all lengths, each of the first outputs alone.

Shapes: B images of a batch, D features, K bits, M streams.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError
from lookalike.models.base import Losses
from lookalike.models.copy_encoder import CopyEncoder
from lookalike.models.dual_stream import DualStream
from lookalike.models.encoders import ConvEncoder, ViTEncoder
from lookalike.models.head import Head
from lookalike.models.lite_encoder import LiteEncoder
from lookalike.models.methods import method
from lookalike.objectives.base import Objective

ENCODERS: dict[str, type[ConvEncoder | ViTEncoder | CopyEncoder | LiteEncoder]] = {  # of our own, for images
    "conv": ConvEncoder,
    "vit": ViTEncoder,
    "copies": CopyEncoder,
    "lite": LiteEncoder,
}
USUAL = (16, 32, 64, 128)  # lengths of codes
SOURCES = ("features", *ENCODERS)  # features of a backbone, or an encoder of our own


@dataclass(frozen=True, kw_only=True, slots=True)
class HashingConfig:
    """What a network is made of."""

    method: str
    bits: int = 64  # K
    nested: tuple[int, ...] = ()  # shorter lengths whose codes are the first bits
    source: str = "features"
    features: int = 0  # D, of the source `features`: of an image, or of each token
    tokens: int = 0  # 0: features are those of whole images
    classes: int = 0
    clusters: tuple[int, ...] = ()
    hidden: int = 512
    seed: int = 0  # of first weights, of targets that are drawn

    def __post_init__(self) -> None:
        check_bits(self.bits)
        if self.source not in SOURCES:
            raise ConfigError(f"source is {self.source!r}; it must be one of {', '.join(SOURCES)}")
        for length in self.nested:
            check_bits(length)
            if length >= self.bits:
                raise ConfigError(f"nested is {self.nested}; shorter codes must have fewer than {self.bits} bits")

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of all codes that are trained, ascending."""
        return (*sorted(set(self.nested)), self.bits)


class HashingNetwork(nn.Module):
    """An encoder where there is no backbone, the outputs behind it, and what they are trained for."""

    def __init__(self, config: HashingConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder: nn.Module = nn.Identity()
        features, tokens, chosen = config.features, config.tokens, method(config.method)
        if config.source != "features":
            encoder = ViTEncoder(all_tokens=chosen.tokens) if config.source == "vit" else ENCODERS[config.source]()
            self.encoder, features, tokens = encoder, encoder.width, encoder.tokens
        if chosen.tokens and not tokens:
            raise ConfigError(f"{config.method} takes tokens; {config.source} has none. Take vit or a backbone")
        self.head: Head | DualStream = (
            DualStream(tokens=tokens, width=features, bits=config.bits, dropout=chosen.dropout)
            if chosen.tokens
            else Head(features=features, bits=config.bits, hidden=config.hidden, dropout=chosen.dropout)
        )
        self.objectives = nn.ModuleList(objectives(config))

    def forward(self, x_BD: Tensor) -> Tensor:
        """Outputs u, (B, K); of two streams in training (M + 1, B, K).

        In evaluation, of an encoder that looks at an image more than once, the mean over its looks; training
        uses one look.
        """
        if self.training or not isinstance(self.encoder, LiteEncoder):
            u_BK: Tensor = self.head(self.encoder(x_BD))
            return u_BK
        looks = self.encoder.looks(x_BD)
        return torch.stack([self.head(self.encoder(look)) for look in looks]).mean(dim=0)

    def loss(self, x_BD: Tensor, target: Tensor, *, step: int = 0) -> Losses:
        """Mean over lengths; `target` is what the method follows, for `view` the other view of the same images."""
        u_BK = self(x_BD)
        follows_view = method(self.config.method).target == "view"
        found = self(target) if follows_view else target
        losses = [
            objective(u_BK[..., :length], found[..., :length] if follows_view else found, step=step)
            for length, objective in zip(self.config.lengths, self.objectives, strict=True)
        ]
        return Losses(torch.stack(losses).mean(), {})


def objectives(config: HashingConfig) -> list[Objective]:
    """The objective of each length, ascending; targets that are drawn are first bits of those of the whole code."""
    make = method(config.method).objective
    if make is None:
        return []
    found = [make(config, length) for length in config.lengths]
    whole = dict(found[-1].named_buffers())
    for shorter, length in zip(found[:-1], config.lengths, strict=False):
        for name, buffer in shorter.named_buffers():
            buffer.copy_(whole[name][..., :length])
    return found


def create(config: HashingConfig) -> HashingNetwork:
    """A network with weights drawn under its seed; PyTorch's own random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return HashingNetwork(config)


def solved(config: HashingConfig, weight_DK: Tensor, bias_K: Tensor) -> HashingNetwork:
    """The network of a closed form: z = x·weight + bias, of features x of length 1."""
    network = HashingNetwork(config).eval()
    assert isinstance(network.head, Head)
    with torch.no_grad():
        network.head.outputs.weight.copy_(weight_DK.T)
        network.head.outputs.bias.copy_(bias_K)
    return network


def lengths_below(bits: int) -> tuple[int, ...]:
    """The usual lengths that are shorter.

    >>> lengths_below(64)
    (16, 32)
    """
    return tuple(length for length in USUAL if length < bits)
