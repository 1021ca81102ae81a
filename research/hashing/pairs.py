"""Supervised losses of all pairs of different images in a batch; labels are booleans (B, C), also of one label each.

Two images are similar if they share a label. Each function gives the scalar loss of outputs (B, K) and labels (B, C) at
a training step; `Stateless` makes an objective of it. "In use elsewhere" lists how other implementations differ.

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from lookalike.models.objectives import Objective, pairs

EVERY, GROWTH = 200, 0.005  # HashNet: steps between updates of β; growth of β² per step


class Loss(Protocol):
    """A loss of outputs and target that keeps nothing between steps."""

    def __call__(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The scalar loss of a batch at a training step (from 0)."""


class Stateless(Objective):
    """The objective of a loss without state."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        return self.loss(u_BK, target, step=step)


def dhn(u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
    """Mean over pairs of log(1 + e^θ) − sθ, θ = ½⟨u, u'⟩, and λ = 0.1 times the mean of log cosh(|u| − 1).

    Source: Zhu, Long, Wang, Cao, "Deep hashing network for efficient similarity retrieval", AAAI 2016, with θ as in
    DPSH and most code since. In use elsewhere: a memory of the outputs of all training images instead of the batch
    (swuxyj), and α·cos(u, u') with α = 10, weighted similar pairs and (|u| − 1)² instead of log cosh (thulab's own
    script, where its weight is 0).
    """
    theta_BB = 0.5 * u_BK @ u_BK.T
    likelihood_BB = functional.softplus(theta_BB) - shared(target) * theta_BB  # eq. 4
    quantisation = log_cosh(u_BK.abs() - 1).mean()  # eq. 5
    return likelihood_BB[pairs(len(u_BK), u_BK.device)].mean() + 0.1 * quantisation  # eq. 6


def hashnet(u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
    """Weighted mean over pairs of log(1 + e^α⟨h, h'⟩) − αs⟨h, h'⟩ with h = tanh(βu): learning by continuation.

    Source: Cao, Long, Wang, Yu, "HashNet: Deep learning to hash by continuation", ICCV 2017. With several labels per
    image, similar pairs are weighted by their share of common labels. α = 10/K and β = √(1 + n/200), updated every 200
    steps n, as in the authors' PyTorch code. In use elsewhere: β updated every 20 epochs, α = 0.1 (swuxyj) or 1 (FIRe);
    a single weight, the number of classes, for similar pairs (the authors' PyTorch code).
    """
    h_BK = torch.tanh(beta(step) * u_BK)
    return _likelihood(h_BK, shared(target), alpha=10 / u_BK.shape[1], common_BB=_common(target))


def beta(step: int) -> float:
    """HashNet's β at a step."""
    return float((1 + GROWTH * (step // EVERY * EVERY)) ** 0.5)


def transhash(u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
    """The loss of the global stream alone (B, K), or L_global + 1/M Σ L_local of all streams (M + 1, B, K).

    Implemented from the paper, since its code was not published: Chen et al., "TransHash: Transformer-based hamming
    hashing for efficient image retrieval", ICMR 2022. The likelihood is HashNet's, weighted, without continuation and
    with θ = ½⟨h, h'⟩; local streams are averaged. The quantisation term, the mean of (|h| − 1)², and its weight 0.1 are
    our choice.
    """
    s_BB = shared(target)
    losses: list[Tensor] = [
        _likelihood(stream_BK, s_BB, alpha=0.5) + 0.1 * ((stream_BK.abs() - 1) ** 2).mean()
        for stream_BK in (u_BK if u_BK.ndim == 3 else u_BK[None])
    ]
    return losses[0] + torch.stack(losses[1:]).mean() if len(losses) > 1 else losses[0]


def dsh(u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
    """Mean over pairs of ½d for similar and ½max(0, m − d) for other ones, d = ‖u − u'‖², and α times ‖|u| − 1‖₁/K.

    Source: Liu, Wang, Shan, Chen, "Deep supervised hashing for fast image retrieval", CVPR 2016; m = 2K. α = 0.1, and a
    mean of the penalty over bits, as in most code. In use elsewhere: |sign u − 1| in
    the penalty, which has no gradient (swuxyj).
    """
    d_BB = (u_BK[:, None] - u_BK[None]).square().sum(dim=2)
    apart_BB = (2 * u_BK.shape[1] - d_BB).clamp(min=0)
    contrastive_BB = torch.where(shared(target) > 0, d_BB, apart_BB) / 2  # eq. 4
    return contrastive_BB[pairs(len(u_BK), u_BK.device)].mean() + 0.1 * (u_BK.abs() - 1).abs().mean()


def idhn(u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
    """Mean over pairs of log(1 + e^θ) − sθ if s is 0 or 1, else of γK((⟨d, d'⟩ + K)/2K − s)², and α‖|d| − 1‖₁/K.

    Source: Zhang, Zou, Lin, Chen, Wang, "Improved deep hashing with soft pairwise similarity for multi-label image
    retrieval", IEEE Transactions on Multimedia 2020. s is the cosine of two images' labels, d = u/(1 + |u|), θ = 5⟨d,
    d'⟩/K, γ = α = 0.1, as in the authors' code. In use elsewhere: θ = ½⟨d, d'⟩ and γ(θ + K − 2sK)² (swuxyj). Images
    with single labels have no soft pairs.
    """
    d_BK, bits, labels_BC = functional.softsign(u_BK), u_BK.shape[1], functional.normalize(target.to(u_BK.dtype), dim=1)
    s_BB, inner_BB = labels_BC @ labels_BC.T, d_BK @ d_BK.T
    theta_BB = 5 * inner_BB / bits
    hard_BB = functional.softplus(theta_BB) - s_BB * theta_BB
    soft_BB = 0.1 * bits * ((inner_BB + bits) / (2 * bits) - s_BB).square()
    pair_BB = torch.where((s_BB < 0.01) | (s_BB > 0.99), hard_BB, soft_BB)
    return pair_BB[pairs(len(u_BK), u_BK.device)].mean() + 0.1 * (d_BK.abs() - 1).abs().mean()


def shared(labels_BC: Tensor) -> Tensor:
    """s, (B, B): 1 if two images share a label, else 0."""
    labels = labels_BC.to(torch.float32)
    return (labels @ labels.T > 0).to(torch.float32)


def log_cosh(x: Tensor) -> Tensor:
    """log cosh x, without overflow."""
    size = x.abs()
    return size + functional.softplus(-2 * size) - math.log(2)


def _common(labels_BC: Tensor) -> Tensor:
    """c = |y ∩ y'| / |y ∪ y'|, (B, B): Jaccard similarity of two images' labels (below eq. 2)."""
    labels = labels_BC.to(torch.float32)
    both = labels @ labels.T
    counts = labels.sum(dim=1)
    return both / (counts[:, None] + counts[None, :] - both).clamp(min=1)


def _likelihood(h_BK: Tensor, s_BB: Tensor, *, alpha: float, common_BB: Tensor | None = None) -> Tensor:
    """1/|S| Σ w (log(1 + e^θ) − sθ), θ = α⟨h, h'⟩, w = c|S|/|S₁| of similar, |S|/|S₀| of other pairs (eqs. 2 to 4)."""
    chosen = pairs(len(h_BK), h_BK.device)
    theta, s = alpha * (h_BK @ h_BK.T)[chosen], s_BB[chosen]
    similar = s.sum()
    weight = torch.where(s > 0, len(s) / similar.clamp(min=1), len(s) / (len(s) - similar).clamp(min=1))
    if common_BB is not None:
        weight = torch.where(s > 0, weight * common_BB[chosen], weight)
    return (weight * (functional.softplus(theta) - s * theta)).mean()
