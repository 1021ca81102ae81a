"""Networks whose batch norms know means and variances, without a training."""

from __future__ import annotations

from torch import Tensor, nn


def settle(network: nn.Module, images: Tensor) -> None:
    """Let the batch norms know those of these images after one step, so that untrained features differ; then `eval`."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    network.train()(images)
    network.eval()
