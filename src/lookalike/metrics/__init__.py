"""Retrieval metrics: rankings with ties, the paper's metrics, collisions, use of bits. NumPy only.

Every ranking function takes the packed codes and labels of queries and of a database. Labels are integers (N,), or
booleans (N, C) if an image can have several; two images are relevant to each other if they share a label.
"""
