"""Backbones: pretrained encoders whose features are hashed; each is one ONNX graph.

If a backbone has seen labels, so has every method behind it. So its `About` names its training data, and every figure
is printed with it.
"""
