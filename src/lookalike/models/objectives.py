"""What hashing networks are trained for without labels: copies, or clusters of a backbone's features.

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
    """A loss with its state: targets, classifiers, a schedule."""

    compares_outputs: ClassVar[bool] = False  # whether the target is the network's outputs for another view

    @abstractmethod
    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of a batch, a scalar, at a step of the training counted from 0."""


class Copies(Objective):
    """Codes of a picture and of an edited copy are alike, those of different pictures spread over all codes.

    After SSCD (Pizzi et al., "A self-supervised descriptor for image copy detection", CVPR 2022): NT-Xent, and the
    entropy term that drives each code away from its nearest neighbour in the batch (Sablayrolles et al., "Spreading
    vectors for similarity search", ICLR 2019). Here codes are bits, so both work on tanh u, which training drives to −1
    and 1, and bits are kept from saying the same: their correlations over the batch are made small.
    """

    compares_outputs = True

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of pictures; the target is the outputs of their edited copies."""
        a, b = torch.tanh(u_BK), torch.tanh(target)
        return contrast(a, b, temperature=0.05) - 0.5 * spread(a) + 0.1 * correlated(torch.cat([a, b]))


class Clusters(Objective):
    """Linear classifiers see the outputs and tell in which cluster an image is, by several clusterings at once.

    Our own, and simple: self-labelling as in DeepCluster (Caron et al., ECCV 2018), with the clusterings of a frozen
    backbone's neighbour graph in the place of those of features that change, and on outputs that must become bits.
    Coarse clusterings bring images of a kind together, fine ones keep apart what is unlike within a kind.
    """

    def __init__(self, *, bits: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(nn.Linear(bits, size) for size in sizes)  # sizes: numbers of clusters

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean over clusterings of −log softmax at an image's cluster (B, M), and 0.1 times that of (|tanh u| − 1)²."""
        h_BK = torch.tanh(u_BK)
        losses = [
            functional.cross_entropy(classifier(h_BK), target[:, number])
            for number, classifier in enumerate(self.classifiers)
        ]
        return torch.stack(losses).mean() + 0.1 * ((h_BK.abs() - 1) ** 2).mean()


def pairs(count: int, device: torch.device) -> Tensor:
    """Booleans (B, B): all pairs of two different images."""
    return ~torch.eye(count, dtype=torch.bool, device=device)


def contrast(a_BK: Tensor, b_BK: Tensor, *, temperature: float) -> Tensor:
    """NT-Xent: mean over 2B views of −log softmax of cos/τ at the other view, among all views but itself."""
    views = functional.normalize(torch.cat([a_BK, b_BK]), dim=1)
    count = len(a_BK)
    logits = (views @ views.T / temperature).masked_fill(~pairs(2 * count, views.device), -torch.inf)
    other = torch.arange(2 * count, device=logits.device).roll(count)
    return functional.cross_entropy(logits, other)


def spread(a_BK: Tensor) -> Tensor:
    """Mean log distance, of cosines, of each code from the nearest other one: the differential entropy's estimate."""
    unit = functional.normalize(a_BK, dim=1)
    cosines = (unit @ unit.T).masked_fill(~pairs(len(a_BK), a_BK.device), -1.0)
    return (2 - 2 * cosines.amax(dim=1)).clamp(min=1e-6).sqrt().log().mean()


def correlated(a_BK: Tensor) -> Tensor:
    """Mean over bits of the sum of squared correlations with the others, and of the squared means."""
    means_K = a_BK.mean(dim=0)
    centred = a_BK - means_K
    centred = centred / centred.square().mean(dim=0).clamp(min=1e-4).sqrt()
    correlations_KK = centred.T @ centred / len(a_BK)
    others = correlations_KK.masked_fill(~pairs(a_BK.shape[1], a_BK.device), 0.0)
    return others.square().sum(dim=1).mean() + means_K.square().mean() * a_BK.shape[1]
