"""VAE: fully connected encoder and decoder; the thresholded mean layer is the code.

Paper: Kim et al., section III, "Variational Autoencoder": four fully connected layers in the encoder and four in the
decoder, the image flattened, the size halving towards the latent. Departures and choices:

* * Read literally, halving from the flattened image gives 16384 → 8192 → 4096 → 2048 → 1024: 180 million weights each
  for encoder and decoder, 5.7 GB while training. `layers=(8192, 4096, 2048, 1024)` is that model. By default, the first
  layer has 1024 outputs and halving continues from there: a tenth of the weights, 70 MB on disk.
* * BatchNorm and ReLU follow each layer; the paper mentions neither normalisation nor activation.

Shapes: N images, S = 128 pixels a side, K bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from lookalike.models.base import SIDE, HashModel, ModelConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEConfig(ModelConfig):
    """Settings of a VAE."""

    layers: tuple[int, ...] = (1024, 512, 256, 128)  # outputs of the encoder's four layers


def _dense_layers(widths: tuple[int, ...]) -> list[nn.Module]:
    """Fully connected layers from each width to the next, each with BatchNorm and ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return layers


class VAE(HashModel[VAEConfig]):
    """Fully connected encoder and decoder."""

    def __init__(self, config: VAEConfig) -> None:
        first, *_, last = config.layers
        encoder = nn.Sequential(nn.Flatten(), *_dense_layers((SIDE**2, *config.layers)))
        decoder = nn.Sequential(
            nn.Linear(config.bits, last),
            *_dense_layers(config.layers[::-1]),
            nn.Linear(first, SIDE**2),
            nn.Sigmoid(),
            nn.Unflatten(1, (1, SIDE, SIDE)),
        )
        super().__init__(config, encoder=encoder, width=last, decoder=decoder)
