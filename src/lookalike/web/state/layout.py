"""A map of codes: positions in the plane with similar codes close together. NumPy only.

Distinct codes start at the first two principal components of their bits and are then moved along their
nearest-neighbour graph: attracted by neighbours and repelled by randomly sampled codes, with the forces of UMAP
(McInnes et al., 2018) for a minimum distance of 0.1. Images with equal codes form a sunflower spiral around it.

Shapes: N images, U distinct codes, E edges, K bits, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes, unpack
from lookalike.search.scan import Scan

Floats = npt.NDArray[np.float64]
Report = Callable[[int, int], object]
NEIGHBOURS = 12
STEPS = 300
REPELLED = 8  # randomly sampled codes, for each code and step
REPULSION = 10.0  # in units of the attraction; lower values preserve neighbourhoods less well
RATE = 0.5  # step size of the first step
A, B = 1.577, 0.895  # UMAP's curve 1 / (1 + a·d^2b) for a minimum distance of 0.1
LONGEST = 4.0  # maximum force
SEEDS = 0.02  # distance between images with equal codes, in units of the mean distance of neighbours
GOLDEN = np.pi * (3 - np.sqrt(5))
BLOCK = 2048  # codes whose neighbours are searched at once


class _Edges(NamedTuple):
    """The nearest-neighbour graph, with each edge in both directions."""

    first_E: npt.NDArray[np.int64]
    second_E: npt.NDArray[np.int64]
    weight_E: Floats


def positions(codes_NW: Codes, *, seed: int = 0, report: Report = lambda done, total: None) -> Floats:
    """Positions (N, 2) of codes, each coordinate within 0 to 1; deterministic for the same codes and seed."""
    if not len(codes_NW):
        return np.empty((0, 2))
    unique_UW, inverse_N = np.unique(codes_NW, axis=0, return_inverse=True)
    random = np.random.default_rng([seed, len(unique_UW)])
    position_U2 = _principal(unique_UW, random)
    if len(unique_UW) > 3:
        position_U2 = _moved(position_U2, _edges(unique_UW), random, report)
    position_N2 = position_U2[inverse_N.reshape(-1)] + _seeds(inverse_N.reshape(-1), position_U2)
    return _fitted(position_N2)


def _principal(unique_UW: Codes, random: np.random.Generator) -> Floats:
    """Positions by the first two principal components of the bits, some ten units wide."""
    bits_UK = unpack(unique_UW).astype(np.float64)
    bits_UK -= bits_UK.mean(axis=0)
    _, vectors_KK = np.linalg.eigh(bits_UK.T @ bits_UK)
    axes_K2 = vectors_KK[:, [-1, -2]]
    axes_K2 *= np.sign(axes_K2[np.abs(axes_K2).argmax(axis=0), [0, 1]])  # otherwise the signs depend on the machine
    position_U2 = bits_UK @ axes_K2
    position_U2 *= 10 / max(np.abs(position_U2).max(), 1e-9)
    return np.asarray(position_U2 + random.normal(0, 0.01, position_U2.shape))


def _edges(unique_UW: Codes) -> _Edges:
    """Edges to the nearest codes; as in UMAP, weights fall with the distance beyond that of the nearest."""
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


def _symmetric(first_E: npt.NDArray[np.int64], second_E: npt.NDArray[np.int64], weight_E: Floats, count: int) -> _Edges:
    """Edges in both directions; a pair's two weights p and q become p + q − p·q."""
    there, back = first_E * count + second_E, second_E * count + first_E
    keys, inverse = np.unique(np.concatenate([there, back]), return_inverse=True)
    size = len(there)
    p, q = np.zeros(len(keys)), np.zeros(len(keys))
    p[inverse[:size]], q[inverse[size:]] = weight_E, weight_E
    return _Edges(keys // count, keys % count, p + q - p * q)


def _moved(position_U2: Floats, edges: _Edges, random: np.random.Generator, report: Report) -> Floats:
    """Positions after all steps, with a decreasing step size."""
    count = len(position_U2)
    own = np.repeat(np.arange(count), REPELLED)
    pull_U = np.maximum(np.bincount(edges.first_E, edges.weight_E, count), 1e-9)  # keeps hubs stable
    weight_E = edges.weight_E / pull_U[edges.first_E]
    for step in range(STEPS):
        report(step, STEPS)
        force_U2 = _scattered(_attraction(position_U2, edges, weight_E), edges.first_E, count)
        other = random.integers(0, count, len(own))
        force_U2 += _scattered(_repulsion(position_U2, own, other), own, count)
        position_U2 = position_U2 + RATE * (1 - step / STEPS) * np.clip(force_U2, -LONGEST, LONGEST)
    return position_U2


def _attraction(position_U2: Floats, edges: _Edges, weight_E: Floats) -> Floats:
    """UMAP's attraction along each edge, on its first end."""
    apart_E2 = position_U2[edges.first_E] - position_U2[edges.second_E]
    square_E = np.maximum((apart_E2**2).sum(axis=1), 1e-12)
    pull_E = -2 * A * B * square_E ** (B - 1) / (1 + A * square_E**B)
    return np.asarray(apart_E2 * (weight_E * pull_E)[:, None])


def _repulsion(position_U2: Floats, own: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> Floats:
    """UMAP's repulsion of sampled pairs, on the first of each."""
    apart_E2 = position_U2[own] - position_U2[other]
    square_E = (apart_E2**2).sum(axis=1)
    push_E = REPULSION / REPELLED * 2 * B / ((0.001 + square_E) * (1 + A * square_E**B))
    return np.asarray(np.clip(apart_E2 * push_E[:, None], -LONGEST, LONGEST))


def _scattered(force_E2: Floats, row_E: npt.NDArray[np.int64], count: int) -> Floats:
    return np.stack([np.bincount(row_E, force_E2[:, axis], count) for axis in (0, 1)], axis=1)


def _seeds(inverse_N: npt.NDArray[np.int64], position_U2: Floats) -> Floats:
    """Each image's offset from the position of its code: zero for the first, on a spiral for the others."""
    order_N = np.argsort(inverse_N, kind="stable")
    sizes_U = np.bincount(inverse_N, minlength=len(position_U2))
    nth_N = np.empty(len(inverse_N))
    nth_N[order_N] = np.arange(len(inverse_N)) - np.repeat(np.cumsum(sizes_U) - sizes_U, sizes_U)
    step = SEEDS * max(float(np.ptp(position_U2, axis=0).max()), 1.0) / max(np.sqrt(len(position_U2)), 1)
    angle_N, radius_N = nth_N * GOLDEN, 5 * step * np.sqrt(nth_N)
    return np.stack([radius_N * np.cos(angle_N), radius_N * np.sin(angle_N)], axis=1)


def _fitted(position_N2: Floats) -> Floats:
    """Positions scaled to 0 to 1, equally in both directions, with outliers moved to the border."""
    low_2, high_2 = np.percentile(position_N2, [0.1, 99.9], axis=0)
    scale = max(float((high_2 - low_2).max()), 1e-9)
    centre_2 = (low_2 + high_2) / 2
    return np.asarray(np.clip((position_N2 - centre_2) / scale + 0.5, 0, 1))
