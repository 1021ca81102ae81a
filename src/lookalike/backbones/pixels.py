"""No backbone: the pixels of a small image as they are, for methods that need features and have nothing better.

Shapes: N images, S = 32 pixels a side, D = 3·S² features.
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from lookalike.backbones.about import About

SIDE = 32  # S


def about(side: int = SIDE) -> About:
    """What it is."""
    return About(
        name="pixels",
        side=side,
        mean=(0.5,) * 3,
        deviation=(0.5,) * 3,
        pooling="none",
        licence="none needed",
        trained_on="nothing",
        labels=False,
    )


def encoder(side: int = SIDE) -> onnx.ModelProto:
    """A graph that gives its images as they come."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, side, side]) for name in ("x", "unchanged")
    ]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["unchanged"])], "pixels", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
