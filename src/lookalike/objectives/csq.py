"""CSQ: each image's bits are drawn to the hash centre of its class; centres lie half the bits apart.

Source: Yuan et al., "Central similarity quantization for efficient image and video retrieval", CVPR 2020. Centres are
rows of [H; −H], H the Hadamard matrix of K, if K is a power of two and there are at most 2K classes, else random
codes with half of their bits one. The first bits of Hadamard rows repeat, so nested codes have random centres, whose
parts between lengths have half of their bits one and whose first parts differ. With several labels the centre is the
majority vote, ties drawn. λ = 0.05. In use elsewhere: λ from 1e-4 to 1e-3, and a pairwise term whose weight is 0 in the
commands that were released.

Shapes: B images of a batch, K bits, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lookalike.objectives.base import Objective


class CSQ(Objective):
    """Central similarity and quantisation."""

    centres_CK: Tensor
    ties_K: Tensor

    def __init__(
        self, *, bits: int, classes: int, seed: int = 0, quantisation: float = 0.05, lengths: Sequence[int] = ()
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.quantisation = quantisation  # λ
        self.register_buffer("centres_CK", centres(classes, bits, generator, lengths=lengths))
        self.register_buffer("ties_K", torch.where(torch.rand(bits, generator=generator) < 0.5, -1.0, 1.0))

    def forward(self, u_BK: Tensor, target: Tensor, *, step: int = 0) -> Tensor:
        """Binary cross-entropy of (h + 1)/2 with the centre's bits, h = tanh u, and λ times the mean of (|h| − 1)²."""
        votes_BK = target.to(u_BK.dtype) @ self.centres_CK.to(u_BK.dtype)
        centre_BK = torch.where(votes_BK == 0, self.ties_K.to(u_BK.dtype), votes_BK.sign())
        # with h = tanh u, (h + 1)/2 = σ(2u)
        central = functional.binary_cross_entropy_with_logits(2 * u_BK, (centre_BK + 1) / 2)  # eq. 4
        return central + self.quantisation * ((torch.tanh(u_BK).abs() - 1) ** 2).mean()  # eqs. 5, 6


def centres(classes: int, bits: int, generator: torch.Generator, *, lengths: Sequence[int] = ()) -> Tensor:
    """Hash centres (C, K) of −1 and 1; with `lengths` of nested codes, ascending, their first bits are centres too."""
    if not lengths and bits & (bits - 1) == 0 and classes <= 2 * bits:
        matrix = hadamard(bits)
        return torch.cat([matrix, -matrix])[:classes]
    ends = [end for end in lengths if end < bits] + [bits]
    first, *others = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    parts = [_halves_unlike(classes, first, generator)] + [_halves(classes, size, generator) for size in others]
    return torch.cat(parts, dim=1)


def _halves(count: int, bits: int, generator: torch.Generator) -> Tensor:
    """Random codes of which half of the bits are 1, the others −1."""
    found = -torch.ones(count, bits)
    for row in found:
        row[torch.randperm(bits, generator=generator)[: bits // 2]] = 1
    return found


def _halves_unlike(count: int, bits: int, generator: torch.Generator) -> Tensor:
    """The same, all different where the number of bits allows it."""
    found: dict[tuple[float, ...], None] = {}
    enough = min(count, math.comb(bits, bits // 2))
    while len(found) < enough:
        found.setdefault(tuple(_halves(1, bits, generator)[0].tolist()))
    rows = torch.tensor(list(found))
    return rows[torch.arange(count) % len(rows)]


def hadamard(size: int) -> Tensor:
    """The Hadamard matrix of a power of two, by Sylvester's construction: rows that are orthogonal to each other."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.cat([torch.cat([matrix, matrix], dim=1), torch.cat([matrix, -matrix], dim=1)])
    return matrix
