"""Clusters of the neighbour graph: separate kinds are found, reproducibly by seed.

Shapes: N images, D features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.core.errors import TrainingError
from lookalike.training import clusters


def kinds(count: int = 6, each: int = 40, dimension: int = 32) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Features of separate kinds, each elongated in its own direction."""
    rng = np.random.default_rng(0)
    centres, ways = rng.normal(size=(2, count, dimension))
    labels = np.repeat(np.arange(count), each)
    along = rng.uniform(-1, 1, len(labels))[:, None]
    return 2 * centres[labels] + along * ways[labels] + 0.2 * rng.normal(size=(len(labels), dimension)), labels


def purity(found: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> float:
    return float(sum(np.bincount(labels[found == one]).max() for one in np.unique(found)) / len(labels))


def test_kinds_that_lie_apart_are_found_at_every_scale() -> None:
    features_ND, labels = kinds()
    found = clusters.cluster_labels(features_ND, scales=(6, 12), neighbours=8)
    assert [len(np.unique(one)) for one in found.T] == [6, 12]
    assert [purity(one, labels) for one in found.T] == [1.0, 1.0]


def test_neighbours_are_the_nearest_and_never_the_image_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    x_ND = rng.normal(size=(50, 8))
    unit_ND = x_ND / np.linalg.norm(x_ND, axis=1, keepdims=True)
    monkeypatch.setattr(clusters, "BLOCK", 7)
    found = clusters._nearest(unit_ND, 5)
    cosines = unit_ND @ unit_ND.T
    for row in range(50):
        others = sorted((other for other in range(50) if other != row), key=lambda other: -cosines[row, other])
        assert set(found[row].tolist()) == set(others[:5])


def test_the_first_eigenvector_is_that_of_the_whole_graph() -> None:
    features_ND, _ = kinds()
    unit_ND = features_ND / np.linalg.norm(features_ND, axis=1, keepdims=True)
    neighbours = clusters._nearest(unit_ND, 30)
    vectors = clusters._eigenvectors(neighbours, 3)
    assert np.allclose(vectors.T @ vectors, np.eye(3), atol=1e-6)
    graph = np.zeros((240, 240))
    graph[np.repeat(np.arange(240), 30), neighbours.ravel()] = 1
    graph = (graph + graph.T) / 2
    degrees = graph.sum(axis=1)
    walk = graph / np.sqrt(np.outer(degrees, degrees))
    assert np.allclose(np.sort(np.linalg.eigvalsh(walk))[::-1][:3], np.diag(vectors.T @ walk @ vectors), atol=1e-3)


def test_the_same_seed_gives_the_same_clusters() -> None:
    features_ND, _ = kinds()
    one, two = (clusters.cluster_labels(features_ND, scales=(5, 9), neighbours=8, seed=3) for _ in range(2))
    assert np.array_equal(one, two)


def test_clusters_are_made_at_as_many_scales_as_there_are_images_for() -> None:
    random = np.random.default_rng(0)
    features_ND = random.normal(size=(8, 16)).repeat(10, axis=0) + 0.1 * random.normal(size=(80, 16))
    assert clusters.cluster_labels(features_ND).max(axis=0).tolist() == [9, 19]
    with pytest.raises(TrainingError, match=r"clusters need 40 images, and 39 are readable; use itq"):
        clusters.cluster_labels(features_ND[:39])
