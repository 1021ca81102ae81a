"""An encoder that finds copies: the first blocks of EfficientNet-Lite0, fine-tuned.

Source: Tan & Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019, in the form
without squeeze-and-excitation that Google calls Lite: inverted bottlenecks (Sandler et al., "MobileNetV2", 2018) and
ReLU6. The first eleven of its sixteen blocks are used, which respond to textures and parts rather than to kinds of
objects; the stem and the first blocks, which respond to edges and spots, are frozen. Generalised-mean pooling
(Radenović et al., "Fine-tuning CNN image retrieval with no human annotation", 2018) follows, which emphasises salient
features wherever they are. An image takes about 62 million multiply-adds at 112 pixels a side, 32 million at 80.

Images are grey, which also speeds up reading. Changes of brightness and contrast are mostly undone before the first
convolution, by subtracting the mean and dividing by the standard deviation. Images are also blurred, so that a blurred
copy differs less.

A code is the mean over two views of an image: the whole, and its centre, blurred and at a lower resolution, for 50 %
more work. Copies that are blurred, rotated, or cropped to at least three quarters of both sides then differ less,
without extra training (docs/experiments.md, "More than one view").

Shapes: N images, S = 112 pixels a side, T = 80 of the second view, C channels, D features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 112  # S
STEM = 32  # channels at half the side
FEATURES = 512  # D
FIXED = 3  # frozen blocks
EPSILON = 1e-3  # of batch norms, as in the pretrained network
SPREAD = 0.5  # standard deviation of pixels after normalisation, about that of the pretraining images
LEAST = 4.0  # of 255: lower bound of the divisor, so that uniform images stay uniform
SOFT = (1.0, 4.0, 6.0, 4.0, 1.0)  # weights of five adjacent pixels: a blur with a standard deviation of one pixel
SECOND = 80  # T; a multiple of 16 like S, because sides are halved four times
NEARER = 0.2  # share of each side cropped from the second view, half at each end
POWER = 3.0  # initial value, of the generalised mean
SOFTER = 2.5  # standard deviation of the second view's blur, in pixels of S


class _Stage(NamedTuple):
    """Equal blocks, the first of which may halve the side."""

    blocks: int
    channels: int
    kernel: int
    stride: int
    expansion: int


STAGES = (
    _Stage(1, 16, 3, 1, 1),
    _Stage(2, 24, 3, 2, 6),
    _Stage(2, 40, 5, 2, 6),
    _Stage(3, 80, 3, 2, 6),
    _Stage(3, 112, 5, 1, 6),
)


class CopyEncoder(nn.Module):
    """Images (N, S, S) or (N, T, T), uint8 or float32 from 0 to 255 → features (N, D)."""

    soft_SS: Tensor
    second_TS: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Conv(1, STEM, kernel=3, stride=2)
        self.register_buffer("soft_SS", _soft(SIDE), persistent=False)
        self.register_buffer("second_TS", _second(SIDE, SECOND), persistent=False)
        blocks, inputs = [], STEM
        for stage in STAGES:
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                blocks.append(_Bottleneck(inputs, stage.channels, stage.kernel, stride, stage.expansion))
                inputs = stage.channels
        self.fixed, self.blocks = nn.Sequential(*blocks[:FIXED]), nn.Sequential(*blocks[FIXED:])
        self.last = nn.Sequential(nn.Conv2d(inputs, FEATURES, 1, bias=False), nn.BatchNorm2d(FEATURES), nn.ReLU())
        self.pool = _GeneralisedMean()
        self.norm = nn.BatchNorm1d(FEATURES)

    def train(self, mode: bool = True) -> CopyEncoder:
        """Frozen layers keep their batch statistics, too."""
        super().train(mode)
        self.stem.eval()
        self.fixed.eval()
        return self

    def views(self, images_NSS: Tensor) -> tuple[Tensor, Tensor]:
        """The whole images, and their blurred centres: float32 (N, S, S) and (N, T, T)."""
        x_NSS = images_NSS.to(torch.float32)
        return x_NSS, self.second_TS @ x_NSS @ self.second_TS.T

    def forward(self, images_NSS: Tensor) -> Tensor:
        with torch.no_grad():
            seen = self.fixed(self.stem(self._evened(images_NSS)))
        features_ND: Tensor = self.norm(self.pool(self.last(self.blocks(seen))))
        return features_ND

    def _evened(self, images_NSS: Tensor) -> Tensor:
        """Blurred images with mean 0 and equal standard deviation: (N, 1, S, S), or (N, 1, T, T)."""
        x_N1SS = images_NSS[:, None].to(torch.float32)
        x_N1SS = x_N1SS - x_N1SS.mean(dim=(2, 3), keepdim=True)
        soft_SS = self.soft_SS[: x_N1SS.shape[2], : x_N1SS.shape[2]]
        x_N1SS = soft_SS @ x_N1SS @ soft_SS.T  # a zero-padded convolution, in half the time
        x_N1SS = x_N1SS - x_N1SS.mean(dim=(2, 3), keepdim=True)
        variance_N111 = x_N1SS.square().mean(dim=(2, 3), keepdim=True)
        return SPREAD * x_N1SS / (variance_N111 + LEAST**2).sqrt()


def _soft(side: int) -> Tensor:
    """Rows softened by `SOFT` as weighted rows, (S, S); of less than all pixels a corner of it."""
    rows = [
        torch.full((side - abs(place),), weight / sum(SOFT)).diag(place)
        for place, weight in enumerate(SOFT, -(len(SOFT) // 2))
    ]
    return torch.stack(rows).sum(dim=0)


def _second(side: int, second: int) -> Tensor:
    """The rows of the second look as weighted rows of an image, (T, S); of its columns likewise.

    >>> _second(112, 80).sum(dim=1).allclose(torch.ones(80))
    True
    """
    row_S, seen_T = (torch.arange(length, dtype=torch.float32) + 0.5 for length in (side, second))
    place_T = side / 2 + (1 - NEARER) * side / second * (seen_T - second / 2)
    weight_TS = torch.exp(-((place_T[:, None] - row_S) ** 2) / (2 * SOFTER**2))
    return weight_TS / weight_TS.sum(dim=1, keepdim=True)


class _Conv(nn.Module):
    """A convolution, its channels normed, and ReLU6 unless it is `linear`; padded as TensorFlow does."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        odd = 0 if stride == 1 else 1  # sides are even: where they are halved, a place fewer is needed before the image
        before, behind = kernel // 2 - odd, kernel // 2
        self.pad = (before, behind, before, behind) if odd else (0, 0, 0, 0)
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=0 if odd else kernel // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, eps=EPSILON, momentum=0.01)
        self.linear = linear

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if any(self.pad):
            x_NCHW = functional.pad(x_NCHW, self.pad)
        x_NCHW = self.norm(self.conv(x_NCHW))
        return x_NCHW if self.linear else functional.relu6(x_NCHW)


