"""TransHash: pairwise likelihoods of a global code and of several local codes, and outputs close to −1 or 1.

After the paper's description, since its code was not published: Chen et al., "TransHash: Transformer-based hamming
hashing for efficient image retrieval", ICMR 2022. The likelihood is HashNet's, weighted, without continuation and with
θ = ½⟨h, h'⟩; local streams count by their mean. That the quantisation term is the mean of (|h| − 1)² and its weight 0.1
are our choice.

Shapes: B images of a batch, K bits, C classes, M local streams.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lookalike.objectives.base import Objective, shared
from lookalike.objectives.hashnet import weighted_likelihood


class TransHash(Objective):
    """Weighted pairwise likelihoods of all streams; the first is global."""

    def __init__(self, *, quantisation: float = 0.1) -> None:
        super().__init__()
        self.quantisation = quantisation

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of the global stream alone, or L_global + 1/M Σ L_local of all streams (M + 1, B, K)."""
        s_BB = shared(target)
        losses: list[Tensor] = [
            weighted_likelihood(stream_BK, s_BB, alpha=0.5) + self.quantisation * ((stream_BK.abs() - 1) ** 2).mean()
            for stream_BK in (u_BK if u_BK.ndim == 3 else u_BK[None])
        ]
        return losses[0] + torch.stack(losses[1:]).mean() if len(losses) > 1 else losses[0]
