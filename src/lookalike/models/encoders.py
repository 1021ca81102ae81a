"""Encoders of our own for images in colour, to be trained from scratch where no backbone fits.

Shapes: N images, C = 3 channels, S = 64 pixels a side, T tokens, E numbers a token, D features.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lookalike.models.blocks import TransformerBlock, conv_layer

SIDE = 64  # S
CHANNELS = 3  # C
GREY = (0.299, 0.587, 0.114)  # of red, green and blue in grey (ITU-R BT.601)
WIDTHS = (32, 64, 128, 256)  # of the convolutions, each of which halves the side
PATCH = 8  # pixels a side
EMBEDDING = 128  # E
DEPTH = 3  # transformer blocks


class Pixels(nn.Module):
    """Images uint8 (N, S, S, C) → float32 (N, C, S, S) in [−1, 1]."""

    def forward(self, images_NSSC: Tensor) -> Tensor:
        return images_NSSC.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1


class ConvEncoder(nn.Module):
    """Four convolutions, and the mean and the greatest of each channel: (N, S, S, C) → (N, D)."""

    side = SIDE
    colour = True
    tokens = 0
    width = 2 * WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        layers = [conv_layer(inputs, outputs) for inputs, outputs in pairwise((CHANNELS, *WIDTHS))]
        self.layers = nn.Sequential(Pixels(), *layers)

    def forward(self, images_NSSC: Tensor) -> Tensor:
        x_NDHW = self.layers(images_NSSC)
        return torch.cat([x_NDHW.mean(dim=(2, 3)), x_NDHW.amax(dim=(2, 3))], dim=1)


class ViTEncoder(nn.Module):
    """A small vision transformer: (N, S, S, C) → (N, E), the mean over tokens; or all of them, (N, T·E).

    Dosovitskiy et al., "An Image is Worth 16x16 Words" (2021), without a class token.
    """

    side = SIDE
    colour = True

    def __init__(self, *, all_tokens: bool = False) -> None:
        super().__init__()
        count = (SIDE // PATCH) ** 2
        self.tokens, self.width = (count, EMBEDDING) if all_tokens else (0, EMBEDDING)
        self.embed = nn.Sequential(Pixels(), nn.Conv2d(CHANNELS, EMBEDDING, PATCH, stride=PATCH))
        self.position_TE = nn.Parameter(0.02 * torch.randn(count, EMBEDDING))
        blocks = [TransformerBlock(EMBEDDING, heads=4) for _ in range(DEPTH)]
        self.blocks = nn.Sequential(*blocks, nn.LayerNorm(EMBEDDING))

    def forward(self, images_NSSC: Tensor) -> Tensor:
        x_NTE = self.embed(images_NSSC).flatten(2).transpose(1, 2)
        h_NTE: Tensor = self.blocks(x_NTE + self.position_TE)
        return h_NTE.flatten(1) if self.tokens else h_NTE.mean(dim=1)
