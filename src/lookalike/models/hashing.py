"""A hashing network: from a backbone's features, or images, to outputs u, which are thresholded at θ.

It can be trained for several lengths at once, so that the first bits of a code are a shorter code (after Kusupati et
al., "Matryoshka representation learning", NeurIPS 2022): the loss is the mean over all lengths, each computed from the
first outputs alone.

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
    """Features (B, D), scaled to unit length → outputs (B, K): one hidden layer with batch normalisation, or none."""

    def __init__(self, *, features: int, bits: int, hidden: int = HIDDEN, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout  # share of features dropped in a training step
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
    """An optional encoder (none behind a backbone), a head, and an objective for each code length."""

    def __init__(
        self, head: nn.Module, objectives: Mapping[int, Objective] | None = None, *, encoder: nn.Module | None = None
    ) -> None:
        """`objectives` by length, ascending; random targets of shorter codes are the first bits of the full code's."""
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

        In evaluation, the mean over the encoder's views, if it has several; training uses one view.
        """
        if self.training or not isinstance(self.encoder, CopyEncoder):
            u_BK: Tensor = self.head(self.encoder(x_BD))
            return u_BK
        views = self.encoder.views(x_BD)
        return torch.stack([self.head(self.encoder(view)) for view in views]).mean(dim=0)

    def loss(self, x_BD: Tensor, target: Tensor, *, step: int = 0) -> Losses:
        """The mean over lengths; the target is the objective's, or another view of the same images.

        The objective of the whole length is also given outputs behind the bits, if the head has some for training.
        """
        u_BK = self(x_BD)
        found = self(target) if self.compares_outputs else target
        ends = [*self.lengths[:-1], u_BK.shape[-1]]
        losses = [
            objective(u_BK[..., :end], found[..., :end] if self.compares_outputs else found, step=step)
            for end, objective in zip(ends, self.objectives, strict=True)
        ]
        return Losses(torch.stack(losses).mean(), {})


def seeded(make: Callable[[], HashingNetwork], seed: int) -> HashingNetwork:
    """A network with random weights from a seed; PyTorch's global random state is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def linear(found: Linear) -> HashingNetwork:
    """The network of a closed-form solution: z = x·weight + bias, for features x of unit length."""
    head = Head(features=len(found.weight_DK), bits=len(found.bias_K), hidden=0)
    with torch.no_grad():
        head.outputs.weight.copy_(torch.from_numpy(found.weight_DK.T))
        head.outputs.bias.copy_(torch.from_numpy(found.bias_K))
    return HashingNetwork(head).eval()
