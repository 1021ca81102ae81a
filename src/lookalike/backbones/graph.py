"""ONNX graphs put together: pixels to an encoder, an encoder's output to features, features to codes.

A user's encoder may come from any exporter, so the parts before and behind it are made of operators that have been in
ONNX for long, in the encoder's own version.

Shapes: N images, S pixels a side, C channels, T tokens or positions, D features, K bits, W = K/8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from lookalike.backbones.about import About
from lookalike.core.errors import ModelError

Array = npt.NDArray[np.float32]
OLDEST = 9  # version of ONNX operators that an encoder must have at least


def to_features(encoder: onnx.ModelProto, about: About) -> onnx.ModelProto:
    """`images` uint8 (N, S, S, C), or (N, S, S) if grey, to `features` float32 (N, D), by an encoder.

    Raises `ModelError` if the encoder does not take such images or has no such output.
    """
    if version(encoder) < OLDEST:
        raise ModelError(f"{about.name} uses version {version(encoder)} of ONNX's operators; export it with 17")
    entry, output = _entry(encoder, about), _output(encoder, about)
    encoder = compose.add_prefix(encoder, "encoder/")
    joined = _join(_pixels(encoder, about), encoder, {"pixels": f"encoder/{entry.name}"})
    rank = len(output.type.tensor_type.shape.dim)
    behind = _tokens(encoder, about, rank) if about.pooling == "tokens" else _pooled(encoder, about, rank)
    outputs = [value.name for value in behind.graph.output]
    return _join(joined, behind, {f"encoder/{output.name}": "raw"}, outputs=outputs)


def with_network(features: onnx.ModelProto, network: onnx.ModelProto, theta_K: Array) -> onnx.ModelProto:
    """`images` to `code` uint8 (N, W) and `latent` float32 (N, K): features, a network (N, D) → (N, K), θ, packing.

    Raises `ModelError` if the operators of the two cannot be brought to one version.
    """
    if version(network) != version(features):
        try:
            network = onnx.version_converter.convert_version(network, version(features))
        except Exception as error:  # of ONNX's own
            raise ModelError(
                f"the encoder uses version {version(features)} of ONNX's operators, to which a network cannot be "
                f"brought ({error}); export it with version 17"
            ) from error
    prefixed = compose.add_prefix(network, "network/")
    prefixed.ir_version = features.ir_version
    entry, output = prefixed.graph.input[0].name, prefixed.graph.output[0].name
    return coded(_join(features, prefixed, {"features": entry}, outputs=[output]), theta_K)


def truncated(model: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """A model whose codes are the first `bits` bits of another's."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for value, length in zip(model.graph.output, (bits // 8, bits), strict=True):
        whole = f"before_{bits}/{value.name}"  # a name for each length, as a model may be truncated again
        for node in model.graph.node:
            node.output[:] = [whole if name == value.name else name for name in node.output]
            node.input[:] = [whole if name == value.name else name for name in node.input]
        first, axis, end = (f"{whole}/{name}" for name in ("first", "axis", "end"))
        if version(model) < 10:
            node = helper.make_node("Slice", [whole], [value.name], starts=[0], ends=[length], axes=[1])
        else:
            model.graph.initializer.extend(
                numpy_helper.from_array(_i64([number]), name) for name, number in ((first, 0), (axis, 1), (end, length))
            )
            node = helper.make_node("Slice", [whole, first, end, axis], [value.name])
        model.graph.node.append(node)
        value.type.tensor_type.shape.dim[1].dim_value = length
    return model


