"""Bi-half: each bit is one for half of a batch, and the cosines of codes follow those of features.

Source: Li, van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021. The layer sets the upper
half of each bit's outputs in the batch to 1 and the rest to −1; its gradient is g + γ(u − b)/(B·K). γ = 6. An image's
code, outside of training, is the sign of u, here against the mean of the training images.

Shapes: B images of a batch, K bits, D features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lookalike.objectives.base import Objective, pairs


class _Halves(torch.autograd.Function):
    """Outputs to −1 and 1, half of each."""

    @staticmethod
    def forward(ctx: Any, u_BK: Tensor, gamma: float) -> Tensor:
        ranks_BK = u_BK.argsort(dim=0, descending=True).argsort(dim=0)
        b_BK = torch.where(ranks_BK < len(u_BK) // 2, 1.0, -1.0).to(u_BK.dtype)
        ctx.save_for_backward(u_BK, b_BK)
        ctx.gamma = gamma
        return b_BK

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        u_BK, b_BK = ctx.saved_tensors
        return gradients[0] + ctx.gamma * (u_BK - b_BK) / b_BK.numel(), None


def halves(u_BK: Tensor, *, gamma: float = 6.0) -> Tensor:
    """Codes of −1 and 1 of a batch: each bit is 1 for its upper half (eq. 5), with the gradient of eq. 8."""
    found: Tensor = _Halves.apply(u_BK, gamma)  # type: ignore[no-untyped-call]
    return found


class BiHalf(Objective):
    """The cosines of codes follow those of features."""

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean square of cos(b, b') − cos(x, x') over pairs of different images with features x (eq. 9)."""
        codes, features = functional.normalize(halves(u_BK), dim=1), functional.normalize(target.detach(), dim=1)
        return ((codes @ codes.T - features @ features.T)[pairs(len(u_BK), u_BK.device)] ** 2).mean()
