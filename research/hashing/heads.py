"""Heads other than `models.hashing.Head`: of all tokens, and with outputs that only training needs.

Shapes: N images, T tokens of D numbers, K bits.
"""

from __future__ import annotations

from torch import nn

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
