"""Geometric verification: whether two images with similar codes show the same picture."""
