"""Backbones: encoders that others have trained, whose features are hashed; each is one ONNX graph.

What a backbone was trained on decides what figures with it are worth: one that has seen labels makes no method free of
labels. So that stands in its `About`, and beside every figure.
"""
