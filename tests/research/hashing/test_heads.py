"""Heads: of all tokens."""

from __future__ import annotations

import torch

from research.hashing.heads import WIDTH, flat_tokens


def test_all_tokens_reach_the_code_by_one_hidden_layer() -> None:
    torch.manual_seed(0)
    head = flat_tokens(inputs=12, bits=16, dropout=0.5)
    x_ND = torch.randn(3, 12)
    shapes = [tuple(weight.shape) for weight in head.parameters()]
    assert shapes == [(WIDTH, 12), (WIDTH,), (16, WIDTH), (16,)]
    weight, bias, last, offset = head.parameters()
    expected = torch.relu(x_ND @ weight.T + bias) @ last.T + offset
    assert torch.allclose(head.eval()(x_ND), expected, atol=1e-5)
    assert not torch.allclose(head.train()(x_ND), expected, atol=1e-2)  # dropout
    assert abs(bias.std().item() - 1) < 0.1
