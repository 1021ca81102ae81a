"""A hash model whose arithmetic is exact, so that its codes are the same on every processor.

    python -m tests.golden.collection.model         writes model.onnx, once for all (needs the package `onnx`)

It is the DCT hash known as pHash with integer weights: all products and sums are multiples of 1/4 below 2²⁴ / 4, which
float32 represents exactly, in whatever order and with whatever instructions they are added.

Shapes: S = 64 pixels a side, P = 32 after pooling, F = 8 frequencies.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MODEL = Path(__file__).with_name("model.onnx")
BITS, SIDE, POOLED, FREQUENCIES = 64, 64, 32, 8
LARGEST = 6  # weight; with more, sums would no longer be exact


def weights() -> npt.NDArray[np.float32]:
    """Cosines of frequencies 1 to 8, rounded to integers, (F, P)."""
    angle_FP = np.outer(np.arange(1, FREQUENCIES + 1), 2 * np.arange(POOLED) + 1) * np.pi / (2 * POOLED)
    weights_FP = np.rint(LARGEST * np.cos(angle_FP))
    assert 4 * 255 * np.abs(weights_FP).sum(1).max() ** 2 < 2**24, "sums would be rounded"
    return np.asarray(weights_FP, np.float32)


def write(path: Path) -> None:
    """Write the model file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights_FP, theta_K = weights(), np.zeros(BITS, np.float32)
    constants: dict[str, npt.NDArray[Any]] = {
        "axes": np.array([1], np.int64),
        "square": np.array([-1, POOLED, POOLED], np.int64),
        "rows": weights_FP,
        "columns": np.ascontiguousarray(weights_FP.T),
        "flat": np.array([-1, BITS], np.int64),
        "theta": theta_K,
        "grouped": np.array([-1, BITS // 8, 8], np.int64),
        "places": 2.0 ** np.arange(7, -1, -1, dtype=np.float32),
        "last": np.array([2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["pixels", "axes"], ["planes"]),
        helper.make_node("AveragePool", ["planes"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["pooled", "square"], ["reduced"]),
        helper.make_node("MatMul", ["rows", "reduced"], ["half"]),
        helper.make_node("MatMul", ["half", "columns"], ["spectrum"]),
        helper.make_node("Reshape", ["spectrum", "flat"], ["latent"]),
        helper.make_node("Greater", ["latent", "theta"], ["bits"]),
        helper.make_node("Cast", ["bits"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["ones", "grouped"], ["bytes"]),
        helper.make_node("Mul", ["bytes", "places"], ["placed"]),
        helper.make_node("ReduceSum", ["placed", "last"], ["sums"], keepdims=0),
        helper.make_node("Cast", ["sums"], ["code"], to=TensorProto.UINT8),
    ]
    graph = helper.make_graph(
        nodes,
        "golden",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", SIDE, SIDE])],
        [
            helper.make_tensor_value_info("code", TensorProto.UINT8, ["n", BITS // 8]),
            helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["n", BITS]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(proto, {"lookalike": _about(theta_K)})
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _about(theta_K: npt.NDArray[np.float32]) -> str:
    from lookalike.hasher import ModelInfo
    from lookalike.imaging.decode import ImageSpec

    return ModelInfo(
        name="golden-64", model="vae", bits=BITS, image=ImageSpec(side=SIDE, trim=True),
        theta_digest=hashlib.blake2b(theta_K.tobytes(), digest_size=16).hexdigest(), data_name="nothing",
        data_images=0, data_validation=0, seed=0, epochs=0, near=10, similar=18, copies=8,
    ).to_json()  # fmt: skip


if __name__ == "__main__":
    assert not MODEL.exists(), "the golden model is never made again"
    write(MODEL)
