"""The model file: scaling, encoder, threshold and packing in one ONNX graph that takes uint8 images.

Input `images` uint8 (N, S, S); outputs `code` uint8 (N, W), as `numpy.packbits` packs, and `latent` float32 (N, K).
The same weights give the same bytes. Shapes: N images, S pixels a side, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import copy
import hashlib
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

from lookalike import codes
from lookalike.errors import TrainingError
from lookalike.hasher import METADATA_KEY, Hasher, ModelInfo
from lookalike.images import Array
from lookalike.models import HashModel
from lookalike.models.base import SIDE
from lookalike.models.blocks import MinMax
from lookalike.training.files import write_aside

TOLERANCE = 1e-4  # a bit whose latent is this near θ may differ between PyTorch and ONNX Runtime

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


def theta_digest(theta_K: Threshold) -> str:
    """BLAKE2b, 16 bytes in hexadecimal, of a threshold."""
    return hashlib.blake2b(theta_K.tobytes(), digest_size=16).hexdigest()


def export(path: Path, model: HashModel[Any], theta_K: Threshold, info: ModelInfo, *, check_NSS: Array) -> None:
    """Write the model file, after its codes of the images `check_NSS` were found to be those of the model."""
    graph = CodeGraph(copy.deepcopy(model).cpu().to(memory_format=torch.contiguous_format), theta_K).eval()  # type: ignore[call-overload]
    content = _to_onnx(graph, info)
    _check(Hasher(content, path=os.fspath(path)), graph, theta_K, check_NSS)
    write_aside(path, content)


def _to_onnx(graph: CodeGraph, info: ModelInfo) -> bytes:
    example = torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)
    with _silent():
        program = torch.onnx.export(
            graph,
            (example,),
            input_names=["images"],
            output_names=["code", "latent"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    _strip(proto)
    onnx.helper.set_model_props(proto, {METADATA_KEY: info.to_json()})
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _strip(proto: onnx.ModelProto) -> None:
    """Leave out what the exporter notes about the code it came from: paths and line numbers of this machine."""
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")


def _check(hasher: Hasher, graph: CodeGraph, theta_K: Threshold, images_NSS: Array) -> None:
    """Raise `TrainingError` if ONNX Runtime's codes are not the model's."""
    with torch.inference_mode():
        latents_NK = graph(torch.from_numpy(np.array(images_NSS)))[1].numpy()
    wrong_NK = codes.unpack(hasher.encode_arrays(images_NSS)) != codes.binarize(latents_NK, theta_K)
    serious = wrong_NK & (np.abs(latents_NK - theta_K) >= TOLERANCE)
    if serious.any():
        raise TrainingError(
            f"the exported model disagrees with the trained one in {int(serious.sum())} bits of "
            f"{len(images_NSS)} images, by an error of the exporter; try the versions in constraints.txt"
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
