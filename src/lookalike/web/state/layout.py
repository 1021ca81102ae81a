"""A map of codes: places in the plane, at which near codes lie together. NumPy only.

Different codes are placed by principal components of their bits first, and then moved along the graph of their nearest
neighbours: a code is drawn to its neighbours and pushed off by codes drawn at random, with the forces of UMAP (McInnes
et al., 2018) for a least distance of 0.1. Images of one code are put around its place, like the seeds of a sunflower.

Shapes: N images, U different codes, E edges, K bits, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes, unpack
from lookalike.search.scan import Scan

Places = npt.NDArray[np.float64]
Report = Callable[[int, int], object]
NEIGHBOURS = 12
STEPS = 300
REPELLED = 8  # codes drawn at random, for each code and step
REPULSION = 10.0  # in units of the attraction; with less, neighbours in the plane are less often neighbours as codes
RATE = 0.5  # of the first step
A, B = 1.577, 0.895  # UMAP's curve 1 / (1 + a·d^2b) for a least distance of 0.1
LONGEST = 4.0  # of a force
SEEDS = 0.02  # distance between images of one code, in units of the mean distance of neighbours' places
GOLDEN = np.pi * (3 - np.sqrt(5))
BLOCK = 2048  # codes whose neighbours are looked for at once


class _Edges(NamedTuple):
    """The graph of nearest neighbours, each edge once in both directions."""

    first_E: npt.NDArray[np.int64]
    second_E: npt.NDArray[np.int64]
    weight_E: Places


def places(codes_NW: Codes, *, seed: int = 0, report: Report = lambda done, total: None) -> Places:
    """Places (N, 2) of codes, within 0 to 1 in both directions; the same for the same codes and seed."""
    if not len(codes_NW):
        return np.empty((0, 2))
    unique_UW, inverse_N = np.unique(codes_NW, axis=0, return_inverse=True)
    random = np.random.default_rng([seed, len(unique_UW)])
    place_U2 = _principal(unique_UW, random)
    if len(unique_UW) > 3:
        place_U2 = _moved(place_U2, _edges(unique_UW), random, report)
    place_N2 = place_U2[inverse_N.reshape(-1)] + _seeds(inverse_N.reshape(-1), place_U2)
    return _fitted(place_N2)


def _principal(unique_UW: Codes, random: np.random.Generator) -> Places:
    """Places by the first two principal components of the bits, some ten units wide."""
    bits_UK = unpack(unique_UW).astype(np.float64)
    bits_UK -= bits_UK.mean(axis=0)
    _, vectors_KK = np.linalg.eigh(bits_UK.T @ bits_UK)
    axes_K2 = vectors_KK[:, [-1, -2]]
    axes_K2 *= np.sign(axes_K2[np.abs(axes_K2).argmax(axis=0), [0, 1]])  # else each machine chooses a sign
    place_U2 = bits_UK @ axes_K2
    place_U2 *= 10 / max(np.abs(place_U2).max(), 1e-9)
    return np.asarray(place_U2 + random.normal(0, 0.01, place_U2.shape))


def _edges(unique_UW: Codes) -> _Edges:
    """_Edges to the nearest codes; weights fall with the distance beyond that of the nearest, as UMAP's do."""
    engine, count = Scan(8 * unique_UW.shape[1], codes_NW=unique_UW), len(unique_UW)
    top = min(NEIGHBOURS, count - 1)
    rows_UT, bits_UT = np.empty((count, top), np.int64), np.empty((count, top))
    for start in range(0, count, BLOCK):
        for row, hits in enumerate(engine.search(unique_UW[start : start + BLOCK], top=top + 1), start=start):
            others = hits.rows != row
            rows_UT[row], bits_UT[row] = hits.rows[others][:top], hits.distances[others][:top]
    beyond_UT = bits_UT - bits_UT[:, :1]
    weight_UT = np.exp(-beyond_UT / np.maximum(beyond_UT.mean(axis=1, keepdims=True), 0.5))
    return _symmetric(np.repeat(np.arange(count), top), rows_UT.ravel(), weight_UT.ravel(), count)


