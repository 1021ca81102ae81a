"""Composing ONNX graphs: from pixels to an encoder, from its output to features, from features to codes.

A user's encoder may come from any exporter. The parts before and after it are small PyTorch modules, traced with the
encoder's version of the ONNX operators.

Shapes: N images, S pixels a side, C channels, T tokens or positions, D features, K bits, W = K/8 bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, compose, helper
from torch import Tensor, nn
from torch.nn import functional

from lookalike.backbones import tracing
from lookalike.backbones.about import About
from lookalike.core.errors import ModelError

OLDEST = 9  # minimum version of an encoder's ONNX operators


class _Scaled(nn.Module):
    """uint8 images (N, S, S, C), or (N, S, S) if grey → an encoder's input."""

    off_C: Tensor
    by_C: Tensor

    def __init__(self, about: About) -> None:
        super().__init__()
        self.about = about
        self.register_buffer("off_C", 255 * torch.tensor(about.mean))
        self.register_buffer("by_C", 255 * torch.tensor(about.deviation))

    def forward(self, images_NSSC: Tensor) -> Tensor:
        x_NSSC = images_NSSC.to(torch.float32).reshape(-1, self.about.side, self.about.side, self.about.channels)
        x_NSSC = (x_NSSC - self.off_C) / self.by_C
        return x_NSSC.permute(0, 3, 1, 2) if self.about.layout == "NCHW" else x_NSSC


class _Pooled(nn.Module):
    """Tokens (N, T, D), positions (N, D, H, W) or features → features (N, D)."""

    def __init__(self, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, y: Tensor) -> Tensor:
        if y.ndim == 3 and self.pooling == "first":
            y = y[:, 0]
        elif y.ndim == 3 and self.pooling == "mean":
            y = functional.adaptive_avg_pool1d(y.transpose(1, 2), 1)
        elif y.ndim == 4 and self.pooling == "mean":
            y = functional.adaptive_avg_pool2d(y, 1)
        return y.flatten(1)


