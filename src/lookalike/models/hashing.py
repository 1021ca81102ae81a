"""A hashing network: features of a backbone or images in, outputs u whose signs against θ are the code.

It may be trained for several lengths at once: then the first bits of its code are the code of a shorter length (after
Kusupati et al., "Matryoshka representation learning", NeurIPS 2022): the loss is the mean of those of all lengths, each
of the first outputs alone.

Shapes: B images of a batch, D features, K bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.models.base import Losses
from lookalike.models.copy_encoder import CopyEncoder
from lookalike.models.frozen import Linear
from lookalike.models.objectives import Objective

HIDDEN = 512  # units


class Head(nn.Module):
    """Features (B, D), scaled to length 1, to outputs (B, K): one hidden layer, normalised over the batch, or none."""

    def __init__(self, *, features: int, bits: int, hidden: int = HIDDEN, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout  # share of the features that a training step does not see
        width = hidden or features
        self.hidden = nn.Linear(features, width) if hidden else None
        self.norm = nn.BatchNorm1d(width) if hidden else None
        self.outputs = nn.Linear(width, bits)

    def forward(self, features_BD: Tensor) -> Tensor:
        x = functional.normalize(features_BD, dim=1, eps=1e-12)
        x = functional.dropout(x, self.dropout, training=self.training)
        if self.hidden is not None and self.norm is not None:
            x = torch.relu(self.norm(self.hidden(x)))
        u_BK: Tensor = self.outputs(x)
        return u_BK


class HashingNetwork(nn.Module):
    """An encoder, or none behind a backbone; a head; and what each length of code is trained for."""

    def __init__(
        self, head: nn.Module, objectives: Mapping[int, Objective] | None = None, *, encoder: nn.Module | None = None
    ) -> None:
        """`objectives` by length, ascending; targets that are drawn are first bits of those of the whole code."""
        super().__init__()
        self.encoder, self.head = encoder or nn.Identity(), head
        self.lengths, found = tuple(objectives or ()), list((objectives or {}).values())
        for shorter, length in zip(found[:-1], self.lengths, strict=False):
            for name, buffer in shorter.named_buffers():
                buffer.copy_(dict(found[-1].named_buffers())[name][..., :length])
        self.objectives = nn.ModuleList(found)
        self.compares_outputs = any(one.compares_outputs for one in found)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Outputs u, (B, K).

        In evaluation, of an encoder that looks at an image more than once, the mean over its looks; training
        uses one look.
        """
        if self.training or not isinstance(self.encoder, CopyEncoder):
            u_BK: Tensor = self.head(self.encoder(x_BD))
            return u_BK
        looks = self.encoder.looks(x_BD)
        return torch.stack([self.head(self.encoder(look)) for look in looks]).mean(dim=0)

    def loss(self, x_BD: Tensor, target: Tensor, *, step: int = 0) -> Losses:
        """Mean over lengths; the target is what the objective follows, or another view of the same images."""
        u_BK = self(x_BD)
        found = self(target) if self.compares_outputs else target
        losses = [
            objective(u_BK[..., :length], found[..., :length] if self.compares_outputs else found, step=step)
            for length, objective in zip(self.lengths, self.objectives, strict=True)
        ]
        return Losses(torch.stack(losses).mean(), {})


def seeded(make: Callable[[], HashingNetwork], seed: int) -> HashingNetwork:
    """A network whose weights are drawn under a seed; PyTorch's own random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def linear(found: Linear) -> HashingNetwork:
    """The network of a closed form: z = x·weight + bias, of features x of length 1."""
    head = Head(features=len(found.weight_DK), bits=len(found.bias_K), hidden=0)
    with torch.no_grad():
        head.outputs.weight.copy_(torch.from_numpy(found.weight_DK.T))
        head.outputs.bias.copy_(torch.from_numpy(found.bias_K))
    return HashingNetwork(head).eval()