def coded(network: onnx.ModelProto, theta_K: Array) -> onnx.ModelProto:
    """A graph with the outputs `code` uint8 (N, W), the packed bits z > θ, and `latent`, from one whose output is z."""
    width = len(theta_K) // 8
    constants: dict[str, npt.NDArray[Any]] = {
        "theta": theta_K.astype(np.float32),
        "eights": _i64([-1, width, 8]),
        "places": 2.0 ** np.arange(7, -1, -1, dtype=np.float32)[:, None],  # most significant bit first
        "flat": _i64([-1, width]),
    }
    nodes = [
        helper.make_node("Identity", ["z"], ["latent"]),
        helper.make_node("Greater", ["z", "theta"], ["bits"]),
        helper.make_node("Cast", ["bits"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["ones", "eights"], ["by_byte"]),
        helper.make_node("MatMul", ["by_byte", "places"], ["bytes"]),
        helper.make_node("Reshape", ["bytes", "flat"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["code"], to=TensorProto.UINT8),
    ]
    outputs = [
        helper.make_tensor_value_info("code", TensorProto.UINT8, ["N", width]),
        helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", len(theta_K)]),
    ]
    packing = _model(network, "packing", nodes, constants, [_floats("z", ["N", len(theta_K)])], outputs)
    return _join(network, packing, {network.graph.output[0].name: "z"})


def version(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that a model uses."""
    return next((int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)


def batch(encoder: onnx.ModelProto, about: About) -> int:
    """How many images an encoder takes at a time; 0 where it takes any number."""
    return int(_entry(encoder, about).type.tensor_type.shape.dim[0].dim_value)


def _pixels(like: onnx.ModelProto, about: About) -> onnx.ModelProto:
    """uint8 images to what an encoder takes: in [0, 1], less the mean, by the deviation, in its layout."""
    shape: list[str | int | None] = ["N", about.side, about.side]
    nodes = [helper.make_node("Cast", ["images"], ["bytes"], to=TensorProto.FLOAT)]
    constants: dict[str, npt.NDArray[Any]] = {
        "off": 255 * _f32(about.mean),
        "by": 255 * _f32(about.deviation),
        "with_channel": _i64([-1, about.side, about.side, about.channels]),
    }
    nodes += [
        helper.make_node("Reshape", ["bytes", "with_channel"], ["nhwc"]),
        helper.make_node("Sub", ["nhwc", "off"], ["centred"]),
        helper.make_node("Div", ["centred", "by"], ["scaled"]),
    ]
    if about.layout == "NCHW":
        nodes.append(helper.make_node("Transpose", ["scaled"], ["pixels"], perm=[0, 3, 1, 2]))
    else:
        nodes.append(helper.make_node("Identity", ["scaled"], ["pixels"]))
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, [*shape, 3] if about.colour else shape)
    return _model(like, "pixels", nodes, constants, [images], [_floats("pixels", ["N", "A", "B", "C"])])


def _pooled(like: onnx.ModelProto, about: About, rank: int) -> onnx.ModelProto:
    """An encoder's output to features (N, D): tokens (N, T, D) and positions (N, D, H, W) are pooled."""
    constants: dict[str, npt.NDArray[Any]] = {"flat": _i64([0, -1]), "zero": _i64(0), "spots": _i64([0, 0, -1])}
    first = about.pooling == "first"
    if rank == 2 or about.pooling == "none":
        nodes = []
    elif rank == 3 and first:
        nodes = [helper.make_node("Gather", ["raw", "zero"], ["pooled"], axis=1)]
    elif rank == 3:
        nodes = [
            helper.make_node("Transpose", ["raw"], ["turned"], perm=[0, 2, 1]),
            helper.make_node("GlobalAveragePool", ["turned"], ["pooled"]),
        ]
    elif rank == 4 and first:
        raise ModelError(f'{about.name} gives positions, of which none is "first"; write pooling = "mean"')
    elif rank == 4:
        nodes = [helper.make_node("GlobalAveragePool", ["raw"], ["pooled"])]
    else:
        raise ModelError(f"{about.name} has an output of {rank} dimensions; name one of 2 to 4 with `output`")
    nodes.append(helper.make_node("Reshape", ["pooled" if nodes else "raw", "flat"], ["features"]))
    return _model(
        like,
        "pooled",
        nodes,
        constants,
        [_floats("raw", [f"r{i}" for i in range(rank)])],
        [_floats("features", ["N", "D"])],
    )


def _tokens(like: onnx.ModelProto, about: About, rank: int) -> onnx.ModelProto:
    """An encoder's tokens or positions side by side (N, T·D), with no more digits than float16, and their number T."""
    if rank not in (3, 4):
        raise ModelError(
            f"{about.name} has an output of {rank} dimensions, in which there are no tokens (N, T, D) or positions "
            "(N, D, H, W); name such an output with `output`, or take a method that needs none"
        )
    turned = "raw" if rank == 3 else "turned"
    nodes = [] if rank == 3 else [helper.make_node("Transpose", ["raw"], ["turned"], perm=[0, 2, 3, 1])]
    nodes += [
        helper.make_node("Shape", [turned], ["shape"]),
        helper.make_node("Gather", ["shape", "last"], ["width"], axis=0),
        helper.make_node("Reshape", [turned, "flat"], ["long"]),
        helper.make_node("Cast", ["long"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["features"], to=TensorProto.FLOAT),
    ]
    outputs = [_floats("features", ["N", "D"]), helper.make_tensor_value_info("width", TensorProto.INT64, [1])]
    constants = {"flat": _i64([0, -1]), "last": _i64([rank - 1])}
    return _model(like, "tokens", nodes, constants, [_floats("raw", [f"r{i}" for i in range(rank)])], outputs)


def _entry(encoder: onnx.ModelProto, about: About) -> Any:
    """The one input of an encoder that takes pixels."""
    weights = {tensor.name for tensor in encoder.graph.initializer}
    inputs = [value for value in encoder.graph.input if value.name not in weights]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != TensorProto.FLOAT:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ModelError(f"{about.name} has the inputs {names}; an encoder has one, of float32 images")
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    at = {"NCHW": (1, 2, 3), "NHWC": (3, 1, 2)}[about.layout]
    expected = (about.channels, about.side, about.side)
    if len(shape) != 4 or any(shape[i] not in (0, size) for i, size in zip(at, expected, strict=True)):
        raise ModelError(
            f"{about.name} takes images of shape {shape} (0: any); by its description they are {expected} in the "
            f"layout {about.layout}. Give side, layout and colour in its TOML file"
        )
    return inputs[0]


def _output(encoder: onnx.ModelProto, about: About) -> Any:
    named = {value.name: value for value in encoder.graph.output}
    if about.output and about.output not in named:
        raise ModelError(f"{about.name} has no output {about.output!r}; its outputs are {', '.join(named)}")
    return named[about.output] if about.output else encoder.graph.output[0]


def _f32(value: npt.ArrayLike) -> npt.NDArray[Any]:
    return np.asarray(value, np.float32)


def _i64(value: npt.ArrayLike) -> npt.NDArray[Any]:
    return np.asarray(value, np.int64)


def _floats(name: str, shape: list[str | int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(
    like: onnx.ModelProto,
    name: str,
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, npt.NDArray[Any]],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    """A graph of our own, in the version of another, its inner names made its own."""
    used = {source for node in nodes for source in node.input}
    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items() if key in used]
    graph = helper.make_graph(list(nodes), name, list(inputs), list(outputs), weights)
    model = helper.make_model(graph, opset_imports=list(like.opset_import), ir_version=like.ir_version)
    kept = {value.name for value in (*inputs, *outputs)}
    inner = {source for node in nodes for source in (*node.input, *node.output)} - kept
    for node in model.graph.node:
        node.input[:] = [f"{name}/{one}" if one in inner else one for one in node.input]
        node.output[:] = [f"{name}/{one}" if one in inner else one for one in node.output]
    for tensor in model.graph.initializer:
        tensor.name = f"{name}/{tensor.name}"
    return model


def _join(
    first: onnx.ModelProto, second: onnx.ModelProto, names: dict[str, str], *, outputs: list[str] | None = None
) -> onnx.ModelProto:
    """Two graphs, the outputs of the first in the place of inputs of the second."""
    joined = compose.merge_models(first, second, io_map=list(names.items()), outputs=outputs)
    versions = {one.domain: one.version for one in joined.opset_import}  # each is there twice
    del joined.opset_import[:]
    joined.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    return joined
