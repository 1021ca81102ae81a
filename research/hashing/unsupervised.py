"""Unsupervised objectives, whose target is features, or other views of the same images.

Shapes: B images of a batch, K bits, D features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lookalike.models.objectives import Objective, contrast, pairs
from research.hashing.supervised import sign


class BiHalf(Objective):
    """Each bit is 1 for half of the batch, and cosines of codes approximate cosines of features.

    Source: Li, van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021. The layer sets the
    upper half of each bit's outputs in the batch to 1 and the rest to −1; its gradient is g + γ(u − b)/(B·K). γ = 6.
    Outside of training a code is the sign of u, here after subtracting the mean of the training images.
    """

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean square of cos(b, b') − cos(x, x') over pairs of different images with features x (eq. 9)."""
        return _followed(halves(u_BK), target)


class GreedyHashUnsupervised(Objective):
    """Cosines of signs approximate cosines of features: GreedyHash without labels, section 3.4 of its paper."""

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean square of cos(b, b') − cos(x, x') over pairs, b = sign u, x the features, plus 0.1 times a penalty."""
        return _followed(sign(u_BK), target) + 0.1 * (u_BK.abs() - 1).abs().pow(3).mean()


class CIBHash(Objective):
    """Contrastive loss of two views of an image, with an information bottleneck on the bits.

    Source: Qiu, Su, Ou, Yu, Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021. Views are
    binarised by σ(u) > ½ with straight-through gradients; NT-Xent of cosines with temperature 0.3; β = 0.001 times the
    symmetric divergence of the views' bit probabilities.
    """

    compares_outputs = True

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of a view; the target is the outputs for the other view of the same images."""
        p, q = torch.sigmoid(u_BK), torch.sigmoid(target)
        divergence = (_divergence(p, q.detach()) + _divergence(q, p.detach())) / 2  # eq. 9
        return contrast(sign(p - 0.5), sign(q - 0.5), temperature=0.3) + 1e-3 * divergence  # eq. 10


class CroVCA(Objective):
    """Bits of a view are predicted from another view, and outputs fill the space.

    Source: Moummad, Zaher, Goëau, Joly, "Image hashing via cross-view code alignment in the age of foundation models",
    arXiv 2510.27584, and the authors' code: their smaller network, ε = 0.05, a weight of 0.1. Views are those of
    CIBHash instead of theirs, stored once; theirs are drawn again in each epoch, and cropped to 40 % or more.
    """

    compares_outputs = True

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The mean over both views of a cross-entropy and 0.1 times the negative coding rate."""
        return torch.stack([
            functional.binary_cross_entropy_with_logits(one, (other > 0).to(one.dtype)) - 0.1 * coding_rate(one)
            for one, other in ((u_BK, target), (target, u_BK))
        ]).mean()  # fmt: skip


def coding_rate(u_BK: Tensor, *, epsilon: float = 0.05) -> Tensor:
    """(K + B)/2KB · log det(I + K/(Bε) ZᵀZ) of outputs scaled to unit length, Z: large if all directions are used."""
    count, bits = u_BK.shape
    z_BK = functional.normalize(u_BK, dim=1)
    spread_KK = torch.eye(bits, device=u_BK.device, dtype=u_BK.dtype) + bits / (count * epsilon) * z_BK.T @ z_BK
    return (bits + count) / (2 * bits * count) * torch.logdet(spread_KK)


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
    """Batch codes of −1 and 1: each bit is 1 for its upper half (eq. 5), with the gradient of eq. 8."""
    found: Tensor = _Halves.apply(u_BK, gamma)  # type: ignore[no-untyped-call]
    return found


def _followed(b_BK: Tensor, features_BD: Tensor) -> Tensor:
    """Mean squared difference between cosines of codes and of features, over pairs of different images."""
    codes, features = functional.normalize(b_BK, dim=1), functional.normalize(features_BD.detach(), dim=1)
    return ((codes @ codes.T - features @ features.T)[pairs(len(b_BK), b_BK.device)] ** 2).mean()


def _divergence(p_BK: Tensor, q_BK: Tensor) -> Tensor:
    """KL of Bernoulli(p) from Bernoulli(q), summed over bits, mean over images."""
    p, q = p_BK.clamp(1e-6, 1 - 1e-6), q_BK.clamp(1e-6, 1 - 1e-6)
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(dim=1).mean()
