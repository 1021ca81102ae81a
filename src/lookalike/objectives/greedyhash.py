"""GreedyHash: a classifier sees the signs of the outputs, and gradients pass the signs as they are.

Source: Su, Zhang, Han, Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS 2018.
α = 0.1 for CIFAR-10 and 1 for ImageNet; the classifier is part of the objective and so is trained with it. With several
labels the target is even over them. Without labels (their section 3.4): the cosines of codes follow those of features.

Shapes: B images of a batch, K bits, C classes, D features.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lookalike.objectives.base import Objective, pairs, sign


class GreedyHash(Objective):
    """Cross-entropy of a linear classifier on signs, and a penalty on outputs far from them."""

    def __init__(self, *, bits: int, classes: int, penalty: float = 0.1) -> None:
        super().__init__()
        self.penalty = penalty  # α
        self.classifier = nn.Linear(bits, classes)

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Cross-entropy of W·sign(u), and α times the mean of |u − sign u|³."""
        labels = target.to(u_BK.dtype)
        target_BC = labels / labels.sum(dim=1, keepdim=True).clamp(min=1)
        classified = functional.cross_entropy(self.classifier(sign(u_BK)), target_BC)
        return classified + self.penalty * (u_BK.abs() - 1).abs().pow(3).mean()  # eq. 8


class GreedyHashUnsupervised(Objective):
    """The cosines of signs follow those of features, with the same penalty."""

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean square of cos(b, b') − cos(x, x') over pairs, b = sign u, of features x, and 0.1 times the penalty."""
        codes, features = functional.normalize(sign(u_BK), dim=1), functional.normalize(target.detach(), dim=1)
        followed = ((codes @ codes.T - features @ features.T)[pairs(len(u_BK), u_BK.device)] ** 2).mean()
        return followed + 0.1 * (u_BK.abs() - 1).abs().pow(3).mean()
