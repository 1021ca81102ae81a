"""The threshold of a model, read from its file.

Shapes: K bits.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from lookalike.hasher import onnx_file


def find(model: bytes, digest: str, bits: int) -> npt.NDArray[np.float32] | None:
    """The threshold (K,) in a model file: the constant with the digest that the file's description names.

    Of a model whose codes are the first bits of another's it is the first part of that one's, and the digest says so.
    """
    whole, _, _ = digest.partition("[:")
    for tensor in onnx_file.parse(model).graph.initializer:
        values = onnx_file.float32s(tensor)
        if len(values) >= 4 * bits and hashlib.blake2b(values, digest_size=16).hexdigest() == whole:
            return np.frombuffer(values, "<f4")[:bits]
    return None