class _Coded(nn.Module):
    """Outputs z (N, K) → codes uint8 (N, W), the packed bits z > θ, and z."""

    theta_K: Tensor
    places_81: Tensor

    def __init__(self, theta_K: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("theta_K", torch.tensor(theta_K))
        self.register_buffer("places_81", 2.0 ** torch.arange(7, -1, -1)[:, None])  # most significant bit first

    def forward(self, z_NK: Tensor) -> tuple[Tensor, Tensor]:
        ones_NW8 = (z_NK > self.theta_K).to(torch.float32).reshape(-1, self.theta_K.shape[0] // 8, 8)
        return (ones_NW8 @ self.places_81).flatten(1).to(torch.uint8), z_NK


class _First(nn.Module):
    """The first bits of codes (N, W) and latents (N, K)."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, code_NW: Tensor, latent_NK: Tensor) -> tuple[Tensor, Tensor]:
        return code_NW[:, : self.bits // 8], latent_NK[:, : self.bits]


def to_features(encoder: onnx.ModelProto, about: About) -> onnx.ModelProto:
    """A graph from `images` uint8 (N, S, S, C), or (N, S, S) if grey, to `features` float32 (N, D).

    Raises `ModelError` if the encoder does not accept such images or lacks that output.
    """
    if version(encoder) < OLDEST:
        raise ModelError(f"{about.name} uses version {version(encoder)} of the ONNX operators; export it with 17")
    entry, output = _entry(encoder, about), _output(encoder, about)
    rank = len(output.type.tensor_type.shape.dim)
    if rank == 4 and about.pooling == "first":
        raise ModelError(f'{about.name} returns positions, which have no "first"; set pooling = "mean"')
    if rank not in (2, 3, 4):
        raise ModelError(f"{about.name} has an output with {rank} dimensions; set `output` to one with 2 to 4")
    encoder = compose.add_prefix(encoder, "encoder/")
    blank = torch.zeros(2, about.side, about.side, *([3] if about.colour else []), dtype=torch.uint8)
    before = _part(_Scaled(about), (blank,), "pixels", encoder, inputs=["images"], outputs=["scaled"])
    sizes = [dim.dim_value or 2 for dim in output.type.tensor_type.shape.dim]
    behind = _part(_Pooled(about.pooling), (torch.zeros(sizes),), "pooled", encoder, inputs=["y"], outputs=["features"])
    if about.pooling == "none":  # sizes of positions that the encoder leaves open were guessed above
        del behind.graph.value_info[:]
        behind.graph.output[0].type.tensor_type.shape.dim[1].Clear()
    joined = _join(before, encoder, {"scaled": f"encoder/{entry.name}"})
    return _join(joined, behind, {f"encoder/{output.name}": "y"})


def with_network(
    features: onnx.ModelProto, network: onnx.ModelProto, theta_K: npt.NDArray[np.float32]
) -> onnx.ModelProto:
    """A graph from `images` to `code` uint8 (N, W) and `latent` float32 (N, K): features, network, θ, packing.

    Raises `ModelError` if the operators of the two cannot be converted to one version.
    """
    network = compose.add_prefix(_in_version_of(features, network), "network/")
    entry = network.graph.input[0].name
    return coded(_join(features, network, {"features": entry}), theta_K)


def coded(network: onnx.ModelProto, theta_K: npt.NDArray[np.float32]) -> onnx.ModelProto:
    """A graph with outputs `code` uint8 (N, W), the packed bits z > θ, and `latent`, from a graph with output z."""
    z_NK = torch.zeros(2, len(theta_K))
    packing = _part(_Coded(theta_K), (z_NK,), "packing", network, inputs=["packed"], outputs=["code", "latent"])
    return _join(network, packing, {network.graph.output[0].name: "packed"})


def truncated(model: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """A model whose codes are the first `bits` bits of another's."""
    length = model.graph.output[1].type.tensor_type.shape.dim[1].dim_value
    whole = compose.add_prefix(model, f"before_{bits}/", rename_inputs=False)  # a model may be truncated again
    example = torch.zeros(2, length // 8, dtype=torch.uint8), torch.zeros(2, length)
    names = [value.name for value in whole.graph.output]
    first = _part(_First(bits), example, "first", whole, inputs=["bytes", "values"], outputs=["code", "latent"])
    return _join(whole, first, dict(zip(names, ("bytes", "values"), strict=True)))


def version(model: onnx.ModelProto) -> int:
    """The version of the standard ONNX operators that a model uses."""
    return next((int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)


def batch(encoder: onnx.ModelProto, about: About) -> int:
    """An encoder's fixed batch size; 0 if any."""
    return int(_entry(encoder, about).type.tensor_type.shape.dim[0].dim_value)


def _entry(encoder: onnx.ModelProto, about: About) -> Any:
    """An encoder's only input."""
    weights = {tensor.name for tensor in encoder.graph.initializer}
    inputs = [value for value in encoder.graph.input if value.name not in weights]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ModelError(f"{about.name} has the inputs {names}; an encoder must have one, of float32 images")
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    at = {"NCHW": (1, 2, 3), "NHWC": (3, 1, 2)}[about.layout]
    expected = (about.channels, about.side, about.side)
    if len(shape) != 4 or any(shape[i] not in (0, size) for i, size in zip(at, expected, strict=True)):
        raise ModelError(
            f"{about.name} expects images of shape {shape} (0: any), but its description says {expected} in the "
            f"layout {about.layout}. Correct side, layout and colour in its TOML file"
        )
    return inputs[0]


def _output(encoder: onnx.ModelProto, about: About) -> Any:
    named = {value.name: value for value in encoder.graph.output}
    if about.output and about.output not in named:
        raise ModelError(f"{about.name} has no output {about.output!r}; its outputs are {', '.join(named)}")
    return named[about.output] if about.output else encoder.graph.output[0]


def _part(
    module: nn.Module, example: tuple[Tensor, ...], name: str, like: onnx.ModelProto, *, inputs: list[str],
    outputs: list[str],
) -> onnx.ModelProto:  # fmt: skip
    """A module as a graph compatible with another, with unique inner names."""
    made = tracing.to_onnx(
        module.eval(), *example, inputs=inputs, outputs=outputs, version=min(version(like), tracing.VERSION)
    )
    return compose.add_prefix(_in_version_of(like, made), f"{name}/", rename_inputs=False, rename_outputs=False)


def _in_version_of(like: onnx.ModelProto, part: onnx.ModelProto) -> onnx.ModelProto:
    """A graph converted to another's ONNX version. Raises `ModelError` if that is impossible."""
    if version(part) != version(like):
        try:
            part = onnx.version_converter.convert_version(part, version(like))
        except Exception as error:  # of ONNX's own
            raise ModelError(
                f"the network cannot be converted to the encoder's version {version(like)} of the ONNX operators "
                f"({error}); export the encoder with version {tracing.VERSION}"
            ) from error
    return helper.make_model(part.graph, opset_imports=list(like.opset_import), ir_version=like.ir_version)


def _join(first: onnx.ModelProto, second: onnx.ModelProto, names: dict[str, str]) -> onnx.ModelProto:
    """Two graphs joined: outputs of the first become inputs of the second."""
    outputs = [value.name for value in second.graph.output]
    joined = compose.merge_models(first, second, io_map=list(names.items()), outputs=outputs)
    versions = {one.domain: one.version for one in joined.opset_import}  # each occurs twice
    del joined.opset_import[:]
    joined.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    return joined
