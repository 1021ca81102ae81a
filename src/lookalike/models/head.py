"""A head: what is trained behind a backbone, from features to the outputs that become bits.

Features are scaled to length 1; one hidden layer, normalised over the batch, then the outputs. For export the
normalisation is folded into the layer before it, so that a graph needs nothing but products.

Shapes: N images, D features, H hidden units, K bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from lookalike.core.codes import check_bits

Weights = tuple[
    npt.NDArray[np.float32], npt.NDArray[np.float32], bool
]  # weight (D, H), bias (H,), whether ReLU follows


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadConfig:
    """Sizes of a head."""

    features: int  # D
    bits: int = 64  # K
    hidden: int = 512  # H; 0: none, the outputs are linear in the features
    dropout: float = 0.0  # share of the features that a training step does not see

    def __post_init__(self) -> None:
        check_bits(self.bits)


class Head(nn.Module):
    """Features to outputs u; a code is the sign of u against θ."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden or config.features
        self.hidden = nn.Linear(config.features, width) if config.hidden else None
        self.norm = nn.BatchNorm1d(width) if config.hidden else None
        self.outputs = nn.Linear(width, config.bits)

    def forward(self, features_ND: Tensor) -> Tensor:
        """Outputs u, (N, K)."""
        x = functional.normalize(features_ND, dim=1, eps=1e-12)
        x = functional.dropout(x, self.config.dropout, training=self.training)
        if self.hidden is not None and self.norm is not None:
            x = torch.relu(self.norm(self.hidden(x)))
        u_NK: Tensor = self.outputs(x)
        return u_NK

    def layers(self) -> list[Weights]:
        """The layers as products: weight, bias, and whether what is below 0 is cut off."""
        found: list[Weights] = []
        if self.hidden is not None and self.norm is not None:
            mean, variance = self.norm.running_mean, self.norm.running_var
            assert mean is not None
            assert variance is not None
            scale = self.norm.weight / torch.sqrt(variance + self.norm.eps)
            bias = (self.hidden.bias - mean) * scale + self.norm.bias
            found.append((_array((self.hidden.weight * scale[:, None]).T), _array(bias), True))
        found.append((_array(self.outputs.weight.T), _array(self.outputs.bias), False))
        return found


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)
