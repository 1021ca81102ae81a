"""Results that a database returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lookalike.store.records import Record
from lookalike.store.surroundings import Environment, Unreachable

if TYPE_CHECKING:
    from lookalike.calibration.stored import Calibration
    from lookalike.data import Label


@dataclass(frozen=True, slots=True)
class Hit:
    """An image found by a search."""

    path: str
    distance: int  # bits that differ
    bits: int  # length of the code
    tier: str  # "identical", "same" (if calibrated), "near-duplicate", "similar" or "different"
    label: Label
    id: int
    weighted_distance: float | None = None  # weighted by the query's certainty of each bit; for asymmetric searches


def hits_of(
    ids: Iterable[int],
    distances: npt.NDArray[np.int32],
    records: Mapping[int, Record],
    *,
    bits: int,
    tier: Callable[[int], str],
) -> list[Hit]:
    """Hits for these ids and distances; an image that was removed in the meantime is skipped."""
    return [
        Hit(
            record.name,
            distance,
            bits,
            _tier_if_plain(tier(distance)) if record.is_plain else tier(distance),
            record.label,
            id_,
        )
        for id_, distance in zip(ids, distances.tolist(), strict=True)
        if (record := records.get(id_)) is not None
    ]


def _tier_if_plain(tier: str) -> str:
    """The tier of an image with too little detail for its code to say more."""
    return {"identical": "same code", "same": "similar", "near-duplicate": "similar"}.get(tier, tier)


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
    turn: str = ""  # transformation of the group's first image that matches this one; empty: none


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
    duplicate: int  # bits, up to which a hit is a near-duplicate
    similar: int  # bits
    same: int = 0  # bits, up to which a hit is the same picture; 0 unless calibrated
    calibration: Calibration | None = None  # the calibration that these thresholds come from; None: the model's
    plain: int = 0  # images with too little detail for their codes to mean anything
    without_thumbnail: int = 0  # images that cannot be verified without their files
    places: Environment = field(default_factory=Environment)  # their surroundings
    unreachable: list[Unreachable] = field(default_factory=list)  # at the last scan

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
