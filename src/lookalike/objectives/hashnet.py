"""HashNet: weighted likelihood of which pairs are similar, of tanh(βu) with β growing: learning by continuation.

Source: Cao, Long, Wang, Yu, "HashNet: Deep learning to hash by continuation", ICCV 2017. Of images with several labels,
similar pairs weigh by the share of labels that they have in common. α = 10/K and β = √(1 + n/200), renewed every 200
steps n, as in the authors' PyTorch code. In use elsewhere: β renewed every 20 epochs, α = 0.1 (swuxyj) or 1 (FIRe); a
single weight, the number of classes, on similar pairs (the authors' PyTorch code).

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lookalike.objectives.base import Objective, pairs, shared

EVERY = 200  # steps between renewals of β


class HashNet(Objective):
    """Weighted pairwise cross-entropy with continuation."""

    def __init__(self, *, bits: int, growth: float = 0.005) -> None:
        super().__init__()
        self.alpha = 10 / bits
        self.growth = growth  # of β² a step

    def beta(self, step: int) -> float:
        """β at a step."""
        return float((1 + self.growth * (step // EVERY * EVERY)) ** 0.5)

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Weighted mean over pairs of log(1 + e^α⟨h, h'⟩) − αs⟨h, h'⟩ with h = tanh(βu)."""
        h_BK = torch.tanh(self.beta(step) * u_BK)
        return weighted_likelihood(h_BK, shared(target), alpha=self.alpha, common_BB=common(target))


def common(labels_BC: Tensor) -> Tensor:
    """c = |y ∩ y'| / |y ∪ y'|, (B, B): the share of their labels that two images have in common (below eq. 2)."""
    labels = labels_BC.to(torch.float32)
    both = labels @ labels.T
    counts = labels.sum(dim=1)
    return both / (counts[:, None] + counts[None, :] - both).clamp(min=1)


def weighted_likelihood(h_BK: Tensor, s_BB: Tensor, *, alpha: float, common_BB: Tensor | None = None) -> Tensor:
    """1/|S| Σ w (log(1 + e^θ) − sθ), θ = α⟨h, h'⟩, w = c|S|/|S₁| of similar, |S|/|S₀| of other pairs (eqs. 2 to 4)."""
    chosen = pairs(len(h_BK), h_BK.device)
    theta, s = alpha * (h_BK @ h_BK.T)[chosen], s_BB[chosen]
    similar = s.sum()
    weight = torch.where(s > 0, len(s) / similar.clamp(min=1), len(s) / (len(s) - similar).clamp(min=1))
    if common_BB is not None:
        weight = torch.where(s > 0, weight * common_BB[chosen], weight)
    return (weight * (functional.softplus(theta) - s * theta)).mean()
