"""Pairs of contents that may be copies, as codes propose them: few for each image, the nearest first.

A node of a graph holds the images with one content (the same bytes), so exact copies are found without a look at
pixels, however many there are. Images whose bytes are not known, such as codes that were made elsewhere, share a node
if they share a code.

Shapes: N images, U different codes, C contents, M images with variants, V variants, P pairs, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.duplicates.graph import Graph, Mask
from lookalike.duplicates.request import Strictness
from lookalike.duplicates.variant_codes import MIRRORED
from lookalike.search.all_pairs import FEW
from lookalike.search.csr import Csr, Ints
from lookalike.search.hits import Hits
from lookalike.search.multi_index import MultiIndex

# Limits: the number of pairs to be verified is limited, too, and the nearest come first, so that the effective radius
# depends on the size of the collection. Strict: the same pixels by two decoders.
REACH = {
    Strictness.STRICT: (2 / 64, None), Strictness.NORMAL: (22 / 64, 16 / 64), Strictness.THOROUGH: (26 / 64, 20 / 64),
}  # fmt: skip
LIKELY = 10 / 64  # share of the bits
AHEAD = 2  # bits by which a variant must be nearer than an own code: there are eleven of them
MOST = 20  # contents that one image proposes by its own code, and as many by its variants
AN_IMAGE, THOROUGHLY = 2, 24  # pairs that are verified, on average: 10,000 photographs take minutes, not hours
FEWEST = 10_000  # pairs that are verified in any collection: a quarter of a minute
BLOCK = 1024  # queries
EITHER = 2  # proposed upright and mirrored


class Reach(NamedTuple):
    """How far apart codes may be that propose a copy, in bits."""

    own: int
    variants: int | None = None  # between a variant of one image and the own code of another; None: not compared
    an_image: int = AN_IMAGE  # pairs, on average


def reach_of(strictness: str, bits: int, radius: int | None) -> Reach:
    """What a search asks for; with a radius, own codes within it."""
    if radius is not None:
        return Reach(radius)
    own, variants = REACH[Strictness(strictness)]
    most = THOROUGHLY if strictness == Strictness.THOROUGH else AN_IMAGE
    return Reach(round(own * bits), None if variants is None else round(variants * bits), most)


class Contents(NamedTuple):
    """The images by content, those of one code next to each other."""

    images: Csr  # rows, by content
    by_code: Csr  # contents, by code
    digests: list[bytes | None]  # by content

    def codes(self) -> Ints:
        """The code of each content, (C,)."""
        return np.repeat(np.arange(len(self.by_code.starts) - 1), np.diff(self.by_code.starts))


class Proposed(NamedTuple):
    """Pairs of contents, those that are nearest first; the lower content comes first in each."""

    first: Ints
    second: Ints
    distances: npt.NDArray[np.int32]  # bits between their own codes
    mirrored: npt.NDArray[np.int8]  # 0: upright; 1: mirrored; or `EITHER`
    likely: Mask  # pairs with such near codes that low-information images are worth a close look


def contents_of(graph: Graph, digests: Sequence[bytes | None]) -> Contents:
    """The images of a graph of codes by content; `digests` are those of rows."""
    rows, starts, counts, known = graph.images.rows.copy(), [0], [0], list[bytes | None]()
    for node in range(graph.size):
        own: dict[bytes | None, list[int]] = {}
        for row in graph.images.of(node).tolist():
            own.setdefault(digests[row], []).append(row)
        for digest in sorted(own, key=lambda one: one or b""):
            rows[starts[-1] : starts[-1] + len(own[digest])] = own[digest]
            starts.append(starts[-1] + len(own[digest]))
            known.append(digest)
        counts.append(len(known))
    return Contents(Csr(np.array(starts, np.int64), rows), Csr(np.array(counts), np.arange(len(known))), known)


def propose(
    contents: Contents, codes_UW: Codes, reach: Reach, *, variants: Mapping[int, Codes], sides_C2: Mask | None
) -> Proposed:
    """The nearest pairs of contents whose bytes are known; `variants`: codes (V, W) by content.

    With `sides_C2`, which says whether a content is in the reference and among the others, only pairs across these.
    """
    finder = _Finder(contents, codes_UW, sides_C2)
    parts = [finder.near(dict(enumerate(codes_UW[contents.codes(), None])), reach.own, offset=0)]
    if reach.variants is not None and variants:
        parts.append(finder.near(variants, reach.variants, offset=AHEAD))
    first, second, scores, mirrored = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((scores, second, first))
    first, second, scores, mirrored = (column[order] for column in (first, second, scores, mirrored))
    new = np.append(True, (np.diff(first) != 0) | (np.diff(second) != 0))[: len(first)]
    starts = np.flatnonzero(new)
    if len(starts):
        least, most = np.minimum.reduceat(mirrored, starts), np.maximum.reduceat(mirrored, starts)
        mirrored = np.where(least == most, least, EITHER).astype(np.int8)
    first, second, scores = first[new], second[new], scores[new]
    nearest = np.argsort(scores, kind="stable")[: max(reach.an_image * len(contents.digests), FEWEST)]
    first, second, mirrored, scores = first[nearest], second[nearest], mirrored[nearest], scores[nearest]
    code_C = contents.codes()
    distances = np.bitwise_count(codes_UW[code_C[first]] ^ codes_UW[code_C[second]]).sum(axis=1).astype(np.int32)
    return Proposed(first, second, distances, mirrored, scores <= LIKELY * 8 * codes_UW.shape[1])


class _Finder:
    """Finds the contents whose codes are near others."""

    def __init__(self, contents: Contents, codes_UW: Codes, sides_C2: Mask | None) -> None:
        self._contents, self._sides_C2 = contents, sides_C2
        self._engine = MultiIndex(8 * codes_UW.shape[1], codes_NW=codes_UW, least=FEW)
        self._known_C = np.array([digest is not None for digest in contents.digests], bool)

    def near(
        self, queries: Mapping[int, Codes], radius: int, *, offset: int
    ) -> tuple[Ints, Ints, Ints, npt.NDArray[np.int8]]:
        """Pairs, their distances and if they were proposed mirrored; `queries` are codes of contents, one or more."""
        found: tuple[list[int], list[int], list[int], list[int]] = ([], [], [], [])
        for side in (None,) if self._sides_C2 is None else (0, 1):
            some = [one for one in queries if self._known_C[one] and self._is_on(one, side)]
            for start in range(0, len(some), BLOCK):
                self._search(some[start : start + BLOCK], queries, radius, side, offset, found)
        first, second, scores = (np.array(column, np.int64) for column in found[:3])
        return np.minimum(first, second), np.maximum(first, second), scores, np.array(found[3], np.int8)

    def _is_on(self, content: int, side: int | None) -> bool:
        return side is None or self._sides_C2 is None or bool(self._sides_C2[content, side])

    def _search(
        self, some: Sequence[int], queries: Mapping[int, Codes], radius: int, side: int | None, offset: int,
        found: tuple[list[int], list[int], list[int], list[int]],
    ) -> None:  # fmt: skip
        codes_QVW = np.stack([queries[one] for one in some])
        count = codes_QVW.shape[1]
        hits = self._engine.search(
            codes_QVW.reshape(-1, codes_QVW.shape[2]), top=MOST + 1, radius=radius, among=self._among(side)
        )
        for at, content in enumerate(some):
            own = hits[at * count : (at + 1) * count]
            for other, distance, variant in self._contents_near(content, own, side):
                is_mirrored = count > 1 and variant in MIRRORED
                for column, value in zip(found, (content, other, distance + offset, int(is_mirrored)), strict=True):
                    column.append(value)

    def _among(self, side: int | None) -> Mask | None:
        """The codes of the contents on the other side."""
        if side is None or self._sides_C2 is None:
            return None
        return np.logical_or.reduceat(self._sides_C2[:, 1 - side], self._contents.by_code.starts[:-1])

    def _contents_near(self, content: int, hits: Sequence[Hits], side: int | None) -> Iterator[tuple[int, int, int]]:
        """The nearest other contents, their distances, and the variant that is nearest."""
        rows, distances = (np.concatenate([getattr(one, name) for one in hits]) for name in ("rows", "distances"))
        variants = np.repeat(np.arange(len(hits)), [len(one.rows) for one in hits])
        seen, count = set[int](), 0
        for at in np.lexsort((rows, distances)).tolist():
            code = int(rows[at])
            if code in seen:
                continue
            seen.add(code)
            begin, end = (int(one) for one in self._contents.by_code.starts[code : code + 2])
            turn = (content - begin) % (end - begin)  # so that of very many with one code each is proposed by some
            is_own = begin <= content < end
            for step in range(min(end - begin, MOST // 2 + 1 if is_own else MOST)):  # and by others than its own
                other = begin + (turn + step) % (end - begin)
                if other == content or not self._known_C[other]:
                    continue
                if side is not None and not self._is_on(other, 1 - side):
                    continue
                yield other, int(distances[at]), int(variants[at])
                count += 1
                if count == MOST:
                    return
