"""The model file: scaling, encoder, threshold and packing in one ONNX graph that takes uint8 images.

Input `images` uint8 (N, S, S); outputs `code` uint8 (N, W), as `numpy.packbits` packs, and `latent` float32 (N, K).
Equal weights give equal bytes. For a network behind a backbone, both graphs are joined.
Shapes: N images, S pixels a side, C channels, D features, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from lookalike.backbones import graph, tracing
from lookalike.backbones.backbone import Backbone
from lookalike.core import codes
from lookalike.core.errors import ConfigError, TrainingError
from lookalike.hasher import METADATA_KEY, Hasher, ModelInfo
from lookalike.imaging.decode import Array
from lookalike.models import HashModel
from lookalike.models.blocks import MinMax
from lookalike.models.hashing import HashingNetwork
from lookalike.training.checkpoint import Module
from lookalike.training.files import write_aside

TOLERANCE = 1e-4  # bits with latents this close to θ may differ between PyTorch and ONNX Runtime

Threshold = npt.NDArray[np.float32]


class _Latents(nn.Module):
    """The exported encoder of an autoencoder: images uint8 (N, S, S) → latents float32 (N, K)."""

    def __init__(self, model: HashModel[Any]) -> None:
        super().__init__()
        self.scale, self.encoder, self.to_mean = MinMax(), model.encoder, model.to_mean

    def forward(self, images_NSS: Tensor) -> Tensor:
        latent_NK: Tensor = self.to_mean(self.encoder(self.scale(images_NSS)))
        return latent_NK


def theta_digest(theta_K: Threshold) -> str:
    """BLAKE2b, 16 bytes in hexadecimal, of a threshold."""
    return hashlib.blake2b(theta_K.tobytes(), digest_size=16).hexdigest()


def export(path: Path, network: nn.Module, theta_K: Threshold, info: ModelInfo, *, check_NSSC: Array) -> None:
    """Write the model file of a network from uint8 images (N, S, S[, C]) to latents (N, K).

    Its codes of the images `check_NSSC` are compared with the network's before it is written.
    """
    network = _plain(network)
    with torch.inference_mode():
        latents_NK = network(torch.from_numpy(np.array(check_NSSC))).numpy()
    blank = torch.zeros(1, *check_NSSC.shape[1:], dtype=torch.uint8)
    proto = graph.coded(tracing.to_onnx(network, blank, inputs=["images"], outputs=["z"]), theta_K)
    _write(path, proto, theta_K, info, check_NSSC, latents_NK)


def export_autoencoder(
    path: Path, model: HashModel[Any], theta_K: Threshold, info: ModelInfo, *, check_NSS: Array
) -> None:
    """Write the model file of one of the paper's models."""
    export(path, _Latents(model), theta_K, info, check_NSSC=check_NSS)


def export_behind(
    path: Path,
    backbone: Backbone,
    network: HashingNetwork,
    theta_K: Threshold,
    info: ModelInfo,
    *,
    check_NSSC: Array,
    features_ND: npt.NDArray[np.floating],
) -> None:
    """Write the model file of a network behind a backbone; `features_ND` belong to the images `check_NSSC`."""
    network = _plain(network)
    version = min(graph.version(backbone.model), tracing.VERSION)
    head = tracing.to_onnx(network.head, torch.zeros(2, features_ND.shape[1]), outputs=["u"], version=version)
    proto = graph.with_network(backbone.model, head, theta_K)
    with torch.inference_mode():
        latents_NK = network(torch.from_numpy(np.asarray(features_ND, np.float32))).numpy()
    _write(path, proto, theta_K, info, check_NSSC, latents_NK)


def truncate(model: str | os.PathLike[str], *, bits: int, out: str | os.PathLike[str]) -> ModelInfo:
    """Write a model whose codes are the first `bits` bits of another's.

    Raises `ConfigError` if that model was not trained for this length.
    """
    whole = Hasher.load(model)
    if str(bits) not in whole.info.nested:
        lengths = ", ".join(whole.info.nested) or "none"
        raise ConfigError(
            f"bits is {bits}; the first bits of {model} are codes for these lengths: {lengths}. Train with "
            "--matryoshka, or use a pca model, which supports every length"
        )
    proto = graph.truncated(onnx.load(whole.path), bits)
    nested = {length: radii for length, radii in whole.info.nested.items() if int(length) < bits}
    info = dataclasses.replace(
        whole.info,
        name=f"{whole.info.model}-{bits}",
        bits=bits,
        theta_digest=f"{whole.info.theta_digest}[:{bits}]",
        nested=nested,
        copies=None,
        near=whole.info.nested[str(bits)]["near"],
        similar=whole.info.nested[str(bits)]["similar"],
    )
    rewrite(Path(out), proto, info)
    return info


def rewrite(path: Path, proto: onnx.ModelProto, info: ModelInfo) -> None:
    """Write a model file with a changed graph or description, after checking that it works."""
    content = _content(proto, info)
    Hasher(content, path=os.fspath(path), own=True)
    write_aside(path, content)


def _plain(module: Module) -> Module:
    """A copy on the CPU, with contiguous weights, in evaluation mode."""
    return copy.deepcopy(module).cpu().to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload, no-any-return]


def _write(
    path: Path,
    proto: onnx.ModelProto,
    theta_K: Threshold,
    info: ModelInfo,
    images: Array,
    latents_NK: npt.NDArray[np.float32],
) -> None:
    content = _content(proto, info)
    _check(Hasher(content, path=os.fspath(path), own=True), images, latents_NK, theta_K)
    write_aside(path, content)


def _content(proto: onnx.ModelProto, info: ModelInfo) -> bytes:
    _strip(proto)
    onnx.helper.set_model_props(proto, {METADATA_KEY: info.to_json()})
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _strip(proto: onnx.ModelProto) -> None:
    """Remove the exporter's source references, which have paths of this machine."""
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def _check(hasher: Hasher, images: Array, latents_NK: npt.NDArray[np.float32], theta_K: Threshold) -> None:
    """Raise `TrainingError` if ONNX Runtime's codes are not the model's."""
    wrong_NK = codes.unpack(hasher.encode_arrays(images)) != codes.binarize(latents_NK, theta_K)
    serious = wrong_NK & (np.abs(latents_NK - theta_K) >= TOLERANCE * max(1.0, float(np.abs(latents_NK).max())))
    if serious.any():
        raise TrainingError(
            f"the exported model disagrees with the trained one in {int(serious.sum())} bits of "
            f"{len(images)} images, an error of the exporter; try the versions in constraints.txt"
        )
