"""VTE: a vision transformer as encoder, a CVAE's decoder; the thresholded mean layer is the code.

Paper: Kim et al., section III, "Variational Transformer Encoder". Departures and choices, because the paper gives no
sizes and says only that "the output of ViT can be considered as the latent vector":

* Patches of 16 × 16 pixels and a small transformer (`VTEConfig`), so that two CPU cores can train it.
* * The two heads get all tokens concatenated, as in Dubey et al., "Vision Transformer Hashing" (2022), which the paper
  cites; there is no class token. A class token or a mean over tokens has too few dimensions for long codes.

Shapes: N images, S = 128 pixels a side, T tokens, E numbers a token, K bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lookalike.models.base import SIDE, HashModel, ModelConfig
from lookalike.models.blocks import ConvDecoder, TransformerBlock


@dataclass(frozen=True, kw_only=True, slots=True)
class VTEConfig(ModelConfig):
    """Settings of a VTE."""

    patch: int = 16  # pixels a side
    embedding: int = 128  # E
    depth: int = 3  # transformer blocks
    heads: int = 4
    channels: tuple[int, ...] = (16, 32, 64, 128)  # of the decoder, in the order of a CVAE's encoder

    @property
    def tokens(self) -> int:
        """T, the number of patches of an image."""
        return (SIDE // self.patch) ** 2


class _TransformerEncoder(nn.Module):
    """Images (N, 1, S, S) → all tokens, concatenated, (N, T·E)."""

    def __init__(self, config: VTEConfig) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, config.embedding, config.patch, stride=config.patch)
        self.position_TE = nn.Parameter(0.02 * torch.randn(config.tokens, config.embedding))
        blocks = [TransformerBlock(config.embedding, heads=config.heads) for _ in range(config.depth)]
        self.blocks = nn.Sequential(*blocks, nn.LayerNorm(config.embedding))

    def forward(self, x_N1SS: Tensor) -> Tensor:
        x_NTE = self.embed(x_N1SS).flatten(2).transpose(1, 2)
        h_NTE: Tensor = self.blocks(x_NTE + self.position_TE)
        return h_NTE.flatten(1)


class VTE(HashModel[VTEConfig]):
    """Transformer encoder, convolutional decoder."""

    def __init__(self, config: VTEConfig) -> None:
        super().__init__(
            config,
            encoder=_TransformerEncoder(config),
            width=config.tokens * config.embedding,
            decoder=ConvDecoder(config.bits, config.channels),
        )
