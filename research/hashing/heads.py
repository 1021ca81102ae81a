"""Heads other than `models.hashing.Head`: of all tokens, and with outputs that only training needs.

Shapes: N images, D features, T tokens of D numbers, V numbers of a tag vector, K bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 1024  # units of the hidden layer of `flat_tokens`


def flat_tokens(*, inputs: int, bits: int, dropout: float) -> nn.Sequential:
    """All tokens of an image, flattened (N, T·D) → one hidden layer → outputs (N, K).

    Source: Dubey, Singh, Chu, "Vision transformer hashing for image retrieval" (VTS), ICME 2022, and the authors' code:
    dropout of 0.5, 1,024 units, ReLU, Kaiming-uniform weights, normal biases. They fine-tune a ViT-B that was trained
    on ImageNet-21k; here the encoder is frozen and may be any, and the learning rate is that of the other methods.
    """
    hidden, outputs = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, bits)
    for layer in (hidden, outputs):
        nn.init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(layer.bias)
    return nn.Sequential(nn.Dropout(dropout), hidden, nn.ReLU(), outputs)


class TagHead(nn.Module):
    """Features (N, D) → outputs (N, K); in training followed by those of a tag vector, (N, K + V).

    Source: Gattupalli, Zhuo, Li, "Weakly supervised deep image hashing through tag embeddings", CVPR 2019: 256 units,
    from which both are computed, the latter through tanh. Features are scaled to unit length.
    """

    def __init__(self, *, inputs: int, bits: int, tags: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, 256)
        self.to_bits, self.to_tags = nn.Linear(256, bits), nn.Linear(256, tags)

    def forward(self, x_ND: Tensor) -> Tensor:
        h = torch.relu(self.hidden(functional.normalize(x_ND, dim=1, eps=1e-12)))
        u_NK: Tensor = self.to_bits(h)
        return torch.cat([u_NK, torch.tanh(self.to_tags(h))], dim=1) if self.training else u_NK


def hash_coder(*, inputs: int, bits: int) -> nn.Sequential:
    """Features (N, D) → outputs (N, K), each normalised over the batch: CroVCA's smaller network (see `CroVCA`)."""
    layers = nn.Linear(inputs, inputs), nn.Linear(inputs, bits)
    for layer in layers:
        nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.BatchNorm1d(bits))
