"""What objectives have in common: their form, which images are similar, and the sign that gradients pass.

An objective is called with the outputs u of a batch and their target, and returns the number to minimise.
For supervised ones that is labels: booleans (B, C), also where each image has one; two images are similar if they share
a label. Others follow the features (B, D), the outputs of another view of the same images (B, K), or the numbers of the
clusters that the images are in (B, M).

Shapes: B images of a batch, K bits, C classes, D features, M clusterings.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional


class Objective(nn.Module, ABC):
    """A loss with its state: targets, classifiers, a schedule."""

    @abstractmethod
    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of a batch, at a step of the training counted from 0."""


def shared(labels_BC: Tensor) -> Tensor:
    """s, (B, B): 1 where two images share a label, else 0."""
    labels = labels_BC.to(torch.float32)
    return (labels @ labels.T > 0).to(torch.float32)


def pairs(count: int, device: torch.device) -> Tensor:
    """Booleans (B, B): all pairs of two different images."""
    return ~torch.eye(count, dtype=torch.bool, device=device)


def log_cosh(x: Tensor) -> Tensor:
    """log cosh x, without overflow."""
    size = x.abs()
    return size + functional.softplus(-2 * size) - math.log(2)


def sign(u: Tensor) -> Tensor:
    """−1 or 1, 1 for 0, whose gradient is that of u itself (straight-through)."""
    hard = torch.where(u < 0, -1.0, 1.0).to(u.dtype)
    return u + (hard - u).detach()


def random_targets(classes: int, bits: int, *, seed: int) -> Tensor:
    """Target codes (C, K) of −1 and 1, each bit drawn evenly."""
    generator = torch.Generator().manual_seed(seed)
    return torch.where(torch.rand(classes, bits, generator=generator) < 0.5, -1.0, 1.0)
