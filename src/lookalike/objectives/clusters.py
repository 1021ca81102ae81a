"""Clusters: linear classifiers see the outputs and tell in which cluster an image is, by several clusterings at once.

Our own, and simple: self-labelling as in DeepCluster (Caron et al., ECCV 2018), with the clusterings of a frozen
backbone's neighbour graph in the place of those of features that change, and on outputs that must become bits. Coarse
clusterings bring images of a kind together, fine ones keep apart what is unlike within a kind. Codes lie close to −1 or
1 by (|h| − 1)², h = tanh u, whose weight is 0.1.

Shapes: B images of a batch, K bits, M clusterings.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.objectives.base import Objective


class Clusters(Objective):
    """Mean cross-entropy of the clusterings, and a penalty on outputs far from signs."""

    def __init__(self, *, bits: int, sizes: Sequence[int], quantisation: float = 0.1) -> None:
        super().__init__()
        self.quantisation = quantisation
        self.classifiers = nn.ModuleList(nn.Linear(bits, size) for size in sizes)  # sizes: numbers of clusters

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean over clusterings of −log softmax at an image's cluster, and 0.1 times the mean of (|h| − 1)²."""
        h_BK = torch.tanh(u_BK)
        losses = [
            functional.cross_entropy(classifier(h_BK), target[:, number])
            for number, classifier in enumerate(self.classifiers)
        ]
        return torch.stack(losses).mean() + self.quantisation * ((h_BK.abs() - 1) ** 2).mean()
