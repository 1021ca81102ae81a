"""What can be asked of a look for duplicates, and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from lookalike.core.limits import MAX_PIXELS
from lookalike.store.derived.results import Group
from lookalike.store.records import Record
from lookalike.verification.verdict import UNVERIFIED, Verdict

Judge = Callable[[Record, Record], Verdict]  # what the second image is to the first


class Strictness(StrEnum):
    """What counts as a copy."""

    STRICT = "strict"  # the same bytes or pixels
    NORMAL = "normal"  # and edited copies
    THOROUGH = "thorough"  # and those that only a wider search for candidates finds


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateSearch:
    """Which images count as copies of each other."""

    strictness: Strictness | Literal["strict", "normal", "thorough"] = Strictness.NORMAL
    radius: int | None = None  # bits between codes that propose copies; None: by strictness
    verify: bool = True  # False: by codes alone, within the radius, or as calibrated or measured for the model
    include_blank: bool = False  # compare low-information images by code, too; else only their bytes
    ignore_decisions: bool = False  # also pairs that were marked as different
    reference: tuple[str, ...] = ()  # folders or labels: only copies of their images, which are never removed
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """Groups of copies, and what could not be compared. Iterates over the groups."""

    groups: list[Group]
    radius: int  # bits between codes that are copies where nothing can be verified
    same_scene: list[Group] = field(default_factory=list)  # bursts and series: none is a copy of another
    rejected_pairs: int = 0  # candidate pairs of images whose pictures do not match
    unverified: int = 0  # images that were compared by code alone
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
    copies: int  # number of its copies in the first part
    verdict: Verdict = UNVERIFIED  # what the image is to the copy


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
