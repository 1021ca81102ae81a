"""An encoder that finds copies: small, in colour, and pooled so that a cropped picture keeps most of its features.

_Residual blocks (He et al., 2016) at three scales; generalised-mean pooling (Radenović et al., "Fine-tuning CNN image
retrieval with no human annotation", 2018) over the last, which weighs salient features more than their position. About
95 million multiply-adds an image.

Shapes: N images, S = 96 pixels a side, C channels, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lookalike.models.blocks import conv_layer
from lookalike.models.encoders import CHANNELS, Pixels

SIDE = 96  # S
STEM = 24  # channels at half the side
WIDTHS = (48, 96, 192)  # channels at a quarter, an eighth, a sixteenth of the side
POWER = 3.0  # of the generalised mean, at first


class CopyEncoder(nn.Module):
    """Images uint8 (N, S, S, C) → features (N, D)."""

    side = SIDE
    colour = True
    tokens = 0
    width = 2 * WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Pixels(), conv_layer(CHANNELS, STEM, size=5)]
        inputs = STEM
        for outputs in WIDTHS:
            layers += [conv_layer(inputs, outputs), _Residual(outputs)]
            inputs = outputs
        self.layers = nn.Sequential(*layers, conv_layer(inputs, self.width, size=1, stride=1))
        self.pool = GeneralisedMean()
        self.norm = nn.BatchNorm1d(self.width)

    def forward(self, images_NSSC: Tensor) -> Tensor:
        features_ND: Tensor = self.norm(self.pool(self.layers(images_NSSC)))
        return features_ND


class _Residual(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_layer(channels, channels, stride=1)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return torch.relu(x_NCHW + self.second(self.first(x_NCHW)))


class GeneralisedMean(nn.Module):
    """(mean over places of x^p)^(1/p) of each channel, with one learned p: (N, C, H, W) → (N, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(POWER))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        power = self.power.clamp(1.0, 8.0)
        raised_NCHW = (power * x_NCHW.clamp(min=1e-4).log()).exp()  # ONNX Runtime takes three times as long for a power
        return raised_NCHW.mean(dim=(2, 3)).pow(1 / power)
