"""What codes look like on images that did not train: bits that say nothing, codes that unlike images share, and how
far apart different images lie.

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

NEARLY_CONSTANT = 0.02  # a bit whose rarer value has at most this share of the images
DUPLICATES = 0.01  # share of images that share their code, above which it is said
NEAR, SIMILAR = 1e-4, 1e-2  # share of pairs of different images at most this near
_BLOCK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class CollapseReport:
    """What is wrong with codes, in numbers and in words."""

    images: int  # different images that were looked at
    never_change: tuple[int, ...]  # bits with the same value on all of them
    nearly_constant: tuple[int, ...]  # bits whose rarer value at most 1 in 50 of them has
    duplicates: float  # share of the images whose code another, different image has too
    sentences: tuple[str, ...]  # what is wrong; empty if nothing is


@dataclass(frozen=True, kw_only=True, slots=True)
class Radii:
    """Distances, in bits, up to which pairs of different images are rare."""

    near: int  # at most 1 pair in 10,000 is this near or nearer; -1: more have equal codes
    similar: int  # at most 1 pair in 100; -1: more have equal codes
    pairs: int  # pairs that were measured, without those that may well show the same picture


def different(images_NSS: Array) -> npt.NDArray[np.int64]:
    """Rows of the first of each set of equal images, ascending."""
    flat = np.ascontiguousarray(images_NSS).reshape(len(images_NSS), -1)
    first = {row.tobytes(): index for index, row in reversed(list(enumerate(flat)))}
    return np.array(sorted(first.values()), np.int64)


def find_collapse(bits_NK: codes.Bits) -> CollapseReport:
    """What is wrong with the codes of different images."""
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
    """How near to each other the codes of different images come.

    Pairs whose thumbnails correlate so much that they may well show the same picture are left out: folders are full of
    copies, and a few of them would take the radii to nothing.
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
            f"{never} of {bits} bits have the same value on all {images} images and tell nothing apart; "
            "train on more, or more varied, images, or take fewer bits."
        )
    if nearly:
        found.append(f"{nearly} of {bits} bits have the same value on at least 98 of 100 images and tell little apart.")
    if duplicates > DUPLICATES:
        found.append(
            f"{duplicates:.1%} of {images} images share their code with another image; if these are not copies of one "
            "another, take more bits, or another model."
        )
    return tuple(found)
