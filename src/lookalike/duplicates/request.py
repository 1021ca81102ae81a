"""What can be asked of a look for duplicates, and what it reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lookalike.core.limits import MAX_PIXELS
from lookalike.store.derived.results import Group
from lookalike.store.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateSearch:
    """Which images count as copies of each other."""

    radius: int | None = None  # bits; None: as calibrated, or as measured for the model
    verify: bool = True  # drop pairs whose pictures do not match once aligned
    orientations: bool = False  # also mirrored and quarter-turned copies; reads every image once
    include_blank: bool = False  # compare low-information images by code, too; else only their bytes
    ignore_decisions: bool = False  # also pairs that were marked as different
    reference: tuple[str, ...] = ()  # folders or labels: only copies of their images, which are never removed
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """Groups of copies, and what could not be compared. Iterates over the groups."""

    groups: list[Group]
    radius: int  # bits
    rejected_pairs: int = 0  # pairs of images within the radius whose pictures do not match
    unverified: int = 0  # images that were compared by code alone
    unreadable: tuple[str, ...] = ()  # images that could not be encoded in other orientations
    references: frozenset[int] = frozenset()  # ids of all images of the reference

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class Match:
    """An image of the second part that has a copy in the first."""

    record: Record
    copy: Record  # the nearest
    distance: int  # bits
    copies: int  # number of images of the first part within the radius


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageReport:
    """The images of the second part that have a copy in the first."""

    first: int  # images
    second: int
    matches: list[Match]
    radius: int  # bits
    rejected_pairs: int = 0
    unverified: int = 0

    @property
    def share(self) -> float:
        """Share of the second part that has a copy in the first, 0 to 1."""
        return len(self.matches) / self.second if self.second else 0.0
