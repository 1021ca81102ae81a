"""The threshold of a model, read from its file without the package that writes such files.

Shapes: K bits.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

BYTES, VARINT, EIGHT, FOUR = 2, 0, 1, 5  # wire types of protocol buffers
GRAPH, INITIALIZER, RAW, FLOATS = 7, 5, 9, 4  # fields of ONNX's ModelProto, GraphProto and TensorProto


def find(model: bytes, digest: str, bits: int) -> npt.NDArray[np.float32] | None:
    """The threshold (K,) in a model file: the constant with the digest that the file's description names.

    Of a model whose codes are the first bits of another's it is the first part of that one's, and the digest says so.
    """
    whole, _, _ = digest.partition("[:")
    graphs = (graph for field, graph in _fields(model) if field == GRAPH)
    tensors = (tensor for graph in graphs for field, tensor in _fields(graph) if field == INITIALIZER)
    for values in map(_floats, tensors):
        if len(values) >= 4 * bits and hashlib.blake2b(values, digest_size=16).hexdigest() == whole:
            return np.frombuffer(values, "<f4")[:bits]
    return None


def _floats(tensor: bytes) -> bytes:
    """The values of an ONNX tensor, as bytes."""
    return b"".join(value for field, value in _fields(tensor) if field in (RAW, FLOATS))


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field of a protocol buffer that has a length, or four bytes."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind, length = key & 7, 0
        if kind == VARINT:
            _, at = _varint(view, at)
            continue
        if kind == BYTES:
            length, at = _varint(view, at)
        elif kind in (EIGHT, FOUR):
            length = 8 if kind == EIGHT else 4
        else:
            return
        if kind != EIGHT:
            yield key >> 3, bytes(view[at : at + length])
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in itertools.count(0, 7):
        if at >= len(view):
            return value, at
        value |= (view[at] & 127) << shift
        at += 1
        if view[at - 1] < 128:
            return value, at
    return value, at
