"""Asymmetric search: real-valued queries against binary codes.

A bit whose value is close to the threshold flips easily when a picture is edited. So each differing bit counts as much
as the query is certain of it, after Gordo et al., "Asymmetric distances for binary embeddings" (TPAMI 2014). Weights
are scaled to a mean of 1, so distances are in bits, 0 to K. Every code is compared, byte by byte in a table.

Shapes: N codes, K bits, W = K/8 bytes a code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.search import check_codes, check_limits
from lookalike.search.hits import Mask

BLOCK = 1 << 16  # codes compared at once
Floats = npt.NDArray[np.float32]


class _WeightedHits(NamedTuple):
    """Results of one query, nearest first; equal distances by ascending row."""

    rows: npt.NDArray[np.int64]
    distances: Floats  # bits, weighted


def nearest(codes_NW: Codes, above_K: npt.NDArray[np.floating], *, top: int, among: Mask = None) -> _WeightedHits:
    """The `top` nearest codes to a query; `above_K` is its latent minus the threshold."""
    check_limits(top, None)
    codes_NW = check_codes(codes_NW, len(above_K))
    table_W256 = _costs(above_K)
    rows, distances = np.empty(0, np.int64), np.empty(0, np.float32)
    for start in range(0, len(codes_NW), BLOCK):
        block_BW = np.asarray(codes_NW[start : start + BLOCK])
        distance_B = table_W256[0][block_BW[:, 0]]
        for byte in range(1, block_BW.shape[1]):
            distance_B += table_W256[byte][block_BW[:, byte]]
        kept_B = np.ones(len(block_BW), bool) if among is None else among[start : start + BLOCK].copy()
        kept_B &= distance_B <= _bound(distances, distance_B[kept_B], top)
        chosen = np.flatnonzero(kept_B)
        rows, distances = np.concatenate([rows, start + chosen]), np.concatenate([distances, distance_B[chosen]])
        order = np.argsort(distances, kind="stable")[:top]  # rows are ascending, and stay so where distances are equal
        rows, distances = rows[order], distances[order]
    return _WeightedHits(rows, distances)


def _bound(known: Floats, new_B: Floats, top: int) -> float:
    """A distance that none of the nearest `top` of both exceeds."""
    for part in (known, new_B):
        if len(part) >= top:
            return float(np.partition(part, top - 1)[top - 1])
    return np.inf


def _costs(above_K: npt.NDArray[np.floating]) -> Floats:
    """What each value of each byte adds to the distance, (W, 256)."""
    weights_K = np.abs(above_K).astype(np.float64)
    total = weights_K.sum()
    weights_K = weights_K * (len(weights_K) / total) if total else np.ones(len(weights_K))
    bits_256x8 = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    differ_W256x8 = bits_256x8 != (above_K > 0).reshape(-1, 1, 8)
    return np.asarray((differ_W256x8 * weights_K.reshape(-1, 1, 8)).sum(axis=2), np.float32)
