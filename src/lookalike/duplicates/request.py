"""Requests for a duplicate search, and its reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.listing import Listing
from lookalike.store.derived.results import Group
from lookalike.store.records import Record
from lookalike.verification.verdict import UNVERIFIED, Verdict

Judge = Callable[[Record, Record], Verdict]  # verdict on two images: what the second is to the first


class Strictness(StrEnum):
    """Which images count as copies."""

    STRICT = "strict"  # the same bytes or pixels
    NORMAL = "normal"  # also edited copies
    THOROUGH = "thorough"  # also those that only a wider search for candidates finds


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateSearch:
    """Options of a duplicate search."""

    strictness: Strictness | Literal["strict", "normal", "thorough"] = Strictness.NORMAL
    radius: int | None = None  # bits within which codes propose copies; None: by strictness
    verify: bool = True  # False: by codes alone, within the radius or else the duplicate radius
    include_blank: bool = False  # compare low-information images by code, too, not only by content
    ignore_decisions: bool = False  # include pairs that were marked as different
    reference: tuple[str, ...] = ()  # folders or labels: find only copies of their images, which are never removed
    not_same_folder: bool = False  # leave out groups whose images are all in one folder
    max_pixels: int = MAX_PIXELS


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """Groups of copies, and what could not be compared. Iterates over the groups."""

    groups: list[Group]
    radius: int  # bits within which images that cannot be verified count as copies
    same_scene: list[Group] = field(default_factory=list)  # bursts and series, not copies
    rejected_pairs: int = 0  # candidate pairs whose pixels do not match
    unverified: int = 0  # images compared by code alone
    unverified_pairs: int = 0  # candidate pairs that could not be compared, and whose codes are not near enough
    within_one_folder: int = 0  # groups left out for that
    references: frozenset[int] = frozenset()  # ids of all reference images

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def rows(self) -> Listing[dict[str, Any]]:
        """The images of all groups with the number of their `group`, from 1: a table, and pictures in a notebook."""
        return Listing(
            {"group": number, **asdict(member)} for number, group in enumerate(self.groups, start=1) for member in group
        )

    def _repr_html_(self) -> str:
        return self.rows()._repr_html_()


@dataclass(frozen=True, slots=True)
class Match:
    """An image of the second part that has a copy in the first."""

    record: Record
    copy: Record  # the nearest
    distance: int  # bits
    copies: int  # number of its copies in the first part
    verdict: Verdict = UNVERIFIED  # on the copy and the image


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageReport:
    """Images of the second part that have a copy in the first."""

    first: int  # images
    second: int
    matches: list[Match]
    radius: int  # bits
    rejected_pairs: int = 0
    unverified: int = 0
    unverified_pairs: int = 0

    @property
    def share(self) -> float:
        """Share of the second part that has a copy in the first, 0 to 1."""
        return len(self.matches) / self.second if self.second else 0.0
