"""Verification in two stages: a quick look at thumbnails, then a close look at files if something aligns.

The first stage rejects unrelated pictures, which are most candidates. Only details that thumbnails lack distinguish a
copy from another shot of the same scene. If a file is unreachable, thumbnails decide as far as possible.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from lookalike.verification.features import Array
from lookalike.verification.verdict import Outline, Picture, Relation, Verdict, align, compare

CLOSE = 384  # longer side of a close look, in pixels
FEW = 80  # keypoints of a thumbnail, below which failed alignment proves nothing
MANY = 12  # inliers from which files are compared although thumbnails disagree
FRAMES_AGREE = 0.5  # minimum agreement of two later frames
CERTAIN, CERTAINLY_SEEN = 0.9, 12  # minimum agreement and inliers for thumbnails alone to prove a copy
DAMPED = {"crop": "extend", "grey": "colour", "brighter": "darker"}
REVERSED = DAMPED | {there: here for here, there in DAMPED.items()}  # inverse edits


class Seen:
    """An image prepared for verification: thumbnails, and a close look that is loaded on demand."""

    def __init__(
        self, thumbnails: Sequence[Array], close: Callable[[], Picture | None] = lambda: None, *,
        outline: Outline | None = None,
    ) -> None:  # fmt: skip
        self.frames = [Picture(thumbnails[0], outline), *map(Picture, thumbnails[1:])]
        self.close = close  # the image at up to `CLOSE` pixels a side; None if its file is unreachable
        self.is_whole = False  # whether the thumbnail has the size of the image, so that a close look shows no more

    @classmethod
    def whole(cls, thumbnails: Sequence[Array], *, outline: Outline | None = None) -> Seen:
        """An image that is no larger than its thumbnail; `outline`: of the first one, if it is known."""
        seen = cls(thumbnails, outline=outline)
        seen.close, seen.is_whole = lambda: seen.frames[0], True
        return seen

    @property
    def is_low_information(self) -> bool:
        """Whether its thumbnail has too few keypoints for alignment."""
        return len(self.frames[0].features.points_P2) < FEW


def verdict(first: Seen, second: Seen, *, mirrored: bool | None = None, insist: bool = True) -> Verdict:
    """What the second image is to the first; `mirrored`: whether to compare mirrored (None: both ways).

    `insist`: whether low-information images are compared closely, too, if their thumbnails cannot be aligned.
    """
    found = compare(first.frames[0], second.frames[0], mirrored=mirrored)
    is_hopeless = found.relation is Relation.DIFFERENT and found.inliers < MANY
    may_gain = insist and not (first.is_whole and second.is_whole)
    if is_hopeless and not (may_gain and (first.is_low_information or second.is_low_information)):
        return found
    one = first.close()
    other = None if one is None else second.close()
    closer = None
    if one is not None and other is not None:
        closer = compare(one, other, mirrored=mirrored, start=found.transform)
    if closer is not None:
        is_lost = closer.relation is Relation.DIFFERENT and found.relation is not Relation.DIFFERENT
        found = dataclasses.replace(found, relation=Relation.SIMILAR, edits=()) if is_lost else closer
    elif found.relation is Relation.DIFFERENT:  # plain: nothing aligns, but there is hardly anything to align
        found = dataclasses.replace(found, verified=False)
    elif found.relation is Relation.EDITED and not _is_certain(found):
        found = _unproven(found)
    return _with_frames(first, second, found)


def reversed_(found: Verdict) -> Verdict:
    """The verdict on the same pair in reverse order."""
    import numpy as np

    transform = None
    if found.transform is not None:
        matrix = np.linalg.inv(np.array(found.transform).reshape(3, 3))
        transform = tuple(round(float(value), 5) for value in (matrix / matrix[2, 2]).ravel())
    edits = tuple(REVERSED.get(name, name) for name in found.edits)
    overlaps = (found.overlaps[1], found.overlaps[0])
    return dataclasses.replace(found, edits=edits, transform=transform, overlaps=overlaps)


def _with_frames(first: Seen, second: Seen, found: Verdict) -> Verdict:
    """The verdict, after comparing later frames of animations and documents, too."""
    if not found.relation.is_copy or len(first.frames) == len(second.frames) == 1:
        return found
    if 1 in (len(first.frames), len(second.frames)):
        return dataclasses.replace(found, edits=(*(name for name in found.edits if name != "recompress"), "frame"))
    pairs = zip(first.frames[1:], second.frames[1:], strict=False)
    if all(_frames_agree(one, other) for one, other in pairs):
        return found
    return dataclasses.replace(found, relation=Relation.SAME_SCENE)


def _frames_agree(first: Picture, second: Picture) -> bool:
    if max(first.grey.std(), second.grey.std()) < 4:  # both are blank
        return True
    found = align(first, second)
    return found is not None and found.correlated.same >= FRAMES_AGREE


def _is_certain(found: Verdict) -> bool:
    return found.agreement >= CERTAIN and found.inliers >= CERTAINLY_SEEN


def _unproven(found: Verdict) -> Verdict:
    """The verdict if thumbnails cannot rule out another shot of the same scene."""
    return dataclasses.replace(found, relation=Relation.SIMILAR, edits=(), verified=False)
