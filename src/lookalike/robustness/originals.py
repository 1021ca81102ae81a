"""The images of a robustness benchmark: each read once, and how far apart all pairs of different ones are.

Images with the same pixels count once. Pairs whose grey thumbnails correlate by 0.98 or more are suspected of showing
the same picture (`imaging.thumbnail_vector`). They count as different images unless somebody confirms that they are the
same.

Shapes: N images, X bytes of a code or numbers of a vector, D distances, B images of a block, M = 256 pixels.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.core.errors import DataError, ImageError
from lookalike.core.parallel import in_order
from lookalike.core.progress import Progress
from lookalike.data import Item
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import Variant, perturb
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Decoders, Direct
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.thumbnail_vector import SUSPECTED, thumbnail_vector
from lookalike.metrics.counts import Integers
from lookalike.robustness.peers import Distances, Peer, Row

if TYPE_CHECKING:
    from lookalike.robustness.run import RobustnessOptions

Two = tuple[int, int]  # rows of images, the lower one first

SIDE = 512  # pixels of an image's longer side, at most; larger ones are reduced before anything else
BLOCK = 256  # images whose distances to all others are held at a time
CLOSEST = 12  # pairs that are kept


class Pair(NamedTuple):
    """Two different images, the earlier one first, and their distance in steps."""

    distance: int
    first: int
    second: int


@dataclass(frozen=True, kw_only=True)
class Originals:
    """What was read of the images; the same row in all lists is the same image."""

    items: list[Item]
    seeds: list[int]  # of each image's copies: from its pixels
    rows: list[Row]  # (N, X) of each peer
    thumbnails_NM: npt.NDArray[np.float32]  # of mean 0 and length 1
    skipped: list[tuple[str, str]]  # names of files that could not be read, and why
    repeated: list[tuple[str, str]]  # names of images with the pixels of an earlier one, and that one's name

    @property
    def names(self) -> list[str]:
        """Paths below what was named, with `/`; whole paths of those that several folders have."""
        count = Counter(item.path for item in self.items)
        return [item.path if count[item.path] == 1 else item.name for item in self.items]


class _Look(NamedTuple):
    """What tells an image's pixels from others, and whether it may show the same picture as another."""

    digest: bytes
    thumbnail_M: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class _PairCounts:
    """How many pairs of different images lie at each distance, and the closest of them."""

    counts_D: Integers
    closest: list[Pair]


def pixels(item: Item, *, max_pixels: int = decode.MAX_PIXELS, decoders: Decoders | None = None) -> Array:
    """An image as uint8 (H, W, 3), upright, at most `SIDE` pixels a side. Raises `ImageError` or `OSError`.

    Without decoders it is decoded by this process: that is for images that were read before.
    """
    with (decoders or Direct(DecodeLimits.of(max_pixels))).opened(data.source(item)) as image:
        return image.picture(SIDE)


def copies_of(found: Originals, row: int, chosen: Sequence[Variant], settings: RobustnessOptions) -> list[Array]:
    """The copies of an image, uint8 (H, W, 3) each. Raises `DataError` if it has become unreadable."""
    item = found.items[row]
    try:
        pixels_HW3 = pixels(item, max_pixels=settings.max_pixels)
    except (ImageError, OSError) as error:
        raise DataError(f"{item.name} has become unreadable since it was first read: {error}") from error
    return [perturb(pixels_HW3, *variant, seed=found.seeds[row] ^ settings.seed) for variant in chosen]