def _symmetric(first_E: npt.NDArray[np.int64], second_E: npt.NDArray[np.int64], weight_E: Places, count: int) -> _Edges:
    """_Edges in both directions: of the two weights p and q of a pair, p + q − p·q."""
    there, back = first_E * count + second_E, second_E * count + first_E
    keys, inverse = np.unique(np.concatenate([there, back]), return_inverse=True)
    size = len(there)
    p, q = np.zeros(len(keys)), np.zeros(len(keys))
    p[inverse[:size]], q[inverse[size:]] = weight_E, weight_E
    return _Edges(keys // count, keys % count, p + q - p * q)


def _moved(place_U2: Places, edges: _Edges, random: np.random.Generator, report: Report) -> Places:
    """The places after all steps, each smaller than the one before."""
    count = len(place_U2)
    own = np.repeat(np.arange(count), REPELLED)
    pull_U = np.maximum(np.bincount(edges.first_E, edges.weight_E, count), 1e-9)  # so that hubs do not fly about
    weight_E = edges.weight_E / pull_U[edges.first_E]
    for step in range(STEPS):
        report(step, STEPS)
        force_U2 = _scattered(_attraction(place_U2, edges, weight_E), edges.first_E, count)
        other = random.integers(0, count, len(own))
        force_U2 += _scattered(_repulsion(place_U2, own, other), own, count)
        place_U2 = place_U2 + RATE * (1 - step / STEPS) * np.clip(force_U2, -LONGEST, LONGEST)
    return place_U2


def _attraction(place_U2: Places, edges: _Edges, weight_E: Places) -> Places:
    """UMAP's pull along each edge, on its first end."""
    apart_E2 = place_U2[edges.first_E] - place_U2[edges.second_E]
    square_E = np.maximum((apart_E2**2).sum(axis=1), 1e-12)
    pull_E = -2 * A * B * square_E ** (B - 1) / (1 + A * square_E**B)
    return np.asarray(apart_E2 * (weight_E * pull_E)[:, None])


def _repulsion(place_U2: Places, own: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> Places:
    """UMAP's push of drawn pairs, on the first of each."""
    apart_E2 = place_U2[own] - place_U2[other]
    square_E = (apart_E2**2).sum(axis=1)
    push_E = REPULSION / REPELLED * 2 * B / ((0.001 + square_E) * (1 + A * square_E**B))
    return np.asarray(np.clip(apart_E2 * push_E[:, None], -LONGEST, LONGEST))


def _scattered(force_E2: Places, row_E: npt.NDArray[np.int64], count: int) -> Places:
    return np.stack([np.bincount(row_E, force_E2[:, axis], count) for axis in (0, 1)], axis=1)


def _seeds(inverse_N: npt.NDArray[np.int64], place_U2: Places) -> Places:
    """For each image how far it lies from the place of its code: the first not at all, others on a spiral."""
    order_N = np.argsort(inverse_N, kind="stable")
    sizes_U = np.bincount(inverse_N, minlength=len(place_U2))
    nth_N = np.empty(len(inverse_N))
    nth_N[order_N] = np.arange(len(inverse_N)) - np.repeat(np.cumsum(sizes_U) - sizes_U, sizes_U)
    step = SEEDS * max(float(np.ptp(place_U2, axis=0).max()), 1.0) / max(np.sqrt(len(place_U2)), 1)
    angle_N, radius_N = nth_N * GOLDEN, 5 * step * np.sqrt(nth_N)
    return np.stack([radius_N * np.cos(angle_N), radius_N * np.sin(angle_N)], axis=1)


def _fitted(place_N2: Places) -> Places:
    """Places within 0 to 1, both directions to the same scale, a few that lie far out moved to the border."""
    low_2, high_2 = np.percentile(place_N2, [0.1, 99.9], axis=0)
    scale = max(float((high_2 - low_2).max()), 1e-9)
    centre_2 = (low_2 + high_2) / 2
    return np.asarray(np.clip((place_N2 - centre_2) / scale + 0.5, 0, 1))
