"""Plans: of each group of copies what is kept and what is removed. Nothing is done by making one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lookalike.database import choosing, reviewing
from lookalike.database.deciding import State
from lookalike.database.pixels import Pixels
from lookalike.database.reviewing import Judged, Review
from lookalike.errors import DataError
from lookalike.store.records import Record


class Action(StrEnum):
    """What becomes of a file."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a plan, as it was when the plan was made."""

    action: Action
    path: str
    digest: str  # hexadecimal; empty if its contents were never read
    size: int = 0  # bytes
    tier: str = ""  # how alike it is to what is kept
    distance: int = 0  # bits, to the first of its group
    why: str = ""  # it is kept; or how the first of its group is turned to look like it, if it is not


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """A group of copies."""

    entries: tuple[Entry, ...]

    def of(self, action: Action) -> list[Entry]:
        """The files that this becomes of."""
        return [entry for entry in self.entries if entry.action is action]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about the duplicates of a database."""

    groups: tuple[PlanGroup, ...]
    database: str = ""
    radius: int = 0  # bits
    bits: int = 0

    @property
    def removals(self) -> list[Entry]:
        """All files that are to go."""
        return [entry for group in self.groups for entry in group.of(Action.REMOVE)]


def make(
    reviews: Iterable[Review], same: Pixels, *, near: bool = False, database: str = "", radius: int = 0, bits: int = 0
) -> Plan:
    """The plan for groups: what was decided, and else the best copies are kept.

    Of groups that nobody decided, only copies with the same bytes or pixels as one that is kept are removed, unless
    `near`. Groups that were put off, and those of which nothing is removed, are left out.
    """
    groups = (_group(one, _kept(one, same, near=near), same) for one in reviews if one.state is not State.LATER)
    return Plan(tuple(group for group in groups if group.of(Action.REMOVE)), database, radius, bits)


def check(plan: Plan) -> Plan:
    """The plan, if it makes sense: each group keeps something, and no file is both kept and removed, or removed twice.

    Raises `DataError`.
    """
    kept: set[str] = set()
    for number, group in enumerate(plan.groups, start=1):
        if not group.of(Action.KEEP):
            raise DataError(f"group {number} of the plan keeps nothing; let it keep at least one of its files")
        kept.update(entry.path for entry in group.of(Action.KEEP))
    gone: set[str] = set()
    for entry in plan.removals:
        if entry.path in kept:
            raise DataError(f"the plan both keeps and removes {entry.path}; let it do one of them")
        if entry.path in gone:
            raise DataError(f"the plan removes {entry.path} twice; let it be in one group")
        gone.add(entry.path)
    return plan


def _group(review: Review, kept: set[int], same: Pixels) -> PlanGroup:
    held = [one.record for one in review.images if one.record.id in kept]
    return PlanGroup(
        tuple(
            Entry(
                action=Action.KEEP if one.record.id in kept else Action.REMOVE,
                path=one.record.name,
                digest=(one.record.digest or b"").hex(),
                size=one.member.size,
                tier=str(reviewing.tier(one.record, held, same)),
                distance=one.member.distance,
                why=_why(one, review) if one.record.id in kept else one.member.turn,
            )
            for one in review.images
        )
    )


def _why(one: Judged, review: Review) -> str:
    """Why an image is kept."""
    if one.is_reference:
        return "reference"
    if review.state is State.DECIDED:
        return "as was decided"
    return review.why if one.record.id == review.best else "only looks alike"


def _kept(review: Review, same: Pixels, *, near: bool) -> set[int]:
    """The ids of the images that are kept."""
    fixed = {one.record.id for one in review.images if one.is_reference}
    if review.state is State.DECIDED:
        return fixed | review.kept
    if near:
        return fixed | {review.best}
    return fixed | {id_ for alike in _classes(review.records, same) for id_ in _best_of(alike, fixed, best=review.best)}


def _best_of(alike: list[Record], fixed: set[int], *, best: int) -> set[int]:
    """Which of images with the same pixels are kept."""
    ids = {record.id for record in alike}
    return ids & fixed or ids & {best} or {choosing.best(alike).id}


def _classes(records: list[Record], same: Pixels) -> list[list[Record]]:
    """The images by what is the same: pixels if these were read, else bytes."""
    found: dict[object, list[Record]] = {}
    for record in records:
        found.setdefault(reviewing.look(record, same) or record.digest or record.id, []).append(record)
    return list(found.values())
