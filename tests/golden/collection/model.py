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
    from onnx import TensorProto, helper

    from tests.references.models import coded

    weights_FP, theta_K = weights(), np.zeros(BITS, np.float32)
    constants: dict[str, npt.NDArray[Any]] = {
        "axes": np.array([1], np.int64),
        "square": np.array([-1, POOLED, POOLED], np.int64),
        "rows": weights_FP,
        "columns": np.ascontiguousarray(weights_FP.T),
        "flat": np.array([-1, BITS], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["pixels", "axes"], ["planes"]),
        helper.make_node("AveragePool", ["planes"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["pooled", "square"], ["reduced"]),
        helper.make_node("MatMul", ["rows", "reduced"], ["half"]),
        helper.make_node("MatMul", ["half", "columns"], ["spectrum"]),
        helper.make_node("Reshape", ["spectrum", "flat"], ["latent"]),
    ]
    path.write_bytes(coded("golden", nodes, constants, theta_K, metadata=_about(theta_K), side=SIDE))


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
