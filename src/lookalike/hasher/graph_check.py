"""Rules for ONNX graphs, checked before ONNX Runtime sees the file.

A graph is accepted only if one run is representative of all: standard ONNX operators from a list, no loops or branches,
nothing outside the file, and no array whose size depends on pixels. One run then measures the time and memory of every
run (`trial`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lookalike.core.errors import ModelError

DOMAINS = ("", "ai.onnx")
MAX_NODES = 50_000
_OPERATORS = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitShift
    BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Conv
    ConvInteger ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear
    Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid
    HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less
    LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean
    MeanVarianceNormalization Min Mish Mod Mul Neg Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul
    QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize RotaryEmbedding Round
    ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum SwiGLU Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu
    Unsqueeze Upsample Where Xor
"""
OPERATORS = frozenset(_OPERATORS.split())
UNBOUNDED = ("Loop", "If", "Scan", "SequenceMap")
_REDUCTIONS = {name: (1,) for name in OPERATORS if name.startswith("Reduce")}
SIZES: dict[str, tuple[int, ...]] = {  # inputs that determine the output's size
    "Reshape": (1,), "Expand": (1,), "Tile": (1, 2), "Resize": (1, 2, 3), "Upsample": (1,), "Pad": (1, 3),
    "ConstantOfShape": (0,), "Range": (0, 1, 2), "OneHot": (1,), "Slice": (1, 2, 3, 4), "TopK": (1,), "Split": (1,),
    "Squeeze": (1,), "Unsqueeze": (1,), **_REDUCTIONS,
}  # fmt: skip
SIZE_ONLY = ("Shape", "Size")  # their outputs depend on sizes, not on values
_WIDTHS = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}  # bytes, by data type
FLOAT, UINT8 = 1, 2  # data types
_TYPES = {FLOAT: "float32", UINT8: "uint8"}


class Port(NamedTuple):
    """An input or output of a graph; the first side of its shape, the number of images, is not checked."""

    type: int
    shape: tuple[int, ...]


def check_graph(model: Any) -> None:
    """Raise `ModelError` for a parsed model with more than operators on its own arrays."""
    graph = model.graph
    refused = {"functions of its own": model.functions, "training steps": model.training_info}
    for what, found in {**refused, "sparse arrays": graph.sparse_initializer}.items():
        if len(found):
            raise ModelError(f"has {what}, which are not supported")
    if len(graph.node) > MAX_NODES:
        raise ModelError(f"has {len(graph.node):,} operators; at most {MAX_NODES:,} are supported")
    for node in graph.node:
        _check_node(node)
    for tensor in _tensors(graph):
        _check_tensor(tensor)
    _check_sizes(graph)


def check_ports(model: Any, inputs: Mapping[str, Port], outputs: Mapping[str, Port]) -> None:
    """Raise `ModelError` unless a parsed model takes and gives arrays of these names, types and shapes.

    Without `inputs` nothing is checked.
    """
    if not inputs:
        return
    constants = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in constants]
    names = [value.name for value in given]
    if names != list(inputs):
        raise ModelError(f"takes {_listed(names)}; expected {_listed(list(inputs))}")
    there = {value.name: value for value in model.graph.output}
    missing = [name for name in outputs if name not in there]
    if missing:
        raise ModelError(f"does not give {missing[0]!r}; it gives {_listed(list(there))}")
    for value, port in [*zip(given, inputs.values(), strict=True), *((there[name], outputs[name]) for name in outputs)]:
        _check_port(value, port)


def batch(model: Any) -> int:
    """The number of images that a parsed model takes at a time; 1 if it takes any number."""
    shapes = [value.type.tensor_type.shape.dim for value in model.graph.input]
    return max(1, shapes[0][0].dim_value) if shapes and shapes[0] else 1


def properties(model: Any) -> dict[str, str]:
    """A parsed model's metadata, by key."""
    try:
        return {entry.key: entry.value for entry in model.metadata_props}
    except UnicodeDecodeError as error:
        raise ModelError("its metadata is not UTF-8") from error


def _check_node(node: Any) -> None:
    name = node.op_type
    if node.domain not in DOMAINS:
        raise ModelError(f"uses the operator {name!r} of {node.domain!r}; only standard ONNX operators are supported")
    if name in UNBOUNDED:
        raise ModelError(f"uses {name}, which may run without end; export it without loops and branches")
    if name not in OPERATORS:
        raise ModelError(f"uses the operator {name!r}, which is not supported")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise ModelError(f"has a sub-graph in its operator {name!r}; export it without loops and branches")
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise ModelError(f"has sparse arrays in its operator {name!r}")


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_tensor(tensor: Any) -> None:
    """Raise `ModelError` for a tensor whose values are outside the file, or fewer than claimed."""
    if tensor.data_location or tensor.external_data:
        raise ModelError(f"stores the array {tensor.name!r} in another file; only the model file is read")
    width = _WIDTHS.get(tensor.data_type)
    if width is None:
        raise ModelError(f"has the array {tensor.name!r} of data type {tensor.data_type}, which is not supported")
    claimed = math.prod(tensor.dims) if all(side >= 0 for side in tensor.dims) else -1
    fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    actual = len(tensor.raw_data) // width if tensor.raw_data else max(map(len, fields))
    if tensor.HasField("segment") or claimed < 0 or actual != claimed or len(tensor.raw_data) % width:
        raise ModelError(f"declares the array {tensor.name!r} with {claimed:,} numbers, but has {actual:,}")


def _check_sizes(graph: Any) -> None:
    """Raise `ModelError` if the size of an array depends on pixels; operators are in execution order."""
    constants = {tensor.name for tensor in graph.initializer}
    by_value = {value.name for value in graph.input if value.name not in constants}
    known = constants | by_value | {""}  # an omitted input has an empty name
    for node in graph.node:
        if not known.issuperset(node.input):
            raise ModelError(f"has the operator {node.op_type} before its input; export the operators in order")
        known.update(node.output)
        for at in SIZES.get(node.op_type, ()):
            if at < len(node.input) and node.input[at] in by_value:
                raise ModelError(f"has an array in {node.op_type} whose size depends on the pixels of an image")
        if node.op_type not in SIZE_ONLY and not by_value.isdisjoint(node.input):
            by_value.update(name for name in node.output if name)


def _check_port(value: Any, port: Port) -> None:
    dense = value.type.tensor_type
    sides = [dim.dim_value for dim in dense.shape.dim]  # 0: any
    fits = len(sides) == len(port.shape) + 1 and all(
        side in (0, wanted) for side, wanted in zip(sides[1:], port.shape, strict=True)
    )
    if dense.elem_type != port.type or not fits:
        raise ModelError(
            f"has {value.name!r} of data type {dense.elem_type} and shape {sides} (0: any); expected "
            f"{_TYPES[port.type]} of shape {[0, *port.shape]}"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (" …" if len(names) > 5 else "") if names else "nothing"
