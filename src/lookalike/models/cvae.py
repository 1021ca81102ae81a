"""CVAE and CSVAE: a convolutional encoder, an upsampling decoder; the thresholded mean layer is the code.

Paper: Kim et al., section III, "Convolutional Variational Autoencoder": four convolution layers, and a decoder
with the layers in reverse order, by upsampling. Departures and choices:

* Channel widths are not given there; ours are in `CVAEConfig`. Each layer is 3 × 3 with stride 2, so the latent sees
  8 × 8 positions.
* * BatchNorm and ReLU follow each layer, and a sigmoid the last; the paper mentions neither.
* * SimAM follows a layer's ReLU, with its authors' λ of 1e-4; the paper specifies neither.
* * Upsampling is nearest-neighbour, followed by a 3 × 3 convolution (`blocks.UpsampledConv`).

Shapes: N images, S = 128 pixels a side, K bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from lookalike.models.base import SIDE, HashModel, ModelConfig
from lookalike.models.blocks import ConvDecoder, SimAM, conv_layer


@dataclass(frozen=True, kw_only=True, slots=True)
class CVAEConfig(ModelConfig):
    """Settings of a CVAE or CSVAE."""

    channels: tuple[int, ...] = (16, 32, 64, 128)  # four layers, each halves the side; the decoder mirrors them


class CVAE(HashModel[CVAEConfig]):
    """Convolutional encoder and decoder."""

    def __init__(self, config: CVAEConfig) -> None:
        super().__init__(
            config,
            encoder=nn.Sequential(*self.encoder_layers(config.channels), nn.Flatten()),
            width=config.channels[-1] * (SIDE // 16) ** 2,
            decoder=ConvDecoder(config.bits, config.channels),
        )

    @staticmethod
    def encoder_layers(channels: tuple[int, ...]) -> list[nn.Module]:
        """The four layers, (N, 1, S, S) → (N, C, S/16, S/16)."""
        return [conv_layer(inputs, outputs) for inputs, outputs in pairwise((1, *channels))]


class CSVAE(CVAE):
    """A CVAE whose encoder emphasises salient positions, by SimAM after its second and third layers.

    Paper: "Convolutional and Simple Attention Variational Autoencoder"; the decoder is the same.
    """

    @staticmethod
    def encoder_layers(channels: tuple[int, ...]) -> list[nn.Module]:
        first, second, third, fourth = CVAE.encoder_layers(channels)
        return [first, second, SimAM(), third, SimAM(), fourth]
