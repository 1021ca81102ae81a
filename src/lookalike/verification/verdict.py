"""Verdicts on pairs of pictures: codes propose, pixels decide.

Pictures are aligned by features and pixels (`alignment`); the remaining differences decide:

    edited copy   only edits differ: frame, size, encoding, tones, an overlay
    same scene    aligned, but something moved or changed its colours: another shot, another product
    different     not aligned

Same bytes and same pixels are recognised beforehand. Thresholds: docs/experiments.md.

Shapes: H, W pixels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import cv2
import numpy as np

from lookalike.core.parallel import computed_once
from lookalike.imaging.borders import Box
from lookalike.verification import agreement as measures
from lookalike.verification import alignment
from lookalike.verification.agreement import Agreement, Colours, Correlated
from lookalike.verification.alignment import Frames, Matrix
from lookalike.verification.features import Array, Features, Floats, Ints, features, matches, mirrored

INLIERS = 6  # minimum keypoints that support a transform
BLOCKS = 6  # minimum blocks with detail
FRAMED = 0.55  # minimum share of either picture that the other shows, with fewer inliers
SEEN = 0.5  # minimum share of one picture that the other shows
RELATED = 0.25  # minimum share of equal blocks of related pictures …
AGREED = 0.55  # … and of copies
LOUD, MOVED = 0.004, 0.01  # shares below which nothing differs and nothing moved …
TONED, DIFFERING, ENCODED = 0.68, 0.36, 0.25  # … if enough is quiet and little detail is lost, or hardly any is
SILENT, SILENT_MOVED = 0.95, 0.015  # … or nearly all is quiet
UNTOUCHED = 0.002  # share of pixels that may differ at all where nothing was done to the content
WRITTEN_QUIET, WRITTEN_LOUD, WRITTEN_MOVED, PAINTED = 0.7, 0.15, 0.02, 0.43  # with an overlay …
LITTLE_QUIET, LITTLE_DIFFERING, LETTERS_MOVED = 0.78, 0.355, 0.038  # … whose letters seem to have moved …
MUCH, WRITTEN_DIFFERING = 0.02, 0.62  # … a large one may cover most of a simple picture's detail
CLEARLY, CLEARLY_DIFFERING, CLEARLY_MOVED, CLIPPED = 0.95, 0.15, 0.045, 0.9
PAPER, PAPER_SHADES = 0.7, 8  # minimum share of a document near the shade of its paper, and tolerance in shades
LIGHT, EVEN = 128, 1.5  # shades: paper is light, or of one shade (mean deviation), unlike the dark of a photograph
LEGIBLE, LEGIBLE_QUIET, LEGIBLE_MOVED, ADDED = 0.86, 0.85, 0.045, 0.45  # for documents: other words are no overlay
OTHER_COLOURS = 0.08  # share of the overlap
GOOD = 0.9  # agreement at which the search for a better alignment ends
MIRRORED = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1.0]])  # of points in shares of the sides


class Relation(StrEnum):
    """Relations between images, closest first."""

    EXACT = "exact"
    SAME_PIXELS = "same-pixels"
    EDITED = "edited"
    SAME_SCENE = "same-scene"
    SIMILAR = "similar"
    DIFFERENT = "different"

    @property
    def is_copy(self) -> bool:
        """Whether they show the same picture."""
        return self in (Relation.EXACT, Relation.SAME_PIXELS, Relation.EDITED)

    @property
    def words(self) -> str:
        """The relation in plain words."""
        return {Relation.EXACT: "exact copy", Relation.EDITED: "edited copy"}.get(self, self.replace("-", " "))

    @property
    def rank(self) -> int:
        """0 for the closest."""
        return list(Relation).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The relation of the second picture to the first, with the evidence."""

    relation: Relation
    edits: tuple[str, ...] = ()  # from the first to the second: keys of `edits.WORDS`
    transform: tuple[float, ...] | None = None  # 3 × 3, row by row: points in shares of the sides, first to second
    overlaps: tuple[float, float] = (0.0, 0.0)  # share of each picture that the other shows
    inliers: int = 0  # keypoints that support the transform
    agreement: float = 0.0  # share of blocks with detail that are the same
    verified: bool = True  # False: by codes alone


