"""Quality of codes on held-out images: uninformative bits, shared codes, and distances between different images.

Shapes: N images, S pixels a side, K bits, W bytes, B images of a block, M pixels of a thumbnail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.core import codes
from lookalike.imaging.decode import Array
from lookalike.imaging.thumbnail_vector import SUSPECTED
from lookalike.metrics.retrieval_stats import threshold

NEARLY_CONSTANT = 0.02  # share of images with a bit's rarer value, up to which the bit is nearly constant
DUPLICATES = 0.01  # share of images with a shared code, above which it is reported
NEAR, SIMILAR = 1e-4, 1e-2  # shares of pairs of different images within the radii
_BLOCK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class CollapseReport:
    """Problems of codes, in numbers and words."""

    images: int  # distinct images examined
    never_change: tuple[int, ...]  # bits with the same value on all of them
    nearly_constant: tuple[int, ...]  # bits whose rarer value occurs in at most 1 in 50
    duplicates: float  # share of images with the same code as a different image
    sentences: tuple[str, ...]  # problems; empty if there are none


@dataclass(frozen=True, kw_only=True, slots=True)
class Radii:
    """Distances in bits within which pairs of different images are rare."""

    near: int  # at most 1 in 10,000 pairs is within this distance; -1: more have equal codes
    similar: int  # at most 1 in 100 pairs; -1: more have equal codes
    pairs: int  # measured pairs, without likely copies


def different(images_NSS: Array) -> npt.NDArray[np.int64]:
    """Rows of distinct images, the first of each, ascending."""
    flat = np.ascontiguousarray(images_NSS).reshape(len(images_NSS), -1)
    first = {row.tobytes(): index for index, row in reversed(list(enumerate(flat)))}
    return np.array(sorted(first.values()), np.int64)


def find_collapse(bits_NK: codes.Bits) -> CollapseReport:
    """Problems of the codes of different images."""
    ones_K = bits_NK.mean(axis=0)
    rarer_K = np.minimum(ones_K, 1 - ones_K)
    never = np.flatnonzero(rarer_K == 0)
    nearly = np.flatnonzero((rarer_K > 0) & (rarer_K <= NEARLY_CONSTANT))
    _, inverse, counts = np.unique(codes.pack(bits_NK), axis=0, return_inverse=True, return_counts=True)
    duplicates = float((counts[inverse] > 1).mean())
    return CollapseReport(
        images=len(bits_NK),
        never_change=tuple(never.tolist()),
        nearly_constant=tuple(nearly.tolist()),
        duplicates=duplicates,
        sentences=_sentences(bits_NK.shape, never.size, nearly.size, duplicates),
    )


def measure_radii(codes_NW: codes.Codes, thumbnails_NM: npt.NDArray[np.float32] | None = None) -> Radii:
    """Radii within which codes of different images are rare.

    Pairs with strongly correlated thumbnails are excluded as likely copies: folders are full of them, and a few would
    reduce the radii to zero.
    """
    bits = 8 * codes_NW.shape[1]
    histogram = np.zeros(bits + 1, np.int64)
    for start in range(0, len(codes_NW), _BLOCK):
        distances = codes.hamming(codes_NW[start : start + _BLOCK], codes_NW)
        counted_BN = np.arange(len(codes_NW))[None, :] > np.arange(start, start + len(distances))[:, None]
        if thumbnails_NM is not None:
            counted_BN &= thumbnails_NM[start : start + _BLOCK] @ thumbnails_NM.T < SUSPECTED
        histogram += np.bincount(distances[counted_BN], minlength=bits + 1)
    near, similar = (threshold(histogram, rate).distance for rate in (NEAR, SIMILAR))
    return Radii(near=near, similar=similar, pairs=int(histogram.sum()))


def _sentences(shape: tuple[int, ...], never: int, nearly: int, duplicates: float) -> tuple[str, ...]:
    images, bits = shape
    found = []
    if never:
        found.append(
            f"{never} of {bits} bits are the same for all {images} images, so they say nothing; "
            "train on more, or more varied, images, or use fewer bits."
        )
    if nearly:
        found.append(f"{nearly} of {bits} bits are the same for at least 98 % of the images, so they say little.")
    if duplicates > DUPLICATES:
        found.append(
            f"{duplicates:.1%} of {images} images share their code with another image; unless these are copies, use "
            "more bits or another model."
        )
    return tuple(found)
