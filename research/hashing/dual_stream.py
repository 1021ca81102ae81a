"""TransHash's two streams: a code of all tokens, and codes of groups of tokens, used only in training.

Implemented from the paper, since its code was not published: Chen et al., "TransHash: Transformer-based hamming hashing
for efficient image retrieval", ICMR 2022. A class token and the tokens of an image pass through transformer blocks. A
last block yields the global stream from the class token; another, shared by M groups of tokens with the class token
prepended, yields the local streams. Differences from the paper: the tokens come from a frozen encoder and are projected
to E numbers, whereas the paper trains a whole ViT-B; one block is shared, and one follows in each stream; M = 4, and
groups are consecutive tokens; the code is that of the global stream, the local ones only serve training.

Shapes: N images, T tokens of D numbers, projected to E, M groups, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lookalike.models.blocks import TransformerBlock

EMBEDDING = 64  # E
HEADS = 4
GROUPS = 4  # M


class DualStream(nn.Module):
    """Flattened positions (N, D·T) of (N, D, H, W) to outputs (N, K); in training (M + 1, N, K), global first."""

    def __init__(self, *, tokens: int, width: int, bits: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens, self.width, self.groups = tokens, width, min(GROUPS, tokens)
        self.project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, EMBEDDING), nn.Dropout(dropout))
        self.first_E = nn.Parameter(0.02 * torch.randn(EMBEDDING))
        self.position_TE = nn.Parameter(0.02 * torch.randn(tokens + 1, EMBEDDING))
        self.shared = TransformerBlock(EMBEDDING, heads=HEADS)
        self.of_all, self.of_groups = (self._last() for _ in range(2))
        self.to_global = nn.Linear(EMBEDDING, bits)
        self.to_local = nn.ModuleList(nn.Linear(EMBEDDING, bits) for _ in range(self.groups))

    def forward(self, tokens_ND: Tensor) -> Tensor:
        x_NTE = self.project(tokens_ND.reshape(-1, self.width, self.tokens).transpose(1, 2))
        first_N1E = self.first_E + 0 * x_NTE[:, :1]  # batch size from the input, also when traced
        x_NTE = self.shared(torch.cat([first_N1E, x_NTE], dim=1) + self.position_TE)
        u_NK: Tensor = self.to_global(self.of_all(x_NTE)[:, 0])
        if not self.training:
            return u_NK
        parts = torch.tensor_split(x_NTE[:, 1:], self.groups, dim=1)
        groups = [self.of_groups(torch.cat([x_NTE[:, :1], part], dim=1))[:, 0] for part in parts]
        return torch.stack([u_NK, *(to_bits(group) for to_bits, group in zip(self.to_local, groups, strict=True))])

    def _last(self) -> nn.Sequential:
        return nn.Sequential(TransformerBlock(EMBEDDING, heads=HEADS), nn.LayerNorm(EMBEDDING))
