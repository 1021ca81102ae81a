"""Copies: codes of a picture and of an edited copy are alike, those of different pictures spread over all codes.

After SSCD (Pizzi et al., "A self-supervised descriptor for image copy detection", CVPR 2022): NT-Xent, and the entropy
term that drives each code away from its nearest neighbour in the batch (Sablayrolles et al., "Spreading vectors for
similarity search", ICLR 2019). Here codes are bits, so both work on tanh u, which training drives to −1 and 1, and bits
are kept from saying the same: their correlations over the batch are made small.

Shapes: B images of a batch, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lookalike.objectives.base import Objective, pairs
from lookalike.objectives.cibhash import contrast

TEMPERATURE = 0.05
ENTROPY = 0.5  # weight of the entropy term
CORRELATION = 0.1  # weight of the correlations of bits


class Copies(Objective):
    """Contrast with edited copies, spread of codes, and uncorrelated bits."""

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """The loss of pictures; the target is the outputs of their edited copies."""
        a, b = torch.tanh(u_BK), torch.tanh(target)
        loss = contrast(a, b, temperature=TEMPERATURE)
        return loss - ENTROPY * spread(a) + CORRELATION * correlated(torch.cat([a, b]))


def spread(a_BK: Tensor) -> Tensor:
    """Mean log distance, of cosines, of each code from the nearest other one: the differential entropy's estimate."""
    unit = torch.nn.functional.normalize(a_BK, dim=1)
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
