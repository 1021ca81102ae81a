"""VAE: fully connected encoder and decoder; the thresholded mean layer is the code.

Paper: Kim et al., section III, "Variational Autoencoder": four fully connected layers in the encoder and four in the
decoder, the image flattened, the size halving towards the latent. Departures and choices:

* * Read literally, halving from the flattened image gives 16384 → 8192 → 4096 → 2048 → 1024: 180 million weights each
  for encoder and decoder, 5.7 GB while training. `layers=(8192, 4096, 2048, 1024)` is that model. By default the last
  layer has 2K outputs, at least 128, and the others twice as many each: a tenth of the weights for 64 bits.
* * BatchNorm and ReLU follow each layer; the paper mentions neither normalisation nor activation.
* * Training starts from principal components (`start`): from random weights, it learns the few largest of them in
  thousands of steps, and reconstructs far worse than PCA.

Shapes: N images, S = 128 pixels a side, P = S² pixels, A axes, K bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from lookalike.models.base import SIDE, HashModel, ModelConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class VAEConfig(ModelConfig):
    """Settings of a VAE."""

    layers: tuple[int, ...] = ()  # outputs of the encoder's four layers; none: the last has 2K, at least 128

    @property
    def widths(self) -> tuple[int, ...]:
        """Outputs of the encoder's layers."""
        last = max(128, 2 * self.bits)
        return self.layers or (8 * last, 4 * last, 2 * last, last)


def _dense_layers(widths: tuple[int, ...]) -> list[nn.Module]:
    """Fully connected layers from each width to the next, each with BatchNorm and ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return layers


class VAE(HashModel[VAEConfig]):
    """Fully connected encoder and decoder."""

    def __init__(self, config: VAEConfig) -> None:
        first, *_, last = config.widths
        encoder = nn.Sequential(nn.Flatten(), *_dense_layers((SIDE**2, *config.widths)))
        decoder = nn.Sequential(
            nn.Linear(config.bits, last),
            *_dense_layers(config.widths[::-1]),
            nn.Linear(first, SIDE**2),
            nn.Sigmoid(),
            nn.Unflatten(1, (1, SIDE, SIDE)),
        )
        super().__init__(config, encoder=encoder, width=last, decoder=decoder)

    @torch.no_grad()
    def start(self, x_N1SS: Tensor) -> None:
        """Set the weights so that the network computes principal components of these images, and their reconstruction.

        Layers look linear: units come in pairs, of a number and its negative, whose ReLUs differ by the number
        (Balduzzi et al., "The shattered gradients problem", ICML 2017). BatchNorm then gives all components the same
        variance, which is why the small ones are learnt as fast as the large ones.
        """
        *encoder, to_mean = [layer for layer in (*self.encoder.modules(), self.to_mean) if isinstance(layer, nn.Linear)]
        *decoder, to_image = [layer for layer in self.decoder.modules() if isinstance(layer, nn.Linear)]
        mean_P, axes_AP, deviation_A = _principal(x_N1SS.flatten(1), encoder[0].out_features // 2)
        encoder[0].weight.copy_(_both(axes_AP))
        for layer in (*encoder[1:], *decoder[1:]):
            same = _same(layer.out_features // 2, layer.in_features // 2)
            layer.weight.copy_(torch.cat([_both(same), _both(-same)], dim=1))
        same = _same(to_mean.out_features, to_mean.in_features // 2)
        to_mean.weight.copy_(torch.cat([same, -same], dim=1))
        decoder[0].weight.copy_(_both(_same(decoder[0].out_features // 2, decoder[0].in_features)))
        self.to_variance.weight.mul_(0.1)
        self.to_variance.bias.fill_(-3.0)  # of a posterior's variance, against 1 of the components
        for layer in (to_mean, decoder[0]):
            layer.bias.zero_()
        slope_P1 = (mean_P * (1 - mean_P)).clamp(min=0.05)[:, None]  # of the sigmoid at the mean image
        drawn_PA = (axes_AP.T * deviation_A / slope_P1)[:, : to_image.in_features // 2]
        drawn_PA[:, self.config.bits :] = 0  # of units that are combinations of others
        to_image.weight.copy_(torch.cat([drawn_PA, -drawn_PA], dim=1))
        to_image.bias.copy_(torch.logit(mean_P.clamp(0.01, 0.99)))


def _principal(x_NP: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The mean image (P,), its principal axes (A, P) and deviations along them (A,); random axes behind the last."""
    mean_P = x_NP.mean(dim=0)
    centred_NP = x_NP - mean_P
    values_N, vectors_NN = torch.linalg.eigh((centred_NP @ centred_NP.T).double() / len(x_NP))
    found = min(count, max(1, len(x_NP) - 1))
    values_A, vectors_NA = values_N.flip(0)[:found].clamp(min=1e-12), vectors_NN.flip(1)[:, :found]
    axes_AP = nn.functional.normalize(vectors_NA.T.float() @ centred_NP, dim=1)
    random_AP = torch.randn(count - found, x_NP.shape[1], generator=torch.Generator().manual_seed(0)) / SIDE
    deviation_A = torch.cat([values_A.sqrt().float(), torch.zeros(count - found, device=x_NP.device)])
    return mean_P, torch.cat([axes_AP, random_AP.to(x_NP.device)]), deviation_A


def _both(weight_OI: Tensor) -> Tensor:
    """Weights of units and of their negatives, (2·O, I)."""
    return torch.cat([weight_OI, -weight_OI])


def _same(outputs: int, inputs: int) -> Tensor:
    """Weights (O, I) that pass numbers on as they are; further outputs are random combinations of them."""
    passed = torch.eye(outputs, inputs)
    if outputs > inputs:
        more = torch.randn(outputs - inputs, inputs, generator=torch.Generator().manual_seed(0))
        passed[inputs:] = more / inputs**0.5
    return passed
