"""The model file: scaling, encoder, threshold and packing in one ONNX graph that takes uint8 images.

Input `images` uint8 (N, S, S); outputs `code` uint8 (N, W), as `numpy.packbits` packs, and `latent` float32 (N, K).
The decoder of an autoencoder is a second file, which only drawing an image from its latent needs.
The same weights give the same bytes. Behind a backbone the graph is the backbone's with the network's joined to it.
Shapes: N images, S pixels a side, C channels, D features, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor, nn

from lookalike.backbones import graph
from lookalike.backbones.backbone import Backbone
from lookalike.core import codes
from lookalike.core.errors import ConfigError, TrainingError
from lookalike.hasher import DECODER_KEY, METADATA_KEY, Decoder, Hasher, ModelInfo, decoder_path
from lookalike.imaging.decode import Array
from lookalike.models import HashModel
from lookalike.models.blocks import MinMax
from lookalike.models.hashing import HashingNetwork
from lookalike.models.head import Head
from lookalike.training.outputs.checkpoint import Module
from lookalike.training.outputs.files import write_aside
from lookalike.training.outputs.halving import halve_weights

OPSETS = 14, 17  # oldest and newest version of ONNX's operators that a network behind a backbone is written in
TOLERANCE = 1e-4  # a bit whose latent is this near θ may differ between PyTorch and ONNX Runtime
SHADES = 2  # by which the drawings of PyTorch and ONNX Runtime may differ, of 255: weights are kept with 16 bits

Threshold = npt.NDArray[np.float32]


class CodeGraph(nn.Module):
    """What is exported: images uint8 (N, S, S) → code uint8 (N, W) and latent float32 (N, K)."""

    def __init__(self, model: HashModel[Any], theta_K: Threshold) -> None:
        super().__init__()
        self.scale, self.encoder, self.to_mean = MinMax(), model.encoder, model.to_mean
        self.register_buffer("theta_K", torch.from_numpy(theta_K))
        self.register_buffer("places_8", 2.0 ** torch.arange(7, -1, -1))  # most significant bit first

    def forward(self, images_NSS: Tensor) -> tuple[Tensor, Tensor]:
        latent_NK = self.to_mean(self.encoder(self.scale(images_NSS)))
        bits_NK = latent_NK > self.theta_K  # h = 1 if z > θ, the paper's section III
        bits_NW8 = bits_NK.to(torch.float32).unflatten(1, (-1, 8))
        return (bits_NW8 * self.places_8).sum(2).to(torch.uint8), latent_NK


class ImageGraph(nn.Module):
    """What is exported of a network with an encoder of its own: images uint8 (N, S, S[, C]) → code and latent."""

    def __init__(self, network: HashingNetwork, theta_K: Threshold) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("theta_K", torch.from_numpy(theta_K))
        self.register_buffer("places_8", 2.0 ** torch.arange(7, -1, -1))  # most significant bit first

    def forward(self, images_NSSC: Tensor) -> tuple[Tensor, Tensor]:
        latent_NK = self.network(images_NSSC)
        bits_NW8 = (latent_NK > self.theta_K).to(torch.float32).unflatten(1, (-1, 8))
        return (bits_NW8 * self.places_8).sum(2).to(torch.uint8), latent_NK


class DecoderGraph(nn.Module):
    """The decoder of an autoencoder: latents float32 (N, K) → images uint8 (N, S, S)."""

    def __init__(self, model: HashModel[Any]) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(self, latents_NK: Tensor) -> Tensor:
        drawn_N1SS: Tensor = self.decoder(latents_NK)
        return (drawn_N1SS.squeeze(1) * 255).round().to(torch.uint8)


def theta_digest(theta_K: Threshold) -> str:
    """BLAKE2b, 16 bytes in hexadecimal, of a threshold."""
    return hashlib.blake2b(theta_K.tobytes(), digest_size=16).hexdigest()


def export(path: Path, model: HashModel[Any], theta_K: Threshold, info: ModelInfo, *, check_NSS: Array) -> None:
    """Write the model file, after its codes of the images `check_NSS` were found to be those of the model.

    Its decoder is written beside it.
    """
    _export(path, CodeGraph(_plain(model), theta_K).eval(), theta_K, info, check_NSS)
    _export_decoder(path, DecoderGraph(_plain(model)).eval(), info, check_NSS)


def export_images(
    path: Path, network: HashingNetwork, theta_K: Threshold, info: ModelInfo, *, check_NSSC: Array
) -> None:
    """Write the model file of a network with an encoder of its own, checked in the same way."""
    _export(path, ImageGraph(_plain(network), theta_K).eval(), theta_K, info, check_NSSC)


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
    network = _plain(network).eval()
    if isinstance(network.head, Head):
        layers = [graph.Layer(*layer) for layer in network.head.layers()]
        proto = graph.with_head(backbone.model, layers, theta_K)
    else:
        opset = min(max(OPSETS[0], graph.version(backbone.model)), OPSETS[1])
        head = _network_to_onnx(network.head, features_ND.shape[1], opset=opset)
        proto = graph.with_network(backbone.model, head, theta_K)
    with torch.inference_mode():
        latents_NK = network(torch.from_numpy(np.asarray(features_ND, np.float32))).numpy()
    _write(path, proto, theta_K, info, check_NSSC, latents_NK)


def shorten(model: str | os.PathLike[str], *, bits: int, out: str | os.PathLike[str]) -> ModelInfo:
    """Write a model whose codes are the first `bits` bits of another's that was trained for that.

    Raises `ConfigError` if it was not trained for that length.
    """
    whole = Hasher.load(model)
    if str(bits) not in whole.info.nested:
        lengths = ", ".join(whole.info.nested) or "none"
        raise ConfigError(
            f"bits is {bits}; the first bits of {model} are codes for these lengths: {lengths}. Train with "
            "--nested, or take a model of pca, whose first bits always are"
        )
    proto = graph.shortened(onnx.load(whole.path), bits)
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
    content = _content(proto, METADATA_KEY, info.to_json())
    Hasher(content, path=os.fspath(out), own=True)  # refuses what does not give such codes
    write_aside(Path(out), content)
    return info


def describe(
    model: str | os.PathLike[str], *, card: str, copies: int | None = None, out: str | os.PathLike[str]
) -> ModelInfo:
    """Write a model with what was measured of it, the card and the distance of copies; its codes stay the same."""
    whole = Hasher.load(model)
    info = dataclasses.replace(whole.info, card=card, copies=copies)
    content = _content(onnx.load(whole.path), METADATA_KEY, info.to_json())
    Hasher(content, path=os.fspath(out), own=True)
    write_aside(Path(out), content)
    return info


def _plain(module: Module) -> Module:
    """A copy on the CPU, its numbers in the usual order."""
    return copy.deepcopy(module).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]


def _export(path: Path, coded: nn.Module, theta_K: Threshold, info: ModelInfo, images: Array) -> None:
    with torch.inference_mode():
        latents_NK = coded(torch.from_numpy(np.array(images)))[1].numpy()
    shown = torch.zeros(2, *images.shape[1:], dtype=torch.uint8)
    proto = _to_onnx(coded, shown, inputs=["images"], outputs=["code", "latent"])
    _write(path, proto, theta_K, info, images, latents_NK)


def _export_decoder(path: Path, drawing: DecoderGraph, info: ModelInfo, images: Array) -> None:
    proto = _to_onnx(drawing, torch.zeros(2, info.bits), inputs=["latent"], outputs=["images"])
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


def _to_onnx(module: nn.Module, example: Tensor, *, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
    with _silent():
        program = torch.onnx.export(
            module,
            (example,),
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    return proto


def _network_to_onnx(network: nn.Module, features: int, *, opset: int) -> onnx.ModelProto:
    """A network of features (N, D) by the older exporter, whose operators are those of most encoders."""
    stream = io.BytesIO()
    with _silent():
        torch.onnx.export(
            network, (torch.zeros(2, features),), stream,  # type: ignore[arg-type]
            dynamo=False, opset_version=opset, input_names=["x"], output_names=["u"],
            dynamic_axes={"x": {0: "N"}, "u": {0: "N"}},
        )  # fmt: skip
    return onnx.load_from_string(stream.getvalue())


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


@contextmanager
def _silent() -> Iterator[None]:
    """Without the exporter's notices about its own future."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
