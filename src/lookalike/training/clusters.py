"""Pseudo-labels: clusters of the nearest-neighbour graph, at several scales.

With a good backbone, nearest neighbours are far more often of the same kind than images that are merely close.
Spectral clustering finds such kinds: eigenvectors of the graph (Laplacian eigenmaps: Belkin & Niyogi 2003; normalised
as in Ng, Jordan & Weiss 2001), then k-means. Coarse and fine clusterings together say more than either.

Shapes: N images, D features, E eigenvectors, M scales or neighbours.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import MissingExtra, TrainingError

Floats = npt.NDArray[np.floating]
Integers = npt.NDArray[np.int64]

NEIGHBOURS = 15
SCALES = (10, 20, 40, 80)  # numbers of clusters
SPARE = 10  # extra eigenvectors, whose errors do not matter
BLOCK = 1024  # images whose neighbours are searched at once


def cluster_labels(
    features_ND: Floats, *, scales: Sequence[int] = SCALES, neighbours: int = NEIGHBOURS, seed: int = 0
) -> Integers:
    """The clusters of images, (N, M), at all scales that have enough images.

    Features are first centred and scaled to unit length. Raises `TrainingError` if there are too few images.
    """
    if importlib.util.find_spec("sklearn") is None:  # which brings SciPy
        raise MissingExtra("Clusters need sklearn", "backbones")
    scales = tuple(scale for scale in scales if 4 * scale <= len(features_ND))
    if not scales:
        raise TrainingError(
            f"clusters need {4 * min(SCALES)} images, and {len(features_ND)} are readable; use itq, which needs fewer"
        )
    centred_ND = features_ND - features_ND.mean(axis=0)
    unit_ND = centred_ND / np.maximum(np.linalg.norm(centred_ND, axis=1, keepdims=True), 1e-12)
    near_NM = _nearest(unit_ND, min(neighbours, len(features_ND) // 4))
    vectors_NE = _eigenvectors(near_NM, max(scales), seed=seed)
    found = [_clusters(vectors_NE[:, :scale], scale, seed=seed + number) for number, scale in enumerate(scales)]
    return np.stack(found, axis=1)


def _nearest(unit_ND: Floats, count: int) -> Integers:
    """The nearest other images of each image, by cosine, (N, count)."""
    found = np.empty((len(unit_ND), count), np.int64)
    for start in range(0, len(unit_ND), BLOCK):
        cosines = unit_ND[start : start + BLOCK] @ unit_ND.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        found[start : start + BLOCK] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return found


def _eigenvectors(neighbours_NM: Integers, count: int, *, seed: int = 0) -> npt.NDArray[np.float64]:
    """The eigenvectors of the graph that vary least between neighbours, scaled by degree, (N, count)."""
    from scipy import sparse
    from scipy.sparse import linalg

    size, each = neighbours_NM.shape
    rows = np.repeat(np.arange(size), each)
    graph = sparse.csr_matrix((np.ones(size * each), (rows, neighbours_NM.ravel())), shape=(size, size))
    graph = (graph + graph.T) / 2
    scale = sparse.diags(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    # LOBPCG: a disconnected graph has a multiple first eigenvalue, which Lanczos' method may miss.
    start = np.random.default_rng(seed).normal(size=(size, min(count + SPARE, size // 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the last ones need not be exact
        values, vectors = linalg.lobpcg(scale @ graph @ scale, start, largest=True, tol=1e-4, maxiter=200)
    return np.asarray(vectors[:, np.argsort(-values)[:count]])


def _clusters(vectors_NE: npt.NDArray[np.float64], count: int, *, seed: int) -> Integers:
    from sklearn.cluster import KMeans

    unit_NE = vectors_NE / np.maximum(np.linalg.norm(vectors_NE, axis=1, keepdims=True), 1e-12)
    return np.asarray(KMeans(count, n_init=3, random_state=seed).fit_predict(unit_NE), np.int64)
