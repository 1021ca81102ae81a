"""Supervised objectives with a target, a code word or a classifier for each class; labels are booleans (B, C).

"In use elsewhere" lists how other implementations differ. Objectives of pairs of images are in `pairs`.

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.models.objectives import Objective


class DPN(Objective):
    """Polarisation loss: pushes each bit past a margin, towards the bit of its class's target code.

    Source: Fan, Ng, Ju, Zhang, Chan, "Deep polarized network for supervised learning of accurate binary hashing codes",
    IJCAI 2020. Margin 1, targets drawn uniformly (their variant B); with several labels the sum over them, as in their
    code. In use elsewhere: targets as signs of Gaussians, or drawn until they are far apart (reported to gain 1 to 2 %
    of mAP); a majority vote of the targets of several labels, and a mean over bits instead of the sum (swuxyj).
    """

    targets_CK: Tensor

    def __init__(self, *, bits: int, classes: int, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("targets_CK", random_targets(classes, bits, seed=seed))

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean over images of Σ_c Σ_k max(0, 1 − u_k t_ck) over the classes c of an image."""
        short_BCK = (1 - u_BK[:, None, :] * self.targets_CK).clamp(min=0)  # eq. 2
        return (short_BCK.sum(dim=2) * target).sum(dim=1).mean()


class OrthoHash(Objective):
    """Cross-entropy of the cosines between outputs and the code words of the classes, with a margin.

    Source: Hoe et al., "One loss for all: Deep hashing with a single cosine similarity based learning objective",
    NeurIPS 2021. s = 8, m = 0.2, code words drawn uniformly. With several labels the target is uniform over them, and
    the margin is subtracted from each. The paper uses m = 0.3 for CIFAR-10, and batch normalisation of the outputs,
    omitted here because the layer before is normalised (CIFAR-10, 16 bits: mAP 0.652 with, 0.651 without).
    """

    words_CK: Tensor

    def __init__(self, *, bits: int, classes: int, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("words_CK", random_targets(classes, bits, seed=seed))

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """−log softmax of s·(cos(u, c_j) − m·[j is a label]) at the labels, averaged over labelled images."""
        labels = target.to(u_BK.dtype)
        cosine_BC = functional.normalize(u_BK, dim=1) @ functional.normalize(self.words_CK.to(u_BK.dtype), dim=1).T
        return functional.cross_entropy(8.0 * (cosine_BC - 0.2 * labels), _even(labels))  # eq. 6


class GreedyHash(Objective):
    """Linear classification of the signs of the outputs, with straight-through gradients.

    Source: Su, Zhang, Han, Tian, "Greedy hash: towards fast optimization for accurate hash coding in CNN", NeurIPS
    2018. α = 0.1, theirs for CIFAR-10 (1 for ImageNet); the classifier is part of the objective and trained with it.
    With several labels the target is uniform over them.
    """

    def __init__(self, *, bits: int, classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(bits, classes)

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Cross-entropy of W·sign(u), and α times the mean of |u − sign u|³."""
        classified = functional.cross_entropy(self.classifier(sign(u_BK)), _even(target.to(u_BK.dtype)))
        return classified + 0.1 * (u_BK.abs() - 1).abs().pow(3).mean()  # eq. 8


class CSQ(Objective):
    """Pulls each image's bits to the hash centre of its class; centres differ in half of the bits.

    Source: Yuan et al., "Central similarity quantization for efficient image and video retrieval", CVPR 2020. Centres
    are rows of [H; −H], H the Hadamard matrix of size K, if K is a power of two and there are at most 2K classes, else
    random codes with half of their bits one. The first bits of Hadamard rows repeat, so nested codes have random
    centres: in each segment between two lengths, half of the bits are one, and the first segments differ. With several
    labels the centre is the majority vote, ties drawn at random. λ = 0.05. In use elsewhere: λ from 1e-4 to 1e-3, and a
    pairwise term whose weight is 0 in the released commands.
    """

    centres_CK: Tensor
    ties_K: Tensor

    def __init__(self, *, bits: int, classes: int, seed: int = 0, lengths: Sequence[int] = ()) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("centres_CK", centres(classes, bits, generator, lengths=lengths))
        self.register_buffer("ties_K", torch.where(torch.rand(bits, generator=generator) < 0.5, -1.0, 1.0))

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Binary cross-entropy of (h + 1)/2 with the centre's bits, h = tanh u, and λ times the mean of (|h| − 1)²."""
        votes_BK = target.to(u_BK.dtype) @ self.centres_CK.to(u_BK.dtype)
        centre_BK = torch.where(votes_BK == 0, self.ties_K.to(u_BK.dtype), votes_BK.sign())
        # with h = tanh u, (h + 1)/2 = σ(2u)
        central = functional.binary_cross_entropy_with_logits(2 * u_BK, (centre_BK + 1) / 2)  # eq. 4
        return central + 0.05 * ((torch.tanh(u_BK).abs() - 1) ** 2).mean()  # eqs. 5, 6


def centres(classes: int, bits: int, generator: torch.Generator, *, lengths: Sequence[int] = ()) -> Tensor:
    """Hash centres (C, K) of −1 and 1; their first bits are centres of the shorter `lengths`, ascending."""
    if not lengths and bits & (bits - 1) == 0 and classes <= 2 * bits:
        matrix = _hadamard(bits)
        return torch.cat([matrix, -matrix])[:classes]
    ends = [end for end in lengths if end < bits] + [bits]
    first, *others = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    parts = [_halves_unlike(classes, first, generator)] + [_halves(classes, size, generator) for size in others]
    return torch.cat(parts, dim=1)


def _halves(count: int, bits: int, generator: torch.Generator) -> Tensor:
    """Random codes with half of the bits 1 and the others −1."""
    found = -torch.ones(count, bits)
    for row in found:
        row[torch.randperm(bits, generator=generator)[: bits // 2]] = 1
    return found


def _halves_unlike(count: int, bits: int, generator: torch.Generator) -> Tensor:
    """The same, all different if there are enough bits."""
    found: dict[tuple[float, ...], None] = {}
    enough = min(count, math.comb(bits, bits // 2))
    while len(found) < enough:
        found.setdefault(tuple(_halves(1, bits, generator)[0].tolist()))
    rows = torch.tensor(list(found))
    return rows[torch.arange(count) % len(rows)]


def _hadamard(size: int) -> Tensor:
    """The Hadamard matrix of a power of two by Sylvester's construction; its rows are orthogonal."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.cat([torch.cat([matrix, matrix], dim=1), torch.cat([matrix, -matrix], dim=1)])
    return matrix


def _even(labels_BC: Tensor) -> Tensor:
    """Target distribution (B, C), uniform over an image's labels."""
    return labels_BC / labels_BC.sum(dim=1, keepdim=True).clamp(min=1)


def sign(u: Tensor) -> Tensor:
    """Sign of u, −1 or 1 (1 for 0), with a straight-through gradient."""
    hard = torch.where(u < 0, -1.0, 1.0).to(u.dtype)
    return u + (hard - u).detach()


def random_targets(classes: int, bits: int, *, seed: int) -> Tensor:
    """Random target codes (C, K) of −1 and 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.where(torch.rand(classes, bits, generator=generator) < 0.5, -1.0, 1.0)
