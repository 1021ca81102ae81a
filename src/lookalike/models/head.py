"""A head: what is trained behind a backbone, from features to the outputs that become bits.

Features are scaled to length 1; one hidden layer, normalised over the batch, then the outputs.

Shapes: N images, D features, H hidden units, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Head(nn.Module):
    """Features to outputs u; a code is the sign of u against θ. Without hidden units u is linear in the features."""

    def __init__(self, *, features: int, bits: int, hidden: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout  # share of the features that a training step does not see
        width = hidden or features
        self.hidden = nn.Linear(features, width) if hidden else None
        self.norm = nn.BatchNorm1d(width) if hidden else None
        self.outputs = nn.Linear(width, bits)

    def forward(self, features_ND: Tensor) -> Tensor:
        """Outputs u, (N, K)."""
        x = functional.normalize(features_ND, dim=1, eps=1e-12)
        x = functional.dropout(x, self.dropout, training=self.training)
        if self.hidden is not None and self.norm is not None:
            x = torch.relu(self.norm(self.hidden(x)))
        u_NK: Tensor = self.outputs(x)
        return u_NK