class _Bottleneck(nn.Module):
    """An inverted bottleneck: expansion, depthwise convolution, projection; with a residual if shapes match."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        expand = [_Conv(inputs, wide)] if expansion > 1 else []
        self.convs = nn.Sequential(
            *expand, _Conv(wide, wide, kernel=kernel, stride=stride, groups=wide), _Conv(wide, outputs, linear=True)
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x_NCHW: Tensor) -> Tensor:
        found: Tensor = self.convs(x_NCHW)
        return found + x_NCHW if self.residual else found


class _GeneralisedMean(nn.Module):
    """(mean over positions of x^p)^(1/p) of each channel, with one learned p: (N, C, H, W) → (N, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(POWER))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        power = self.power.clamp(1.0, 8.0)
        raised_NCHW = (power * x_NCHW.clamp(min=1e-4).log()).exp()  # a power takes ONNX Runtime three times as long
        return raised_NCHW.mean(dim=(2, 3)).pow(1 / power)


def first_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's stem and block weights, from EfficientNet-Lite0's, which are named as in its package."""
    found = _conv(weights, "_conv_stem", "_bn0", "stem")
    found["stem.conv.weight"] = found["stem.conv.weight"].sum(dim=1, keepdim=True)  # for three equal channels
    number = 0
    for stage in STAGES:
        for _ in range(stage.blocks):
            place = f"fixed.{number}" if number < FIXED else f"blocks.{number - FIXED}"
            parts = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            if stage.expansion > 1:
                parts = [("_expand_conv", "_bn0"), *parts]
            for part, (conv, norm) in enumerate(parts):
                block = f"_blocks.{number}."
                found |= _conv(weights, block + conv, block + norm, f"{place}.convs.{part}")
            number += 1
    return found


def _conv(weights: Mapping[str, Tensor], conv: str, norm: str, place: str) -> dict[str, Tensor]:
    names = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {
        f"{place}.conv.weight": weights[f"{conv}.weight"],
        **{f"{place}.norm.{name}": weights[f"{norm}.{name}"] for name in names},
    }
