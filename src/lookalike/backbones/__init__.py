"""Backbones: pretrained encoders whose features are hashed, each as one ONNX graph.

If a backbone was trained with labels, so was every method behind it. Its `About` therefore names its training data and
is printed with every figure.
"""
