"""Vectors of tags, by which images with similar tags can be told: in the place of word2vec's.

Positive pointwise mutual information of tags that occur together, and its main axes: Levy & Goldberg, "Neural word
embedding as implicit matrix factorization", NeurIPS 2014, which shows that word2vec factorises a shifted form of it.

Shapes: N images, C tags, V numbers of a tag's vector.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WIDTH = 300  # V at most, as of word2vec

Floats = npt.NDArray[np.float64]


def tag_vectors(tags_NC: npt.NDArray[np.bool_], *, width: int = WIDTH) -> Floats:
    """A vector of each tag, (C, V): main axes of the PPMI matrix, scaled by the roots of its singular values.

    A tag that no image has gets zeros. Nothing is random, and the sign of each axis is fixed.
    """
    ppmi_CC = ppmi(tags_NC)
    values_C, axes_CC = np.linalg.eigh(ppmi_CC)  # symmetric: singular values are sizes of eigenvalues
    chosen_V = np.argsort(-np.abs(values_C), kind="stable")[:width]
    axes_CV = axes_CC[:, chosen_V]
    largest_V = axes_CV[np.abs(axes_CV).argmax(axis=0), np.arange(len(chosen_V))]
    return np.asarray(axes_CV * np.where(largest_V < 0, -1, 1) * np.sqrt(np.abs(values_C[chosen_V])))


def ppmi(tags_NC: npt.NDArray[np.bool_]) -> Floats:
    """max(0, log p(a, b)/(p(a)p(b))) of two tags of an image, (C, C); a tag also occurs together with itself."""
    tags = tags_NC.astype(np.float64)
    together_CC = tags.T @ tags
    share_C = together_CC.sum(axis=0) / max(1.0, together_CC.sum())
    expected_CC = np.outer(share_C, share_C) * max(1.0, together_CC.sum())
    ratio_CC = np.divide(together_CC, expected_CC, out=np.ones_like(together_CC), where=together_CC > 0)
    return np.asarray(np.maximum(0, np.log(ratio_CC)))


def image_vectors(tags_NC: npt.NDArray[np.bool_], vectors_CV: Floats) -> npt.NDArray[np.float32]:
    """The mean of the vectors of an image's tags, scaled to unit length, (N, V); zeros for an image without tags."""
    sums_NV = tags_NC.astype(np.float64) @ vectors_CV
    return np.asarray(sums_NV / np.maximum(np.linalg.norm(sums_NV, axis=1, keepdims=True), 1e-12), np.float32)
