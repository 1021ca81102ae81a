"""CSVAE: a CVAE whose encoder weighs salient positions, by SimAM after its second and third layers.

Paper: Kim et al., section III, "Convolutional and Simple Attention Variational Autoencoder": SimAM layers of the same
size are inserted into the second and third layers of the encoder; the decoder doesn't change. Departures: those of
`cvae`. SimAM follows a layer's ReLU, and its λ is 1e-4, its authors' value; the paper says neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from lookalike.models.blocks import SimAM
from lookalike.models.cvae import CVAE, CVAEConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class CSVAEConfig(CVAEConfig):
    """Settings of a CSVAE: those of a CVAE."""


class CSVAE(CVAE):
    """Convolutional encoder with attention, convolutional decoder."""

    @staticmethod
    def encoder_layers(channels: tuple[int, ...]) -> list[nn.Module]:
        """The four layers and SimAM, (N, 1, S, S) → (N, C, S/16, S/16)."""
        first, second, third, fourth = CVAE.encoder_layers(channels)
        return [first, second, SimAM(), third, SimAM(), fourth]
