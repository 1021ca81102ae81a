"""Edits of images, each at several strengths: what robustness and training apply."""
