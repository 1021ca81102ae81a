"""Malicious model files, built from the small model of the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lookalike.hasher import METADATA_KEY
from tests.references import models

Change = Callable[[onnx.ModelProto], object]


def changed(change: Change) -> bytes:
    """The small model's bytes after a change."""
    proto = onnx.load_from_string(models.tiny_model())
    change(proto)
    return bytes(proto.SerializeToString())


def with_nodes(proto: onnx.ModelProto, *nodes: onnx.NodeProto, constants: Sequence[onnx.TensorProto] = ()) -> None:
    """Insert operators before the others."""
    rest = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend([*nodes, *rest])
    proto.graph.initializer.extend(constants)


def external(proto: onnx.ModelProto) -> None:
    weights = next(one for one in proto.graph.initializer if one.name == "weights")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="/etc/passwd")


def external_in_a_constant(proto: onnx.ModelProto) -> None:
    tensor = TensorProto(dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret")
    with_nodes(proto, helper.make_node("Constant", [], ["odd"], value=tensor))


def foreign(proto: onnx.ModelProto) -> None:
    proto.opset_import.append(helper.make_opsetid("evil.example", 1))
    with_nodes(proto, helper.make_node("Identity", ["images"], ["odd"], domain="evil.example"))


def loop(proto: onnx.ModelProto) -> None:
    always = helper.make_node("Identity", ["go"], ["on"])
    flags = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "on")]
    count = helper.make_tensor_value_info("at", TensorProto.INT64, [])
    body = helper.make_graph([always], "body", [count, flags[0]], [flags[1]])
    constants = [numpy_helper.from_array(np.array(True), "yes"), numpy_helper.from_array(np.array(2**62), "many")]
    with_nodes(proto, helper.make_node("Loop", ["many", "yes"], [], body=body), constants=constants)


def branch(proto: onnx.ModelProto) -> None:
    part = helper.make_graph([], "part", [], [])
    yes = numpy_helper.from_array(np.array(True), "yes")
    with_nodes(proto, helper.make_node("If", ["yes"], [], then_branch=part, else_branch=part), constants=[yes])


def graph_in_another_operator(proto: onnx.ModelProto) -> None:
    with_nodes(proto, helper.make_node("Identity", ["images"], ["odd"], body=helper.make_graph([], "part", [], [])))


def function(proto: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    proto.functions.append(helper.make_function("own", "f", ["x"], ["y"], [node], [helper.make_opsetid("", 17)]))


def random_numbers(proto: onnx.ModelProto) -> None:
    with_nodes(proto, helper.make_node("RandomNormal", [], ["odd"], shape=[2]))


def claims_more_than_it_holds(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(
        TensorProto(name="odd", dims=[1 << 40], data_type=TensorProto.FLOAT, raw_data=b"1234")
    )


def negative_sides(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(TensorProto(name="odd", dims=[-4], data_type=TensorProto.FLOAT))


def sparse(proto: onnx.ModelProto) -> None:
    proto.graph.sparse_initializer.add()


def size_by_pixels(proto: onnx.ModelProto) -> None:
    """Harmless for blank images, as used in the trial; 16 GB for white ones."""
    one = numpy_helper.from_array(np.array([1]), "one")
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
        helper.make_node("Cast", ["brightest"], ["long"], to=TensorProto.INT64),
        helper.make_node("Mul", ["long", "long"], ["square"]),
        helper.make_node("Reshape", ["square", "one"], ["sides"]),
        helper.make_node("ConstantOfShape", ["sides"], ["bomb"]),
    ]
    with_nodes(proto, *nodes, constants=[one])


def out_of_order(proto: onnx.ModelProto) -> None:
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))


def another_input(proto: onnx.ModelProto) -> None:
    proto.graph.input.append(helper.make_tensor_value_info("more", TensorProto.UINT8, [1]))


def floats_in(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def larger_images(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1 << 20


def wider_codes(proto: onnx.ModelProto) -> None:
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 9


def no_latents(proto: onnx.ModelProto) -> None:
    del proto.graph.output[1]


def document_of(text: str) -> Change:
    """A change of the model's metadata."""
    return lambda proto: helper.set_model_props(proto, {METADATA_KEY: text})


REFUSED: dict[str, tuple[Change, str]] = {
    "external data": (external, "stores the array 'weights' in another file"),
    "external data in an operator": (external_in_a_constant, "in another file"),
    "an operator of others": (foreign, "only standard ONNX operators are supported"),
    "a loop": (loop, "uses Loop, which may run without end"),
    "a branch": (branch, "uses If"),
    "a graph within": (graph_in_another_operator, "has a sub-graph in its operator 'Identity'"),
    "a function": (function, "has functions of its own"),
    "random numbers": (random_numbers, "the operator 'RandomNormal', which is not supported"),
    "a claim": (claims_more_than_it_holds, "declares the array 'odd' with 1,099,511,627,776 numbers, but has 1"),
    "negative sides": (negative_sides, "declares the array 'odd' with -1 numbers"),
    "sparse arrays": (sparse, "has sparse arrays"),
    "sizes by pixels": (size_by_pixels, "whose size depends on the pixels"),
    "out of order": (out_of_order, "before its input; export"),
    "a second input": (another_input, "takes 'images', 'more'; expected 'images'"),
    "floats": (floats_in, "expected uint8 of shape"),
    "larger images": (larger_images, r"shape \[0, 1048576, 128\]"),
    "wider codes": (wider_codes, "has 'code' of data type 2 and shape"),
    "no latents": (no_latents, "does not give 'latent'"),
}


def memory_bomb(proto: onnx.ModelProto) -> None:
    """An array of 64 GB, in a few bytes of file."""
    sides = numpy_helper.from_array(np.array([1 << 34]), "sides")
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["bomb"]),
        helper.make_node("ReduceSum", ["bomb"], ["drop"]),
    ]
    with_nodes(proto, *nodes, constants=[sides])
    proto.graph.output.append(helper.make_tensor_value_info("drop", TensorProto.FLOAT, None))


def time_bomb(proto: onnx.ModelProto) -> None:
    """Successive products of 8,000 × 8,000 matrices."""
    constants = [numpy_helper.from_array(np.array([8000, 8000]), "square")]
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["least"], keepdims=0),
        helper.make_node("Expand", ["least", "square"], ["m0"]),
        *(helper.make_node("MatMul", [f"m{at}", f"m{at}"], [f"m{at + 1}"]) for at in range(60)),
        helper.make_node("ReduceMax", ["m60"], ["drop"], keepdims=0),
    ]
    with_nodes(proto, *nodes, constants=constants)
    proto.graph.output.append(helper.make_tensor_value_info("drop", TensorProto.FLOAT, None))


def many_empty_nodes(count: int) -> bytes:
    """A file whose parsed form is many times as large."""
    body = b"\x0a\x00" * count
    size = len(body)
    length = b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return b"\x08\x08\x3a" + length + bytes([size]) + body
