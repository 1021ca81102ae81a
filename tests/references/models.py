"""A model without training or torch: mean-pooled patches, a fixed random projection, a threshold.

Shapes: N images, S = 128 pixels a side, P = 256 patches, K bits, W = K/8 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from lookalike.hasher import METADATA_KEY, ModelInfo
from lookalike.imaging.decode import ImageSpec

PATCH = 8
PATCHES = (128 // PATCH) ** 2


def projection(seed: int, bits: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights (P, K), invariant to brightness, and threshold θ (K,)."""
    random = np.random.default_rng([seed, bits])
    weights_PK = random.standard_normal((PATCHES, bits))
    weights_PK -= weights_PK.mean(0)
    return weights_PK.astype(np.float32), random.standard_normal(bits).astype(np.float32)


def latents(images_NSS: npt.NDArray[np.uint8], seed: int, bits: int) -> npt.NDArray[np.float64]:
    """The model's latents (N, K), computed with NumPy."""
    side = 128 // PATCH
    pooled = images_NSS.astype(np.float64).reshape(-1, side, PATCH, side, PATCH).mean((2, 4)).reshape(-1, PATCHES)
    return np.asarray(pooled @ projection(seed, bits)[0].astype(np.float64))


def info(*, seed: int = 0, bits: int = 64, **changes: Any) -> ModelInfo:
    """The model's metadata."""
    theta_K = projection(seed, bits)[1]
    values: dict[str, Any] = {
        "name": f"tiny-{bits}",
        "model": "vae",
        "bits": bits,
        "image": ImageSpec(),
        "theta_digest": hashlib.blake2b(theta_K.tobytes(), digest_size=16).hexdigest(),
        "data_name": "nothing",
        "data_images": 0,
        "data_validation": 0,
        "seed": seed,
        "epochs": 0,
    }
    return ModelInfo(**{**values, **changes})


def tiny_model(
    *, seed: int = 0, bits: int = 64, metadata: str | None = None, outputs: tuple[str, ...] = (), **changes: Any
) -> bytes:
    """The bytes of a valid model file, optionally with other metadata or fewer outputs."""
    weights_PK, theta_K = projection(seed, bits)
    constants: dict[str, npt.NDArray[Any]] = {
        "axes": np.array([1], np.int64),
        "flat": np.array([-1, PATCHES], np.int64),
        "weights": weights_PK,
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["pixels", "axes"], ["planes"]),
        helper.make_node("AveragePool", ["planes"], ["pooled"], kernel_shape=[PATCH] * 2, strides=[PATCH] * 2),
        helper.make_node("Reshape", ["pooled", "flat"], ["patches"]),
        helper.make_node("MatMul", ["patches", "weights"], ["latent"]),
    ]
    text = info(seed=seed, bits=bits, **changes).to_json() if metadata is None else metadata
    return coded("tiny", nodes, constants, theta_K, metadata=text, side=128, outputs=outputs)


def coded(
    name: str, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, npt.NDArray[Any]],
    theta_K: npt.NDArray[np.float32], *, metadata: str, side: int, outputs: tuple[str, ...] = (),
) -> bytes:  # fmt: skip
    """The bytes of a model file: nodes from `images` (N, S, S) to `latent`, θ, packing; all outputs, or some."""
    bits = len(theta_K)
    constants = {
        **constants,
        "theta": theta_K,
        "grouped": np.array([-1, bits // 8, 8], np.int64),
        "places": 2.0 ** np.arange(7, -1, -1, dtype=np.float32),
        "last": np.array([2], np.int64),
    }
    packing = [
        helper.make_node("Greater", ["latent", "theta"], ["bits"]),
        helper.make_node("Cast", ["bits"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["ones", "grouped"], ["bytes"]),
        helper.make_node("Mul", ["bytes", "places"], ["placed"]),
        helper.make_node("ReduceSum", ["placed", "last"], ["sums"], keepdims=0),
        helper.make_node("Cast", ["sums"], ["code"], to=TensorProto.UINT8),
    ]
    types = {"code": (TensorProto.UINT8, bits // 8), "latent": (TensorProto.FLOAT, bits)}
    graph = helper.make_graph(
        [*nodes, *packing],
        name,
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", side, side])],
        [helper.make_tensor_value_info(n, types[n][0], ["n", types[n][1]]) for n in outputs or tuple(types)],
        [numpy_helper.from_array(values, key) for key, values in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(proto, {METADATA_KEY: metadata})
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))
