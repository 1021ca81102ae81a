"""What a database answers with."""

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
    """An image that a search found."""

    path: str
    distance: int  # bits that differ
    bits: int  # length of the code
    tier: str  # "identical", "same" (if calibrated), "near-duplicate", "similar" or "different"
    label: Label
    id: int
    weighted_distance: float | None = None  # bits, each as much as the query is sure of it; of asymmetric searches


def hits_of(
    ids: Iterable[int],
    distances: npt.NDArray[np.int32],
    records: Mapping[int, Record],
    *,
    bits: int,
    tier: Callable[[int], str],
) -> list[Hit]:
    """The images with these ids, at these distances; one that was removed a moment ago is passed over."""
    return [
        Hit(
            record.name,
            distance,
            bits,
            _of_plain(tier(distance)) if record.is_plain else tier(distance),
            record.label,
            id_,
        )
        for id_, distance in zip(ids, distances.tolist(), strict=True)
        if (record := records.get(id_)) is not None
    ]


def _of_plain(tier: str) -> str:
    """What an image is called that shows too little for its code to say more."""
    return {"identical": "same code", "same": "similar", "near-duplicate": "similar"}.get(tier, tier)


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group of look-alikes."""

    path: str
    distance: int  # bits, to the group's first image
    width: int | None  # pixels
    height: int | None
    size: int  # bytes of the encoded image
    label: Label
    id: int
    turn: str = ""  # how the group's first image is turned to look like it; empty: not at all


Group = list[Member]


@dataclass(frozen=True, slots=True)
class Info:
    """What a database holds."""

    path: str
    model: str
    bits: int
    images: int  # that can be found
    errors: int
    missing: int
    labelled: int
    originals: int
    roots: list[str]
    trained_on: str
    near: int  # bits: at most 1 in 10,000 pairs of different images is this near or nearer
    duplicate: int  # bits, up to which a hit is called near-duplicate
    similar: int  # bits
    same: int = 0  # bits, up to which a hit is called same; 0 unless calibrated
    calibration: Calibration | None = None  # what says so, if it is not the model
    plain: int = 0  # images with too little to see for their codes to mean anything
    places: Environment = field(default_factory=Environment)  # what lies around them
    unreachable: list[Unreachable] = field(default_factory=list)  # when it was looked at last

    @property
    def out_of_reach(self) -> int:
        """Images that could neither be seen nor were known to be gone."""
        return sum(place.images for place in self.unreachable)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `verify` looked at."""

    what: str
    ok: bool
    repaired: bool = False
