"""What `duplicates` says of edited copies and of different images: codes propose, pixels decide.

A copy is found if its code and that of its original, or of a variant of either, propose the pair at normal strictness,
and the verdict on their pixels is that one is a copy of the other. A pair of different images is false if it gets
that far. Images that are too plain to be compared by code are not found, as in a database. Each copy is compared with
its original alone: in a large collection, other images may take its place among the few that each one proposes.

Shapes: N images, Q with copies that are verified, V variants, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from lookalike.core.codes import Codes
from lookalike.core.parallel import in_order
from lookalike.core.progress import Progress
from lookalike.duplicates import graph, proposals, variant_codes
from lookalike.duplicates.request import Strictness
from lookalike.hasher import Hasher
from lookalike.imaging import thumbnails
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import Variant
from lookalike.imaging.quality import LOW_INFORMATION, quality
from lookalike.metrics.intervals import rate_bound
from lookalike.metrics.retrieval_stats import Share, share
from lookalike.robustness.originals import Originals, Two, copies_of
from lookalike.robustness.peers import as_read
from lookalike.verification import looks
from lookalike.verification.verdict import Picture, Relation

if TYPE_CHECKING:
    from lookalike.robustness.run import RobustnessOptions

BLANK, NOT_PROPOSED = "too plain", "not proposed"  # why there is no verdict on a pair
COPIES = {one.value for one in Relation if one.is_copy}
UNCHANGED = Variant("none", 0)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the product says of copies, and of all pairs of different images."""

    name: str
    said: dict[int, list[str]]  # by row and variant: what the copy is to the image (`Relation`), or why it is unknown
    pairs: int  # of different images
    proposed: int  # of those, by codes
    false: list[Two]  # of those, called copies

    def recall(self, variant: int) -> Share:
        """The share of the copies of one variant that are called copies of their originals."""
        return share(sum(said_V[variant] in COPIES for said_V in self.said.values()), len(self.said))

    @property
    def bound(self) -> float:
        """The upper bound of the share of pairs of different images called copies, with 95 % confidence."""
        return rate_bound(len(self.false), self.pairs)


class _Held(NamedTuple):
    """What a database keeps of an image."""

    own_W: Codes
    thumbnail: bytes
    codes_VW: Codes | None  # of its variants; None if it is too plain to be compared by code


class _Proposed(NamedTuple):
    """Two images that may be copies, whether mirrored (None: either way), and whether likely."""

    pair: Two
    mirrored: bool | None
    likely: bool


def answers(
    hasher: Hasher, name: str, found: Originals, edited: Sequence[int], chosen: Sequence[Variant], *,
    settings: RobustnessOptions, same: set[Two], progress: Progress,
) -> Answers:  # fmt: skip
    """Verify copies of the edited images, and all pairs of different images that codes propose."""
    held, false, said = list[_Held](), list[Two](), dict[int, list[str]]()
    original = partial(_original, found=found, hasher=hasher, settings=settings)
    for one in in_order(original, range(len(found.items)), workers=settings.threads):
        held.append(one)
        progress("encoding variants", len(held), len(found.items))
    some = [one for one in _proposed(held, hasher.bits) if one.pair not in same]
    of_pair = partial(_of_pair, held=held, found=found, settings=settings)
    for done, relation in enumerate(in_order(of_pair, some, workers=settings.threads)):
        false += [some[done].pair] if relation in COPIES else []
        progress("verifying pairs", done + 1, len(some))
    of_copies = partial(_of_copies, held=held, found=found, chosen=chosen, hasher=hasher, settings=settings)
    for row, said_V in zip(edited, in_order(of_copies, edited, workers=settings.threads), strict=True):
        said[row] = said_V
        progress("verifying copies", len(said) * len(chosen), len(edited) * len(chosen))
    pairs = len(held) * (len(held) - 1) // 2 - len(same)
    return Answers(name=f"{name}, verified", said=said, pairs=pairs, proposed=len(some), false=false)


def _original(row: int, *, found: Originals, hasher: Hasher, settings: RobustnessOptions) -> _Held:
    return _hold(copies_of(found, row, [UNCHANGED], settings)[0], hasher)


def _hold(pixels_HW3: Array, hasher: Hasher) -> _Held:
    array, (height, width) = as_read(pixels_HW3, hasher.spec), pixels_HW3.shape[:2]
    own_W = hasher.encode_arrays(array[None])[0]
    thumbnail = thumbnails.pack([Image.fromarray(pixels_HW3)])
    is_plain = quality(array, width=width, height=height) < LOW_INFORMATION
    return _Held(own_W, thumbnail, None if is_plain else variant_codes.codes_of((thumbnail, own_W), hasher=hasher))


def _proposed(held: Sequence[_Held], bits: int) -> list[_Proposed]:
    """The pairs that codes propose as `duplicates` does, the lower row first."""
    rows = [row for row, one in enumerate(held) if one.codes_VW is not None]
    if len(rows) < 2:
        return []
    own_NW = np.stack([held[row].own_W for row in rows])
    near = graph.candidates(own_NW, None)
    contents = proposals.contents_of(near, [row.to_bytes(8) for row in rows])
    unique_UW = own_NW[near.images.rows[near.images.starts[:-1]]]
    row_C = np.array(rows)[contents.images.rows]
    variants = {at: codes_VW for at, row in enumerate(row_C.tolist()) if (codes_VW := held[row].codes_VW) is not None}
    reach = proposals.reach_of(Strictness.NORMAL, bits, None)
    found = proposals.propose(contents, unique_UW, reach, variants=variants, sides_C2=None)
    pairs = np.sort(row_C[np.stack([found.first, found.second], axis=1)], axis=1).tolist()
    return sorted(
        _Proposed((first, second), None if mirrored == proposals.EITHER else bool(mirrored), likely)
        for (first, second), mirrored, likely in zip(pairs, found.mirrored.tolist(), found.likely.tolist(), strict=True)
    )


def _of_pair(one: _Proposed, *, held: Sequence[_Held], found: Originals, settings: RobustnessOptions) -> str:
    """What two different images are to each other."""
    first, second = (_seen(copies_of(found, row, [UNCHANGED], settings)[0], held[row]) for row in one.pair)
    return looks.verdict(first, second, mirrored=one.mirrored, insist=one.likely).relation.value


def _of_copies(
    row: int, *, held: Sequence[_Held], found: Originals, chosen: Sequence[Variant], hasher: Hasher,
    settings: RobustnessOptions,
) -> list[str]:  # fmt: skip
    """What the copies of an image are to it."""
    pixels_HW3, *copies = copies_of(found, row, [UNCHANGED, *chosen], settings)
    original = _seen(pixels_HW3, held[row])
    return [_of_copy(copy, _hold(copy, hasher), original, held[row], hasher.bits) for copy in copies]


def _of_copy(copy_HW3: Array, copy: _Held, original: looks.Seen, of_original: _Held, bits: int) -> str:
    if copy.codes_VW is None or of_original.codes_VW is None:
        return BLANK
    for one in _proposed([of_original, copy], bits):
        return looks.verdict(original, _seen(copy_HW3, copy), mirrored=one.mirrored, insist=one.likely).relation.value
    return NOT_PROPOSED


def _seen(pixels_HW3: Array, held: _Held) -> looks.Seen:
    """An image as verification sees it: its thumbnail, and its file."""
    close = Picture(np.asarray(thumbnails.within(Image.fromarray(pixels_HW3), looks.CLOSE)))
    return looks.Seen(thumbnails.unpack(held.thumbnail), lambda: close)
