"""Models of half the size: weights are kept with 16 bits, and made 32 again when the file is opened.

Arithmetic stays at 32 bits, so running one is as fast as before, and its result is that of slightly rounded weights.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lookalike.hasher import Hasher
from lookalike.training.outputs.files import write_aside

LEAST = 256  # numbers of a weight, below which nothing is gained


def halve(model: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path:
    """Write a model with weights of half the size; its codes differ in some bits that lay at their threshold."""
    proto = onnx.load(Hasher.load(model).path)  # refuses what is none
    halve_weights(proto)
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString(deterministic=True)
    Hasher(content, path=os.fspath(out), own=True)  # refuses what does not give codes
    write_aside(Path(out), content)
    return Path(out)


def halve_weights(proto: onnx.ModelProto) -> None:
    """Let a graph keep its weights with 16 bits."""
    casts = []
    for weight in proto.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims, dtype=np.int64) < LEAST:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for place, node in enumerate(casts):
        proto.graph.node.insert(place, node)
