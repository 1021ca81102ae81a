"""TransHash's two streams: a code of all tokens together, and codes of groups of them that are trained with it.

After the paper's description, since its code was not published: Chen et al., "TransHash: Transformer-based hamming
hashing for efficient image retrieval", ICMR 2022. A class token and the tokens of an image pass transformer blocks; a
last block gives the global stream by the class token, another one, shared by M groups of tokens with the class token
before each, the local streams. Departures: the tokens are those of a frozen encoder, projected to E numbers, where the
paper trains a ViT-B whole; one block is shared, one follows in each stream; M = 4, and groups are neighbouring tokens
in their order; the code is that of the global stream, the local ones only train.

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
    """Positions (N, D, H, W) in one row, (N, D·T), to outputs (N, K); in training (M + 1, N, K), global first."""

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
        first_N1E = self.first_E + 0 * x_NTE[:, :1]  # for any number of images, also when traced
        x_NTE = self.shared(torch.cat([first_N1E, x_NTE], dim=1) + self.position_TE)
        u_NK: Tensor = self.to_global(self.of_all(x_NTE)[:, 0])
        if not self.training:
            return u_NK
        parts = torch.tensor_split(x_NTE[:, 1:], self.groups, dim=1)
        groups = [self.of_groups(torch.cat([x_NTE[:, :1], part], dim=1))[:, 0] for part in parts]
        return torch.stack([u_NK, *(to_bits(group) for to_bits, group in zip(self.to_local, groups, strict=True))])

    def _last(self) -> nn.Sequential:
        return nn.Sequential(TransformerBlock(EMBEDDING, heads=HEADS), nn.LayerNorm(EMBEDDING))
