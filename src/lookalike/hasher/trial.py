"""Trial of a model file in its own process: `python -m lookalike.hasher.trial KIND MEMORY SECONDS`, file on stdin.

The file comes by stdin, so that exactly what was tried is used. Whatever it does to the protobuf parser or ONNX Runtime
happens here, within these limits of memory (bytes) and CPU time. The last line on stdout is a JSON object: empty if the
file may be used, otherwise with the `error`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lookalike.core.confinement import confine
from lookalike.core.errors import ModelError
from lookalike.hasher import graph_check, model_info, onnx_file
from lookalike.hasher.graph_check import FLOAT, UINT8, Port
from lookalike.hasher.session import open_session

MAX_SIDE = 1024  # pixels of a decoded image
Ports = Mapping[str, Port]
_DTYPES = {FLOAT: np.float32, UINT8: np.uint8}


def main(kind: str, memory: int, seconds: int) -> None:
    """Report whether a file may be used."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever libraries print is not an answer
    import onnxruntime  # noqa: F401 load it, like the parser, before memory is limited

    onnx_file.parse(b"")
    confine(memory, seconds)
    result = {}
    try:
        check(kind, sys.stdin.buffer.read(), run=True)
    except ModelError as error:
        result = {"error": str(error)}
    except MemoryError:
        result = {"error": "needs too much memory; it is damaged, or made to do that"}
    json.dump(result, answers)
    answers.flush()
    os._exit(0)  # without waiting for anything that a graph has left behind


def check(kind: str, data: bytes, *, run: bool) -> None:
    """Raise `ModelError` for a file of another kind, with unsupported content, or (with `run`) that fails to run."""
    model = onnx_file.parse(data)
    try:
        graph_check.check_graph(model)
        inputs, outputs = KINDS[kind](model)
        graph_check.check_ports(model, inputs, outputs)
    except UnicodeDecodeError as error:
        raise ModelError("is not a readable model file: it has names that are not UTF-8") from error
    batch = graph_check.batch(model) if kind == "backbone" else 1
    del model
    if run and kind != "encoder":
        _run(data, inputs, outputs, batch)


def _model_ports(model: Any) -> tuple[Ports, Ports]:
    info = model_info.ModelInfo.within(graph_check.properties(model))
    outputs = {"code": Port(UINT8, (info.bits // 8,)), "latent": Port(FLOAT, (info.bits,))}
    return {"images": Port(UINT8, info.image.shape)}, outputs


def _backbone_ports(model: Any) -> tuple[Ports, Ports]:
    """Ports of a user's encoder joined to its pre- and post-processing; its number of features is free."""
    if len(model.graph.input) != 1:
        raise ModelError(f"has {len(model.graph.input)} inputs; expected one, of images")
    value = model.graph.input[0]
    return {"images": Port(UINT8, tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)[1:])}, {}


KINDS: dict[str, Callable[[Any], tuple[Ports, Ports]]] = {
    "model": _model_ports, "backbone": _backbone_ports,
    "encoder": lambda model: ({}, {}),  # compared with its description when it is joined
}  # fmt: skip


def _run(data: bytes, inputs: Ports, outputs: Ports, batch: int) -> None:
    """Run a graph once, on blank images."""
    session = open_session(data, threads=1)
    blank = {name: np.zeros((batch, *port.shape), _DTYPES[port.type]) for name, port in inputs.items()}
    try:
        results = session.run(list(outputs) or None, blank)
    except Exception as error:  # ONNX Runtime's exception classes are not public
        raise ModelError(f"does not run: {' '.join(str(error).split())[:300]}") from error
    for (name, port), array in zip(outputs.items(), results, strict=False):
        if array.dtype != _DTYPES[port.type] or array.shape != (1, *port.shape):
            raise ModelError(
                f"gives {name!r} of type {array.dtype} and shape {array.shape}; expected "
                f"{np.dtype(_DTYPES[port.type])} of shape {(1, *port.shape)}"
            )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