UNVERIFIED = Verdict(relation=Relation.SIMILAR, verified=False)
UNMOVED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
EXACT = Verdict(relation=Relation.EXACT, transform=UNMOVED, agreement=1.0, overlaps=(1.0, 1.0))
SAME_PIXELS = replace(EXACT, relation=Relation.SAME_PIXELS)


class Outline(NamedTuple):
    """What tells most pictures apart, and takes a while to compute: 50 kB."""

    features: Features
    boxes: Sequence[Box]
    vectors: Sequence[Floats]


class Picture:
    """A frame of an image for verification: uint8 (H, W, 3), or (H, W, 4) with transparency."""

    def __init__(self, pixels: Array, outline: Outline | None = None, *, mirrors: Picture | None = None) -> None:
        self._outline = outline  # if it is known
        self._mirrors = mirrors  # the picture that this one mirrors
        self.pixels = pixels if pixels.shape[2] == 3 else _on(pixels, 255)
        self.has_alpha = pixels.shape[2] == 4
        self._given = pixels

    @computed_once
    def grey(self) -> Array:
        """The picture in grey, (H, W)."""
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(self.pixels), cv2.COLOR_RGB2GRAY), np.uint8)

    @computed_once
    def features(self) -> Features:
        """Its keypoints and descriptors."""
        if self._mirrors is not None:
            return mirrored(self._mirrors.features, self.pixels.shape[1])
        return features(self.grey) if self._outline is None else self._outline.features

    @computed_once
    def frames(self) -> Frames:
        """The whole of it, and what lies within its borders."""
        known = self._outline
        return alignment.frames(self.grey) if known is None else Frames(self.grey, known.boxes, known.vectors)

    @property
    def outline(self) -> Outline:
        """What another `Picture` of the same pixels can be given."""
        return self._outline or Outline(self.features, self.frames.boxes, self.frames.vectors)

    @computed_once
    def is_document(self) -> bool:
        """Whether most of it has one shade, like paper, so that only its text matters."""
        counts = np.bincount(self.grey.ravel(), minlength=256)
        near = np.convolve(counts, np.ones(2 * PAPER_SHADES + 1, np.int64), "same")
        paper = int(near.argmax())
        if near[paper] < PAPER * self.grey.size:
            return False
        apart = np.abs(self.grey.astype(np.int16) - paper)
        return paper >= LIGHT or float(apart[apart <= PAPER_SHADES].mean()) <= EVEN

    @computed_once
    def mirrored(self) -> Picture:
        """The mirrored picture."""
        return Picture(np.ascontiguousarray(self._given[:, ::-1]), mirrors=self)

    @computed_once
    def on_black(self) -> Picture:
        """The picture on black instead of transparency, as many converters save it."""
        return Picture(_on(self._given, 0)) if self.has_alpha else self


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Two pictures, the transform from the first to the second, and how they agree."""

    first: Picture
    second: Picture
    matrix: Matrix
    inliers: int
    correlated: Correlated
    mirrored: bool = False
    on_black: bool = False

    @computed_once
    def measured(self) -> Agreement:
        """The agreement in full."""
        return measures.agreement(self.first.grey, self.second.grey, self.matrix, self.correlated)


def compare(
    first: Picture, second: Picture, *, mirrored: bool | None = None, start: tuple[float, ...] | None = None
) -> Verdict:
    """What the second picture is to the first.

    `mirrored`: whether to compare mirrored (None: both ways); `start`: a `Verdict.transform` to try, too.
    """
    from lookalike.verification import edits

    best = align(first, second, mirrored=mirrored, start=start)
    if best is None:
        return Verdict(relation=Relation.DIFFERENT)
    seen, shown = measures.overlaps(best.first.grey, best.second.grey, best.matrix)
    evidence = Verdict(
        relation=Relation.DIFFERENT,
        overlaps=(round(seen, 3), round(shown, 3)),
        inliers=best.inliers,
        agreement=round(best.correlated.same, 4),
    )
    if best.correlated.blocks < BLOCKS or best.correlated.same < RELATED:
        return evidence
    colours = measures.colours(best.first.pixels, best.second.pixels, best.matrix, best.measured.agreed)
    relation, overlays = _relation(best, colours), True
    if relation is Relation.SAME_SCENE and (toned := _in_tones(best)) is not None:
        relation = _relation(toned, colours, overlays=False)  # what a tone curve hides, an overlay must not excuse
        if relation.is_copy:
            best, evidence = toned, replace(evidence, agreement=round(toned.correlated.same, 4))
            overlays = False
    if best.inliers < INLIERS and min(best.measured.overlaps) < FRAMED and relation.is_copy:
        relation = Relation.SAME_SCENE  # correlation alone aligns whole pictures, but drifts to parts of plain ones
    done, transform = edits.of(best, colours, overlays=overlays), _in_shares(best, first, second)
    return replace(evidence, relation=relation, edits=done, transform=transform)


def align(
    first: Picture, second: Picture, *, mirrored: bool | None = None, start: tuple[float, ...] | None = None
) -> Aligned | None:
    """The best alignment of two pictures; None if there is none."""
    best: Aligned | None = None
    for one, other, is_mirrored, on_black in _looks(first, second, mirrored):
        pairs_M2 = matches(one.features, other.features)
        hint = None if start is None else _in_pixels(start, one, other, mirrored=is_mirrored)
        found = _aligned(one, other, pairs_M2, hint)
        if found is not None and (best is None or found[1].same > best.correlated.same):
            matrix, correlated = found
            inliers = alignment.support(one.features, other.features, pairs_M2, matrix)
            best = Aligned(
                first=one, second=other, matrix=matrix, inliers=inliers, correlated=correlated,
                mirrored=is_mirrored, on_black=on_black,
            )  # fmt: skip
            if correlated.same >= GOOD:
                break
    return best


def _looks(first: Picture, second: Picture, mirrored: bool | None) -> Iterator[tuple[Picture, Picture, bool, bool]]:
    """Pairs of the pictures, mirrored or not, transparency on black or not, with flags for both."""
    grounds = dict.fromkeys(itertools.product((first, first.on_black), (second, second.on_black)))
    for is_mirrored in (False, True) if mirrored is None else (mirrored,):
        for one, other in grounds:
            on_black = one is not first or other is not second
            yield one.mirrored if is_mirrored else one, other, is_mirrored, on_black


def _aligned(first: Picture, second: Picture, pairs_M2: Ints, start: Matrix | None) -> tuple[Matrix, Correlated] | None:
    """The transform with the best correlation of two pictures, and that correlation."""
    best: tuple[Matrix, Correlated] | None = None
    for found in _alignments(first, second, pairs_M2, start):
        for matrix in _refinements(first, second, found):
            correlated = measures.correlated(first.grey, second.grey, matrix)
            if best is None or correlated.same > best[1].same:
                best = matrix, correlated
            if best[1].same >= CLEARLY:
                return best
    return best


def _alignments(first: Picture, second: Picture, pairs_M2: Ints, start: Matrix | None) -> Iterator[Matrix]:
    found = alignment.by_features(first.features, second.features, pairs_M2)
    if found is not None and found.inliers >= INLIERS:
        yield found.matrix
    if start is not None and alignment.is_sensible(start):
        yield start
    by_frame = alignment.by_frame(first.frames, second.frames)
    if by_frame is not None:
        yield by_frame


def _refinements(first: Picture, second: Picture, matrix: Matrix) -> Iterator[Matrix]:
    yield matrix
    for projective in (False, True):
        finer = alignment.refined(first.grey, second.grey, matrix, projective=projective)
        if alignment.is_sensible(finer):
            yield finer


def _in_tones(best: Aligned) -> Aligned | None:
    """The aligned pictures in the same tones; None if they agree too little to tell."""
    pixels = measures.in_tones(best.first.pixels, best.second.pixels, best.matrix, best.measured.agreed)
    if pixels is None:
        return None
    first, second = map(Picture, pixels)
    return replace(
        best, first=first, second=second, correlated=measures.correlated(first.grey, second.grey, best.matrix)
    )


def _relation(aligned: Aligned, colours: Colours, *, overlays: bool = True) -> Relation:
    """What aligned pictures are to each other: an edited copy, maybe with an overlay, or the same scene."""
    found, is_document = aligned.measured, aligned.first.is_document and aligned.second.is_document
    is_overlaid = overlays and _is_written_on(found) and (found.added >= ADDED or not is_document)
    is_same = is_overlaid or (_is_legible(found) if is_document else _is_toned(found) or _is_clear(found))
    is_copy = max(found.overlaps) >= SEEN and found.same >= AGREED and is_same
    return Relation.EDITED if is_copy and colours.other <= OTHER_COLOURS else Relation.SAME_SCENE


def _is_toned(found: Agreement) -> bool:
    """Whether no pixel clearly differs, so that edits changed only frame, tones or encoding."""
    if found.loud <= UNTOUCHED and found.quiet >= 1 - UNTOUCHED and found.same >= GOOD:
        return found.moved <= CLEARLY_MOVED  # burnt-out areas have so little detail that it seems to have moved
    if found.loud > LOUD or found.moved > SILENT_MOVED:
        return False
    is_toned = found.differing <= ENCODED or (found.differing <= DIFFERING and found.quiet >= TONED)
    return found.quiet >= SILENT or (is_toned and found.moved <= MOVED)


def _is_written_on(found: Agreement) -> bool:
    """Whether the clear differences are an overlay on one of the pictures."""
    most = WRITTEN_DIFFERING if found.loud >= MUCH else DIFFERING
    is_painted = found.painted >= PAINTED and found.loud <= WRITTEN_LOUD and found.differing <= most
    is_little = found.quiet >= LITTLE_QUIET and found.differing <= LITTLE_DIFFERING
    # edges of letters resemble others close by, and so seem to have moved
    most_moved = LETTERS_MOVED if found.loud >= MUCH and is_little else WRITTEN_MOVED
    return is_painted and found.quiet >= WRITTEN_QUIET and found.moved <= most_moved


def _is_legible(found: Agreement) -> bool:
    """Whether two documents have the same words and drawings."""
    return found.legible >= LEGIBLE and found.quiet >= LEGIBLE_QUIET and found.moved <= LEGIBLE_MOVED


def _is_clear(found: Agreement) -> bool:
    """Whether all detail agrees, regardless of tones; burnt-out areas have none."""
    all_agrees = found.differing <= CLEARLY_DIFFERING or found.painted >= CLIPPED or found.quiet >= SILENT
    return found.same >= CLEARLY and found.moved <= CLEARLY_MOVED and all_agrees


def _in_shares(best: Aligned, first: Picture, second: Picture) -> tuple[float, ...]:
    """The transform from the first picture (not mirrored) to the second, of points in shares of the sides."""
    matrix = np.linalg.inv(_size(second)) @ best.matrix @ _size(first)
    if best.mirrored:
        matrix = matrix @ MIRRORED
    return tuple(round(float(value), 5) for value in (matrix / matrix[2, 2]).ravel())


def _in_pixels(transform: tuple[float, ...], first: Picture, second: Picture, *, mirrored: bool) -> Matrix | None:
    """The transform in pixels from the first picture, mirrored or not; None if `transform` is of the other kind."""
    matrix = np.array(transform).reshape(3, 3) @ (MIRRORED if mirrored else np.eye(3))
    return _size(second) @ matrix @ np.linalg.inv(_size(first)) if np.linalg.det(matrix[:2, :2]) > 0 else None


def _size(picture: Picture) -> Matrix:
    """The transform from shares of width and height to pixels."""
    return np.diag([picture.grey.shape[1], picture.grey.shape[0], 1.0])


def _on(pixels: Array, shade: int) -> Array:
    """Pixels with transparency, on a background of one shade."""
    opacity = pixels[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint(pixels[..., :3] * opacity + shade * (1 - opacity)), np.uint8)
