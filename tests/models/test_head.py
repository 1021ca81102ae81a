"""A head's layers, as they are exported, do what the head does.

Shapes: N images, D features, K bits.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from lookalike.core.errors import ConfigError
from lookalike.models.head import Head, HeadConfig


@pytest.mark.parametrize("hidden", [0, 12])
def test_folded_layers_give_the_same_outputs(hidden: int) -> None:
    torch.manual_seed(0)
    head = Head(HeadConfig(features=10, bits=16, hidden=hidden, dropout=0.3))
    for _ in range(5):  # so that the means over batches are not those to begin with
        head(torch.randn(32, 10) * 3 + 1)
    head.eval()
    features_ND = torch.randn(7, 10)
    x = functional.normalize(features_ND, dim=1).numpy()
    for weight_DH, bias_H, relu in head.layers():
        x = x @ weight_DH + bias_H
        x = np.maximum(x, 0) if relu else x
    with torch.inference_mode():
        assert np.allclose(head(features_ND).numpy(), x, atol=1e-5)
    assert [layer[2] for layer in head.layers()] == ([True, False] if hidden else [False])


def test_lengths_that_no_code_can_have_are_refused() -> None:
    with pytest.raises(ConfigError, match="bits is 12"):
        HeadConfig(features=10, bits=12)