def read(
    items: Sequence[Item], peers: Sequence[Peer], *, workers: int, max_pixels: int, progress: Progress
) -> Originals:
    """Read and encode all images. Raises `DataError` if fewer than two different ones can be read."""
    kept: dict[bytes, tuple[Item, _Look, list[Row]]] = {}
    skipped: list[tuple[str, str]] = []
    repeated: list[tuple[str, str]] = []
    with pool.make_decoders(DecodeLimits.of(max_pixels), workers=min(workers, len(items))) as decoders:
        found = in_order(partial(_read, peers=peers, decoders=decoders), items, workers=workers)
        for done, (item, one) in enumerate(zip(items, found, strict=True), 1):
            if isinstance(one, str):
                skipped.append((item.path, one))
            elif one[0].digest in kept:
                repeated.append((item.path, kept[one[0].digest][0].path))
            else:
                kept[one[0].digest] = (item, *one)
            progress("originals", done, len(items))
    if len(kept) < 2:
        first = f"; the first that cannot be read: {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise DataError(f"{len(kept)} of {len(items)} images are left; two different ones are the least{first}")
    return Originals(
        items=[item for item, _, _ in kept.values()],
        seeds=[int.from_bytes(digest[:8], "big") for digest in kept],
        rows=[np.stack([rows[at] for _, _, rows in kept.values()]) for at in range(len(peers))],
        thumbnails_NM=np.stack([one.thumbnail_M for _, one, _ in kept.values()]),
        skipped=skipped,
        repeated=repeated,
    )


def _read(item: Item, *, peers: Sequence[Peer], decoders: Decoders) -> tuple[_Look, list[Row]] | str:
    """What there is to know of an image, or the reason why there is nothing."""
    try:
        pixels_HW3 = pixels(item, decoders=decoders)
    except (ImageError, OSError) as error:
        return getattr(error, "strerror", None) or str(error)
    return _look(pixels_HW3), [peer.encode(pixels_HW3) for peer in peers]


def _look(pixels_HW3: Array) -> _Look:
    """What is compared of an image, whichever file it came from."""
    size = repr(pixels_HW3.shape).encode()
    digest = hashlib.blake2b(size + pixels_HW3.tobytes(), digest_size=16).digest()
    return _Look(digest, thumbnail_vector(pixels_HW3))


def suspected(originals: Originals) -> list[Two]:
    """Pairs that may well show the same picture, the most alike first."""
    thumbnails_NM, found = originals.thumbnails_NM, []
    for start in range(0, len(thumbnails_NM), BLOCK):
        alike_BN = thumbnails_NM[start : start + BLOCK] @ thumbnails_NM.T
        for row, other in np.argwhere(alike_BN >= SUSPECTED):
            if start + row < other:
                found.append((-float(alike_BN[row, other]), int(start + row), int(other)))
    return [(first, second) for _, first, second in sorted(found)]


def pair_counts(originals: Originals, peers: Sequence[Peer], same: set[Two]) -> list[_PairCounts]:
    """For each peer the distances of all pairs of images, but for those that are the `same`."""
    count = len(originals.items)
    counts = [_PairCounts(counts_D=np.zeros(peer.measure.greatest + 1, np.int64), closest=[]) for peer in peers]
    for start in range(0, count, BLOCK):
        rows_B = np.arange(start, min(start + BLOCK, count))
        valid_BN = rows_B[:, None] < np.arange(count)
        for first, second in same:
            if first in rows_B:
                valid_BN[first - start, second] = False
        for peer, rows_NX, found in zip(peers, originals.rows, counts, strict=True):
            distances_BN = peer.measure.distances(rows_NX[rows_B], rows_NX)
            found.counts_D[:] += np.bincount(distances_BN[valid_BN], minlength=peer.measure.greatest + 1)
            found.closest[:] = sorted([*found.closest, *_closest(distances_BN, valid_BN, start)])[:CLOSEST]
    return counts


def _closest(distances_BN: Distances, valid_BN: npt.NDArray[np.bool_], start: int) -> list[Pair]:
    """The closest pairs of a block; of equally close ones the first."""
    masked = np.where(valid_BN, distances_BN, np.iinfo(np.int32).max).ravel()
    order = np.argsort(masked, kind="stable")[:CLOSEST]
    rows, others = np.unravel_index(order, distances_BN.shape)
    pairs = zip(masked[order].tolist(), (rows + start).tolist(), others.tolist(), strict=True)
    return [Pair(*pair) for pair in pairs if pair[0] < np.iinfo(np.int32).max]
