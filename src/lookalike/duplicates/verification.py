"""Verification of candidate pairs: pixels decide which images with similar codes are copies (`verification.verdict`).

Each content is a node of the resulting graph, and its pairs are copies. Pairs with neither a thumbnail nor a file
cannot be verified; for them codes decide. An image with very many copies proposes only the nearest of them, so each
component of copies is completed afterwards: its image with the most copies is compared with all others.

Shapes: N images, C contents, P pairs.
"""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lookalike.core.progress import Progress, silent
from lookalike.duplicates.graph import Graph, Mask
from lookalike.duplicates.proposals import EITHER, Contents, Proposed
from lookalike.search.csr import Ints
from lookalike.search.hits import NO_PAIRS, Pairs
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.derived.verdicts import Asked, Verifier
from lookalike.verification.verdict import Relation, Verdict

LOOKED_AGAIN = 4  # pairs for each image of a group, at most, that are verified to complete it

_Two = tuple[int, int]


class Verified(NamedTuple):
    """A graph of copies, and what came of the other pairs."""

    graph: Graph
    scenes: Pairs = NO_PAIRS  # nodes that show the same scene
    rejected: int = 0  # pairs of images whose pictures do not match
    unverified: int = 0  # images next to another by code alone
    unverified_pairs: int = 0  # pairs of images that could not be compared, and whose codes are not near enough


class Verification:
    """Looks at pairs of contents, and notes what they are."""

    def __init__(
        self, verifier: Verifier, contents: Contents, held: CodeArray, *, radius: int, is_strict: bool
    ) -> None:
        self._verifier, self._contents, self._held = verifier, contents, held
        self._row_C = contents.images.rows[contents.images.starts[:-1]]  # one image of each content
        self._radius = radius  # bits, within which pairs that cannot be verified are copies
        self._is_strict = is_strict
        self._copies = defaultdict[int, set[int]](set)
        self._scenes, self._rejected, self._undecided = list[_Two](), list[_Two](), list[_Two]()
        self._seen, self._unverified = set[_Two](), set[int]()

    def look(self, pairs: Sequence[tuple[int, int, bool | None, bool]]) -> Iterator[int]:
        """Verify pairs of contents, the lower one first, mirrored or not, likely or not; yields how many are done."""
        first, second = (self._ids(np.array([pair[side] for pair in pairs], np.int64)) for side in (0, 1))
        asked = [Asked(one, other, *pair[2:]) for one, other, pair in zip(first, second, pairs, strict=True)]
        for done, (pair, verdict) in enumerate(zip(pairs, self._verifier.of_pairs(asked), strict=True), start=1):
            if verdict is not None:  # else one of them was removed in the meantime
                self._note(pair[0], pair[1], verdict)
            yield done

    def take_unknown(self, graph: Graph) -> None:
        """Take pairs of near codes for copies where the bytes of an image, and so its pixels, are not known."""
        by_code, digests = self._contents.by_code, self._contents.digests
        own = np.arange(graph.size)
        for first, second in zip(np.append(own, graph.pairs.first), np.append(own, graph.pairs.second), strict=True):
            for one, other in itertools.product(by_code.of(int(first)).tolist(), by_code.of(int(second)).tolist()):
                if one != other and (digests[one] is None or digests[other] is None):
                    self._take(one, other)
                    self._unverified.update((one, other))
                elif one == other and digests[one] is None and len(self._contents.images.of(one)) > 1:
                    self._unverified.add(one)

    def complete(self) -> None:
        """Compare the image with the most copies with all that hang together with it, and so on with what is left."""
        for members in list(self._components()):
            left, looks = set(members), LOOKED_AGAIN * len(members)
            while len(left) > 2 and looks > 0:
                hub = min(left, key=lambda one: (-len(self._copies[one] & left), self._contents.digests[one] or b""))
                unknown = [two for one in sorted(left - {hub}) if (two := _two(hub, one)) not in self._seen][:looks]
                deque(self.look([(*two, None, True) for two in unknown]), maxlen=0)
                looks -= len(unknown) + 1
                left -= {hub, *self._copies[hub]}

    def result(self, sides_C2: Mask | None) -> Verified:
        """The graph of copies, and numbers of images."""
        images = self._contents.images
        sizes_C = np.diff(images.starts)
        sides_CS = sizes_C[:, None] if sides_C2 is None else sizes_C[:, None] * sides_C2
        copies = sorted({_two(one, other) for one, others in self._copies.items() for other in others})
        rejected, undecided = (
            sum(int((sides_CS[one] * sides_CS[other][::-1]).sum()) for one, other in pairs)
            for pairs in (self._rejected, self._undecided)
        )
        return Verified(
            Graph(images, self._pairs(copies)), self._pairs(sorted(self._scenes)), rejected,
            int(sizes_C[sorted(self._unverified)].sum()), undecided,
        )  # fmt: skip

    def _note(self, first: int, second: int, verdict: Verdict) -> None:
        two = _two(first, second)
        self._seen.add(two)
        if verdict.relation.is_copy and not (self._is_strict and verdict.relation is Relation.EDITED):
            self._take(first, second)
        elif verdict.relation is Relation.SAME_SCENE:
            self._scenes.append(two)
        elif not verdict.verified and verdict.relation is Relation.SIMILAR:
            if self._distance(two) <= self._radius:
                self._take(first, second)
                self._unverified.update(two)
            else:
                self._undecided.append(two)
        else:
            self._rejected.append(two)

    def _take(self, first: int, second: int) -> None:
        self._copies[first].add(second)
        self._copies[second].add(first)

    def _components(self) -> Iterator[set[int]]:
        """Contents that hang together by copies."""
        seen = set[int]()
        for start in sorted(self._copies):
            members, waiting = set[int](), {start} - seen
            while waiting:
                members |= waiting
                waiting = set[int]().union(*(self._copies[one] for one in waiting)) - members
            seen |= members
            if members:
                yield members

    def _pairs(self, some: Sequence[_Two]) -> Pairs:
        first, second = (np.array([two[side] for two in some], np.int64) for side in (0, 1))
        return Pairs(first, second, np.array([self._distance(two) for two in some], np.int32))

    def _ids(self, contents_P: Ints) -> list[int]:
        ids: list[int] = self._held.ids_N[self._row_C[contents_P]].tolist()
        return ids

    def _distance(self, two: _Two) -> int:
        first_W, second_W = self._held.codes_NW[self._row_C[list(two)]]
        return int(np.bitwise_count(first_W ^ second_W).sum())


def verify(
    work: Verification, found: Proposed, *, unknown: Graph, sides_C2: Mask | None = None, progress: Progress = silent
) -> Verified:
    """The graph of contents whose pairs are copies; `unknown`: near codes, some of images whose bytes are not known."""
    order = np.lexsort((found.second, found.first))  # so that thumbnails and features are used while they are in memory
    mirrored = [None if turned == EITHER else bool(turned) for turned in found.mirrored[order].tolist()]
    first, second, likely = (column[order].tolist() for column in (found.first, found.second, found.likely))
    pairs = list(zip(first, second, mirrored, likely, strict=True))
    for done in work.look(pairs):
        progress("verifying", done, len(pairs))
    work.take_unknown(unknown)
    if sides_C2 is None:
        work.complete()
    progress("verifying", len(pairs) or 1, len(pairs) or 1)
    return work.result(sides_C2)


def _two(one: int, other: int) -> _Two:
    return (one, other) if one < other else (other, one)
