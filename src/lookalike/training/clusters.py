"""Labels that nobody gave: which images hang together in the graph of nearest neighbours, at several scales.

Nearest neighbours of a good backbone are of the same kind far more often than images that are merely close. A graph of
them, its main eigenvectors (Laplacian eigenmaps: Belkin & Niyogi 2003; normalised as by Ng, Jordan & Weiss 2001) and
k-means in their space find such kinds; coarse and fine clusterings together say more than one.

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
SPARE = 10  # eigenvectors sought beyond those wanted, whose errors do not matter
BLOCK = 1024  # images whose neighbours are sought at once


def cluster_labels(
    features_ND: Floats, *, scales: Sequence[int] = SCALES, neighbours: int = NEIGHBOURS, seed: int = 0
) -> Integers:
    """The clusters of images, (N, M), at as many of these scales as there are images for.

    Features are centred and scaled to length 1 first. Raises `TrainingError` if there are too few images.
    """
    if importlib.util.find_spec("sklearn") is None:  # which brings SciPy
        raise MissingExtra("Clusters need sklearn", "backbones")
    scales = tuple(scale for scale in scales if 4 * scale <= len(features_ND))
    if not scales:
        raise TrainingError(
            f"clusters need {4 * min(SCALES)} images, and {len(features_ND)} can be read. Take itq, which needs fewer"
        )
    centred_ND = features_ND - features_ND.mean(axis=0)
    unit_ND = centred_ND / np.maximum(np.linalg.norm(centred_ND, axis=1, keepdims=True), 1e-12)
    near_NM = nearest(unit_ND, min(neighbours, len(features_ND) // 4))
    vectors_NE = eigenvectors(near_NM, max(scales), seed=seed)
    found = [_clusters(vectors_NE[:, :scale], scale, seed=seed + number) for number, scale in enumerate(scales)]
    return np.stack(found, axis=1)


def nearest(unit_ND: Floats, count: int) -> Integers:
    """The nearest images of each, by cosine, itself left out, (N, count)."""
    found = np.empty((len(unit_ND), count), np.int64)
    for start in range(0, len(unit_ND), BLOCK):
        cosines = unit_ND[start : start + BLOCK] @ unit_ND.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        found[start : start + BLOCK] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return found


def eigenvectors(neighbours_NM: Integers, count: int, *, seed: int = 0) -> npt.NDArray[np.float64]:
    """The main eigenvectors of the graph, scaled by degree, (N, count): they vary least between neighbours."""
    from scipy import sparse
    from scipy.sparse import linalg

    size, each = neighbours_NM.shape
    rows = np.repeat(np.arange(size), each)
    graph = sparse.csr_matrix((np.ones(size * each), (rows, neighbours_NM.ravel())), shape=(size, size))
    graph = (graph + graph.T) / 2
    scale = sparse.diags(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel()))
    # By blocks: a graph in several parts has its first eigenvalue several times, which Lanczos' method may miss.
    start = np.random.default_rng(seed).normal(size=(size, min(count + SPARE, size // 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the last ones are not exact: they need not be
        values, vectors = linalg.lobpcg(scale @ graph @ scale, start, largest=True, tol=1e-4, maxiter=200)
    return np.asarray(vectors[:, np.argsort(-values)[:count]])


def _clusters(vectors_NE: npt.NDArray[np.float64], count: int, *, seed: int) -> Integers:
    from sklearn.cluster import KMeans

    unit_NE = vectors_NE / np.maximum(np.linalg.norm(vectors_NE, axis=1, keepdims=True), 1e-12)
    return np.asarray(KMeans(count, n_init=3, random_state=seed).fit_predict(unit_NE), np.int64)
