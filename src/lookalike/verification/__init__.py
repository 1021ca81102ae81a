"""Geometric verification: whether two images that have similar codes show the same picture."""
