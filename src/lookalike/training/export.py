"""The model file: scaling, encoder, threshold and packing in one ONNX graph that takes uint8 images.

Input `images` uint8 (N, S, S); outputs `code` uint8 (N, W), as `numpy.packbits` packs, and `latent` float32 (N, K).
The decoder of an autoencoder is a second file, needed only to draw an image from its latent.
The same weights give the same bytes. Behind a backbone the graph is the backbone's with the network's joined to it.
Shapes: N images, S pixels a side, C channels, D features, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from lookalike.backbones import graph, tracing
from lookalike.backbones.backbone import Backbone
from lookalike.core import codes
from lookalike.core.errors import ConfigError, TrainingError
from lookalike.hasher import DECODER_KEY, METADATA_KEY, Decoder, Hasher, ModelInfo, decoder_path
from lookalike.imaging.decode import Array
from lookalike.models import HashModel
from lookalike.models.blocks import MinMax, UpsampledConv
from lookalike.models.hashing import HashingNetwork
from lookalike.training.checkpoint import Module
from lookalike.training.files import write_aside

LEAST_HALVED = 256  # numbers of a weight below which 16 bits save nothing
TOLERANCE = 1e-4  # a bit whose latent is this near θ may differ between PyTorch and ONNX Runtime
SHADES = 2  # by which the drawings of PyTorch and ONNX Runtime may differ, of 255: weights are kept with 16 bits

Threshold = npt.NDArray[np.float32]


class _Latents(nn.Module):
    """What is exported of an autoencoder: images uint8 (N, S, S) → latents float32 (N, K)."""

    def __init__(self, model: HashModel[Any]) -> None:
        super().__init__()
        self.scale, self.encoder, self.to_mean = MinMax(), model.encoder, model.to_mean

    def forward(self, images_NSS: Tensor) -> Tensor:
        latent_NK: Tensor = self.to_mean(self.encoder(self.scale(images_NSS)))
        return latent_NK


class _Drawn(nn.Module):
    """The decoder of an autoencoder: latents float32 (N, K) → images uint8 (N, S, S)."""

    def __init__(self, model: HashModel[Any]) -> None:
        super().__init__()
        self.decoder = model.decoder
        for name, layer in list(self.decoder.named_modules()):
            if isinstance(layer, UpsampledConv):
                self.decoder.set_submodule(name, layer.as_transposed())

    def forward(self, latents_NK: Tensor) -> Tensor:
        drawn_N1SS: Tensor = self.decoder(latents_NK)
        return (drawn_N1SS.squeeze(1) * 255).round().to(torch.uint8)


def theta_digest(theta_K: Threshold) -> str:
    """BLAKE2b, 16 bytes in hexadecimal, of a threshold."""
    return hashlib.blake2b(theta_K.tobytes(), digest_size=16).hexdigest()


def export(path: Path, network: nn.Module, theta_K: Threshold, info: ModelInfo, *, check_NSSC: Array) -> None:
    """Write the model file of a network of uint8 images, (N, S, S[, C]) → latents (N, K).

    It is written after its codes of the images `check_NSSC` were found to be those of the network.
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
    """Write the model file of one of the paper's models, and its decoder next to it."""
    export(path, _Latents(model), theta_K, info, check_NSSC=check_NSS)
    _export_decoder(path, _plain(_Drawn(copy.deepcopy(model))), info, check_NSS)


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
    """Write the model file of a network behind a backbone; `features_ND` are those of the images to be checked."""
    network = _plain(network)
    version = min(graph.version(backbone.model), tracing.VERSION)
    head = tracing.to_onnx(network.head, torch.zeros(2, features_ND.shape[1]), outputs=["u"], version=version)
    proto = graph.with_network(backbone.model, head, theta_K)
    with torch.inference_mode():
        latents_NK = network(torch.from_numpy(np.asarray(features_ND, np.float32))).numpy()
    _write(path, proto, theta_K, info, check_NSSC, latents_NK)


def truncate(model: str | os.PathLike[str], *, bits: int, out: str | os.PathLike[str]) -> ModelInfo:
    """Write a model whose codes are the first `bits` bits of those of a model that was trained for it.

    Raises `ConfigError` if it was not trained for that length.
    """
    whole = Hasher.load(model)
    if str(bits) not in whole.info.nested:
        lengths = ", ".join(whole.info.nested) or "none"
        raise ConfigError(
            f"bits is {bits}; the first bits of {model} are codes for these lengths: {lengths}. Train with "
            "--matryoshka, or use a model of pca, whose first bits always are"
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
    """Write a model file of a changed graph or description, unless it does not give codes."""
    content = _content(proto, METADATA_KEY, info.to_json())
    Hasher(content, path=os.fspath(path), own=True)
    write_aside(path, content)


def halve_weights(proto: onnx.ModelProto) -> None:
    """Keep a graph's weights with 16 bits, and make them 32 again when the file is opened."""
    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims, dtype=np.int64) < LEAST_HALVED:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for place, node in enumerate(casts):
        proto.graph.node.insert(place, node)


def _plain(module: Module) -> Module:
    """A copy on the CPU, its numbers in the usual order, in evaluation mode."""
    return copy.deepcopy(module).cpu().to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload, no-any-return]


def _export_decoder(path: Path, drawing: _Drawn, info: ModelInfo, images: Array) -> None:
    proto = tracing.to_onnx(drawing, torch.zeros(2, info.bits), inputs=["latent"], outputs=["images"])
    halve_weights(proto)
    content = _content(proto, DECODER_KEY, json.dumps({"name": info.name, "theta_digest": info.theta_digest}))
    hasher, place = Hasher.load(path), decoder_path(path)
    latents_NK = hasher.latents(images)
    with torch.inference_mode():
        expected_NSS = drawing(torch.from_numpy(latents_NK)).numpy()
    decoder = Decoder(content, hasher, path=os.fspath(place), own=True)
    wrong = np.abs(decoder.draw(latents_NK) - expected_NSS.astype(np.int16))
    if (wrong > SHADES).any():
        raise TrainingError(
            f"the exported decoder draws pixels that are {int(wrong.max())} of 255 off, by an error of the exporter; "
            "try the versions in constraints.txt"
        )
    write_aside(place, content)


def _write(
    path: Path,
    proto: onnx.ModelProto,
    theta_K: Threshold,
    info: ModelInfo,
    images: Array,
    latents_NK: npt.NDArray[np.float32],
) -> None:
    content = _content(proto, METADATA_KEY, info.to_json())
    _check(Hasher(content, path=os.fspath(path), own=True), images, latents_NK, theta_K)
    write_aside(path, content)


def _content(proto: onnx.ModelProto, key: str, about: str) -> bytes:
    _strip(proto)
    onnx.helper.set_model_props(proto, {key: about})
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _strip(proto: onnx.ModelProto) -> None:
    """Leave out what the exporter notes about the code it came from: paths and line numbers of this machine."""
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
            f"{len(images)} images, by an error of the exporter; try the versions in constraints.txt"
        )
