"""Training objectives without labels: copies, or clusters of a backbone's features.

Shapes: B images of a batch, K bits, M clusterings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional


class Objective(nn.Module, ABC):
    """A loss with its state, such as targets, classifiers or a schedule."""

    compares_outputs: ClassVar[bool] = False  # whether the target is the network's output for another view

    @abstractmethod
    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The scalar loss of a batch at a training step (from 0)."""


class Copies(Objective):
    """Codes of a picture and its edited copy are similar; those of different pictures are spread over all codes.

    After SSCD (Pizzi et al., "A self-supervised descriptor for image copy detection", CVPR 2022): NT-Xent, and an
    entropy term that repels each code from its nearest neighbour in the batch (Sablayrolles et al., "Spreading vectors
    for similarity search", ICLR 2019). Because codes are bits here, both use tanh u, which training drives towards −1
    and 1, and correlations between bits over the batch are penalised.
    """

    compares_outputs = True

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of pictures; the target is the output for their edited copies."""
        a, b = torch.tanh(u_BK), torch.tanh(target)
        return contrast(a, b, temperature=0.05) - 0.5 * _spread(a) + 0.1 * correlated(torch.cat([a, b]))


class Clusters(Objective):
    """Linear classifiers predict an image's cluster from the outputs, for several clusterings at once.

    Self-labelling as in DeepCluster (Caron et al., ECCV 2018), but with fixed clusterings of a frozen backbone's
    neighbour graph instead of clusterings of changing features, and on outputs that must become bits. Coarse
    clusterings bring images of a kind together, fine ones separate differences within a kind.
    """

    def __init__(self, *, bits: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(nn.Linear(bits, size) for size in sizes)  # sizes: numbers of clusters

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The mean cross-entropy over clusterings (B, M), plus 0.1 times the mean of (|tanh u| − 1)²."""
        h_BK = torch.tanh(u_BK)
        losses = [
            functional.cross_entropy(classifier(h_BK), target[:, number])
            for number, classifier in enumerate(self.classifiers)
        ]
        return torch.stack(losses).mean() + 0.1 * ((h_BK.abs() - 1) ** 2).mean()


def pairs(count: int, device: torch.device) -> Tensor:
    """Mask (B, B) of all pairs of different images."""
    return ~torch.eye(count, dtype=torch.bool, device=device)


def contrast(a_BK: Tensor, b_BK: Tensor, *, temperature: float) -> Tensor:
    """NT-Xent: mean over 2B views of −log softmax of cos/τ at the other view, among all other views."""
    views = functional.normalize(torch.cat([a_BK, b_BK]), dim=1)
    count = len(a_BK)
    logits = (views @ views.T / temperature).masked_fill(~pairs(2 * count, views.device), -torch.inf)
    other = torch.arange(2 * count, device=logits.device).roll(count)
    return functional.cross_entropy(logits, other)


def _spread(a_BK: Tensor) -> Tensor:
    """An estimate of differential entropy: the mean log distance (by cosine) of each code to its nearest neighbour."""
    unit = functional.normalize(a_BK, dim=1)
    cosines = (unit @ unit.T).masked_fill(~pairs(len(a_BK), a_BK.device), -1.0)
    return (2 - 2 * cosines.amax(dim=1)).clamp(min=1e-6).sqrt().log().mean()


def correlated(a_BK: Tensor) -> Tensor:
    """The mean over bits of squared correlations with the others, summed, and of squared means."""
    means_K = a_BK.mean(dim=0)
    centred = a_BK - means_K
    centred = centred / centred.square().mean(dim=0).clamp(min=1e-4).sqrt()
    correlations_KK = centred.T @ centred / len(a_BK)
    others = correlations_KK.masked_fill(~pairs(a_BK.shape[1], a_BK.device), 0.0)
    return others.square().sum(dim=1).mean() + means_K.square().mean() * a_BK.shape[1]
