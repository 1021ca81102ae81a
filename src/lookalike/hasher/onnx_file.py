"""A minimal ONNX reader on protobuf, without the package `onnx`: only the fields that are checked.

Field numbers are those of `onnx.proto`. Other fields are skipped; those with content that is not checked (sub-graphs,
functions, sparse tensors) are listed so that they can be refused.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ModelError

_SCALARS = {"int32": 5, "int64": 3, "string": 9, "bytes": 12, "float": 2, "double": 1, "uint64": 4}
_MESSAGE, _ONE, _MANY = 11, 1, 3

# message: field number: field name, type, and * if it repeats
_FIELDS: dict[str, dict[int, str]] = {
    "Model": {
        1: "ir_version int64", 7: "graph Graph", 8: "opset_import Opset*", 14: "metadata_props Entry*",
        20: "training_info bytes*", 25: "functions bytes*",
    },
    "Opset": {1: "domain string", 2: "version int64"},
    "Entry": {1: "key string", 2: "value string"},
    "Graph": {
        1: "node Node*", 5: "initializer Tensor*", 11: "input Value*", 12: "output Value*",
        14: "quantization_annotation bytes*", 15: "sparse_initializer bytes*",
    },
    "Node": {1: "input string*", 2: "output string*", 4: "op_type string", 5: "attribute Attribute*",
             7: "domain string"},
    "Attribute": {
        1: "name string", 5: "t Tensor", 6: "g bytes", 7: "floats float*", 8: "ints int64*", 10: "tensors Tensor*",
        11: "graphs bytes*", 22: "sparse_tensor bytes", 23: "sparse_tensors bytes*",
    },
    "Tensor": {
        1: "dims int64*", 2: "data_type int32", 3: "segment bytes", 4: "float_data float*", 5: "int32_data int32*",
        6: "string_data bytes*", 7: "int64_data int64*", 8: "name string", 9: "raw_data bytes",
        10: "double_data double*", 11: "uint64_data uint64*", 13: "external_data bytes*", 14: "data_location int32",
    },
    "Value": {1: "name string", 2: "type Type"},
    "Type": {1: "tensor_type Dense"},
    "Dense": {1: "elem_type int32", 2: "shape Shape"},
    "Shape": {1: "dim Dimension*"},
    "Dimension": {1: "dim_value int64", 2: "dim_param string"},
}  # fmt: skip


def parse(data: bytes) -> Any:
    """The model in an ONNX file. Raises `ModelError` if it is not one."""
    from google.protobuf.message import DecodeError

    model = _model_class()()
    try:
        model.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ModelError("is not a readable model file: damaged, truncated, or not ONNX") from error
    return model


def find_floats(model: bytes, digest: str) -> npt.NDArray[np.float32] | None:
    """The float32 constant of a model file with this BLAKE2b digest (hexadecimal); None if missing."""
    for tensor in parse(model).graph.initializer:
        values = bytes(tensor.raw_data) or np.array(tensor.float_data, "<f4").tobytes()
        if hashlib.blake2b(values, digest_size=16).hexdigest() == digest:
            return np.frombuffer(values, "<f4")
    return None


@functools.cache
def _model_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="lookalike_onnx.proto", package="lookalike.onnx", syntax="proto2")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, about in fields.items():
            label, _, kind = about.partition(" ")
            repeats, kind = kind.endswith("*"), kind.rstrip("*")
            field = message.field.add(name=label, number=number, label=_MANY if repeats else _ONE)
            field.type = _SCALARS.get(kind, _MESSAGE)
            if kind not in _SCALARS:
                field.type_name = f".lookalike.onnx.{kind}"
    pool = descriptor_pool.DescriptorPool()  # a pool of our own: the package `onnx` may be loaded, too
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("lookalike.onnx.Model"))
