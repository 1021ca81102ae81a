"""Objectives that need no labels: they follow features, other views of the same images, or clusters.

Shapes: B images of a batch, K bits, D features, M clusterings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.objectives.base import Objective, pairs, sign


class BiHalf(Objective):
    """Each bit is one for half of a batch, and the cosines of codes follow those of features.

    Source: Li, van Gemert, "Deep unsupervised image hashing by maximizing bit entropy", AAAI 2021. The layer sets the
    upper half of each bit's outputs in the batch to 1 and the rest to −1; its gradient is g + γ(u − b)/(B·K). γ = 6. An
    image's code, outside of training, is the sign of u, here against the mean of the training images.
    """

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean square of cos(b, b') − cos(x, x') over pairs of different images with features x (eq. 9)."""
        return _followed(halves(u_BK), target)


class GreedyHashUnsupervised(Objective):
    """The cosines of signs follow those of features: GreedyHash without labels, section 3.4 of its paper."""

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Mean square of cos(b, b') − cos(x, x') over pairs, b = sign u, of features x, and 0.1 times the penalty."""
        return _followed(sign(u_BK), target) + 0.1 * (u_BK.abs() - 1).abs().pow(3).mean()


class CIBHash(Objective):
    """Codes of two views of an image are alike, those of different images are not, and bits carry little else.

    Source: Qiu, Su, Ou, Yu, Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021. Views are
    binarised by σ(u) > ½ with gradients passed straight through; NT-Xent of cosines with temperature 0.3; β = 0.001
    times the symmetric divergence of the views' bit probabilities.
    """

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of a view; the target is the outputs of the other view of the same images."""
        p, q = torch.sigmoid(u_BK), torch.sigmoid(target)
        divergence = (_divergence(p, q.detach()) + _divergence(q, p.detach())) / 2  # eq. 9
        return contrast(sign(p - 0.5), sign(q - 0.5), temperature=0.3) + 1e-3 * divergence  # eq. 10


class Copies(Objective):
    """Codes of a picture and of an edited copy are alike, those of different pictures spread over all codes.

    After SSCD (Pizzi et al., "A self-supervised descriptor for image copy detection", CVPR 2022): NT-Xent, and the
    entropy term that drives each code away from its nearest neighbour in the batch (Sablayrolles et al., "Spreading
    vectors for similarity search", ICLR 2019). Here codes are bits, so both work on tanh u, which training drives to −1
    and 1, and bits are kept from saying the same: their correlations over the batch are made small.
    """

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
        """Mean over clusterings of −log softmax at an image's cluster, and 0.1 times the mean of (|tanh u| − 1)²."""
        h_BK = torch.tanh(u_BK)
        losses = [
            functional.cross_entropy(classifier(h_BK), target[:, number])
            for number, classifier in enumerate(self.classifiers)
        ]
        return torch.stack(losses).mean() + 0.1 * ((h_BK.abs() - 1) ** 2).mean()


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


def _followed(b_BK: Tensor, features_BD: Tensor) -> Tensor:
    """Mean square difference of the cosines of codes and of features, over pairs of different images."""
    codes, features = functional.normalize(b_BK, dim=1), functional.normalize(features_BD.detach(), dim=1)
    return ((codes @ codes.T - features @ features.T)[pairs(len(b_BK), b_BK.device)] ** 2).mean()


def contrast(a_BK: Tensor, b_BK: Tensor, *, temperature: float) -> Tensor:
    """NT-Xent: mean over 2B views of −log softmax of cos/τ at the other view, among all views but itself (eq. 5)."""
    views = functional.normalize(torch.cat([a_BK, b_BK]), dim=1)
    count = len(a_BK)
    logits = views @ views.T / temperature
    logits = logits.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=logits.device), -torch.inf)
    other = torch.arange(2 * count, device=logits.device).roll(count)
    return functional.cross_entropy(logits, other)


def _divergence(p_BK: Tensor, q_BK: Tensor) -> Tensor:
    """KL of Bernoulli(p) from Bernoulli(q), summed over bits, mean over images."""
    p, q = p_BK.clamp(1e-6, 1 - 1e-6), q_BK.clamp(1e-6, 1 - 1e-6)
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(dim=1).mean()


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
