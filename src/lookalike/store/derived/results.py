"""Results that a database returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lookalike.store.scan_state import Environment, Unreachable

if TYPE_CHECKING:
    from lookalike.calibration.stored import Calibration
    from lookalike.data import Label
    from lookalike.hasher import Hasher
    from lookalike.store.protocol import Store
    from lookalike.verification.verdict import Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An image found by a search, with its relation to the query."""

    path: str
    distance: int  # bits that differ between its code and the query's
    bits: int  # length of the code
    relation: Relation
    label: Label
    id: int
    edits: tuple[str, ...] = ()  # from the query to this image: keys of `verification.edits.WORDS`
    done: str = ""  # the same in words
    inliers: int = 0  # keypoints that support the transform
    agreement: float = 0.0  # share of the detail of both that is the same
    transform: tuple[float, ...] | None = None  # 3 × 3, row by row: points in shares of the sides, query to image
    verified: bool = False  # by pixels; otherwise the relation is by codes alone, or by inconclusive thumbnails
    weighted_distance: float | None = None  # weighted by the query's certainty of each bit; for asymmetric searches


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group of duplicates."""

    path: str
    distance: int  # bits, from the group's first image
    width: int | None  # pixels
    height: int | None
    size: int  # bytes of the encoded image
    label: Label
    id: int


Group = list[Member]


@dataclass(frozen=True, slots=True)
class Info:
    """Summary of a database."""

    path: str
    model: str
    bits: int
    images: int  # findable
    errors: int
    missing: int
    labelled: int
    originals: int
    roots: list[str]
    trained_on: str
    near: int  # bits: at most 1 in 10,000 pairs of different images are within this distance
    duplicate: int  # bits, up to which images that cannot be verified count as copies
    similar: int  # bits, up to which hits that are no copies are called similar
    calibration: Calibration | None = None  # how often its answers were right; `similar` is that of the model without
    plain: int = 0  # images with too little detail for their codes to mean anything
    without_thumbnail: int = 0  # images that cannot be verified without their files
    places: Environment = field(default_factory=Environment)  # file systems and rules around the images
    unreachable: list[Unreachable] = field(default_factory=list)  # at the last scan

    @classmethod
    def of(cls, store: Store, hasher: Hasher, *, similar: int, calibration: Calibration | None) -> Info:
        """The summary of a store whose codes a model made."""
        from lookalike.store import originals, scan_state

        kept = 0 if store.folder is None else sum(1 for _ in originals.digests(store.folder))
        model = hasher.info
        return cls(
            path=store.location, model=hasher.name, bits=store.bits, originals=kept, roots=store.roots(),
            trained_on=model.origin, near=model.near, duplicate=model.duplicate, similar=similar,
            calibration=calibration, plain=len(store.low_information()), places=scan_state.environment(store),
            unreachable=store.scan_state.unreachable(), **store.counts(),
        )  # fmt: skip

    @property
    def out_of_reach(self) -> int:
        """Number of images whose files were unreachable."""
        return sum(place.images for place in self.unreachable)


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of `verify`."""

    what: str
    ok: bool
    repaired: bool = False
