"""Batch norm statistics for networks without training."""

from __future__ import annotations

from torch import Tensor, nn


def settle(network: nn.Module, images: Tensor) -> None:
    """Set the batch norm statistics from one batch, so that untrained features differ; then `eval`."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    network.train()(images)
    network.eval()
