"""PyTorch networks as ONNX graphs: traced on one blank image, for any number of images of that size.

The tracing exporter (`dynamo=False`) takes a tenth of the time of the one based on `torch.export`, gives the same
results, needs no further package, and supports older versions of the ONNX operators.

Shapes: N images, S pixels a side, C channels.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence

import numpy as np
import onnx
import torch

from lookalike.backbones.about import About
from lookalike.core.errors import ModelError

VERSION = 17  # of the ONNX operators
LARGEST = 2**31 - 2**24  # bytes of weights: a single ONNX file is limited to 2 GiB
TOLERANCE, LEAST = 1e-3, 1e-6  # relative to the largest feature, and absolute: kernels sum in different orders


def to_onnx(
    network: torch.nn.Module,
    *example: torch.Tensor,
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str],
    version: int = VERSION,
) -> onnx.ModelProto:
    """The graph of a network in evaluation mode, with named inputs (N, …) and outputs (N, …)."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation notices
        torch.onnx.export(
            network, example, stream,  # type: ignore[arg-type]
            dynamo=False, opset_version=version, input_names=list(inputs), output_names=list(outputs),
            dynamic_axes={name: {0: "N"} for name in (*inputs, *outputs)},
        )  # fmt: skip
    return onnx.load_from_string(stream.getvalue())


def traced(network: torch.nn.Module, about: About, *, output: str) -> onnx.ModelProto:
    """The graph of a backbone in evaluation mode, from scaled images `x` (N, C, S, S) to its output, named `output`.

    Raises `ModelError` if it is too large, or uses operations that ONNX lacks.
    """
    size = sum(weight.numel() * weight.element_size() for weight in network.state_dict().values())
    if size > LARGEST:
        raise ModelError(
            f"{about.name} has {size / 2**30:.1f} GiB of weights; an ONNX file is limited to 2. Use a smaller model"
        )
    try:
        blank = torch.zeros(1, about.channels, about.side, about.side)
        return to_onnx(network, blank, outputs=[output])
    except Exception as error:  # of the network's own code, or of torch's
        raise ModelError(
            f"{about.name} cannot be exported to ONNX for images of {about.side} pixels ({one_line(error)}); use "
            "another side or model, or an ONNX file of it (see docs/backbones.md)"
        ) from error


def check(graph: onnx.ModelProto, network: torch.nn.Module, about: About) -> None:
    """Raise `ModelError` unless a graph and its network agree on a batch of two images.

    Tracing records one path through a network and loses anything that depends on the images, their number, or chance.
    """
    import onnxruntime

    draw = np.random.default_rng(0)
    x_NCSS = draw.uniform(-1, 1, (2, about.channels, about.side, about.side)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, {"x": x_NCSS})[0]
    except Exception as error:  # ONNX Runtime's own classes of errors are not public
        raise ModelError(f"{about.name} does not run in ONNX Runtime ({one_line(error)}); use another model") from error
    with torch.inference_mode():
        expected = network(torch.from_numpy(x_NCSS)).numpy()
    if found.shape != expected.shape or np.abs(found - expected).max() > TOLERANCE * np.abs(expected).max() + LEAST:
        raise ModelError(
            f"{about.name} gives other results in ONNX than in PyTorch: it is random, or depends on the images. "
            "Use another model"
        )


def one_line(error: Exception) -> str:
    """Another library's error as one line: its first, and the second if the first ends with a colon."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    line = " ".join(lines[:2]) if lines[0].rstrip().endswith(":") else lines[0]
    return textwrap.shorten(line, 200, placeholder=" …").rstrip(".")
