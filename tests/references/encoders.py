"""A small encoder with its description, without torch, and folders of images of a few classes.

Shapes: N images, S = 32 pixels a side, D features, H and W positions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 32  # S
POSITIONS = (SIDE // 8) ** 2
SENTENCE = "small, 32 pixels, trained on nothing without labels, licence MIT"
COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "grey": (128, 128, 128), "red": (200, 50, 40)}


def encoder(*, pooled: bool = False, dimension: int = 32, version: int = 17) -> onnx.ModelProto:
    """A convolution (N, 3, S, S) → (N, D, H, W), or its mean over positions (N, D) if `pooled`."""
    random = np.random.default_rng(dimension)
    weights = {"weight": random.normal(size=(dimension, 3, 3, 3)), "bias": random.normal(size=dimension)}
    nodes = [
        helper.make_node("Conv", ["x", "weight", "bias"], ["convolved"], strides=[8, 8], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["convolved"], ["positions"]),
        helper.make_node("GlobalAveragePool", ["positions"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
    ]
    output = "features" if pooled else "positions"
    shape: list[str | int | None] = ["N", dimension] if pooled else ["N", dimension, SIDE // 8, SIDE // 8]
    graph = helper.make_graph(
        nodes if pooled else nodes[:2],
        "encoder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def write_encoder(
    folder: Path,
    *,
    name: str = "small",
    mean: float = 0.5,
    pooled: bool = False,
    dimension: int = 32,
    version: int = 17,
) -> Path:
    """Write `NAME.onnx` and `NAME.toml` into a folder."""
    path = folder / f"{name}.onnx"
    path.write_bytes(encoder(pooled=pooled, dimension=dimension, version=version).SerializeToString())
    path.with_suffix(".toml").write_text(
        f"side = {SIDE}\nmean = [{mean}, {mean}, {mean}]\ndeviation = [0.25, 0.25, 0.25]\n"
        'licence = "MIT"\ntrained_on = "nothing"\nlabels = false\n'
    )
    return path


def write_kinds(folder: Path, *, each: int = 20) -> Path:
    """A folder with a sub-folder of different images for each colour."""
    random = np.random.default_rng(0)
    for kind, colour in COLOURS.items():
        (folder / kind).mkdir(parents=True)
        for number in range(each):
            picture(colour, random).save(folder / kind / f"{number:02}.png")
    return folder


def picture(colour: tuple[int, int, int], random: np.random.Generator) -> Image.Image:
    """5 × 5 fields of similar colours."""
    fields: npt.NDArray[np.float64] = np.array(colour) + random.normal(scale=25, size=(5, 5, 3))
    return Image.fromarray(fields.clip(0, 255).astype(np.uint8)).resize((40, 40), Image.Resampling.NEAREST)
