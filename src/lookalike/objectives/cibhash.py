"""CIBHash: codes of two views of an image are alike, those of different images are not, and bits carry little else.

Source: Qiu, Su, Ou, Yu, Chen, "Unsupervised hashing with contrastive information bottleneck", IJCAI 2021. Views are
binarised by σ(u) > ½ with gradients passed straight through; NT-Xent of cosines with temperature 0.3; β = 0.001 times
the symmetric divergence of the views' bit probabilities.

Shapes: B images of a batch, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lookalike.objectives.base import Objective, sign

TEMPERATURE = 0.3
BETA = 1e-3


class CIBHash(Objective):
    """Contrast of the codes of two views, and divergence of their bits."""

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of a view; the target is the outputs of the other view of the same images."""
        p, q = torch.sigmoid(u_BK), torch.sigmoid(target)
        divergence = (_divergence(p, q.detach()) + _divergence(q, p.detach())) / 2  # eq. 9
        return contrast(sign(p - 0.5), sign(q - 0.5), temperature=TEMPERATURE) + BETA * divergence  # eq. 10


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
