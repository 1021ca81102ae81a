"""Cleanup plans: what to keep and what to remove of each group of copies. Making one changes no files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import best_copy
from lookalike.duplicates.cleanup.best_copy import Preference
from lookalike.duplicates.cleanup.companions import Folders
from lookalike.duplicates.decisions import State
from lookalike.duplicates.review import GroupImage, Review, Tier, tier
from lookalike.imaging.formats.kinds import is_raw

ONLY_COPY = "only copy with"


class Action(StrEnum):
    """What to do with a file."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file in a plan, as it was when the plan was made."""

    action: Action
    path: str
    digest: str  # hexadecimal; empty if the file was never read
    size: int = 0  # bytes
    tier: str = ""  # likeness to the kept copy
    distance: int = 0  # bits, from the first of its group
    why: str = ""  # why it is kept; for a removal, its relation to the best copy
    loses: str = ""  # metadata that only it has, such as "date, place"
    companions: tuple[str, ...] = ()  # names of companion files that move with it


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a plan may remove, and what is preferred."""

    include_edited: bool = False  # also remove edited copies
    allow_metadata_loss: bool = False  # also remove the only copy with a date, place or camera
    prefer: tuple[Preference, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """A group of copies in a plan."""

    entries: tuple[Entry, ...]

    def of(self, action: Action) -> list[Entry]:
        """The group's files with this action."""
        return [entry for entry in self.entries if entry.action is action]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about the duplicates of a database."""

    groups: tuple[PlanGroup, ...]
    database: str = ""
    radius: int = 0  # bits
    bits: int = 0
    spared: int = 0  # files kept as the only copy with a date, place or camera, including those in omitted groups

    @property
    def removals(self) -> list[Entry]:
        """All files to remove."""
        return [entry for group in self.groups for entry in group.of(Action.REMOVE)]


def make(
    reviews: Iterable[Review], options: PlanOptions = PlanOptions(), *, database: str = "", radius: int = 0,
    bits: int = 0,
) -> Plan:  # fmt: skip
    """A plan for groups: decisions are followed, otherwise the best copies are kept.

    In undecided groups, only copies with the same bytes or pixels as a kept one are removed, unless
    `options.include_edited`. Skipped groups, and groups without removals, are omitted.
    """
    folders = Folders()
    groups = [_group(one, options, folders) for one in reviews if one.state is not State.LATER]
    spared = sum(entry.why.startswith(ONLY_COPY) for group in groups for entry in group.of(Action.KEEP))
    removing = tuple(group for group in groups if group.of(Action.REMOVE))
    return Plan(removing, database, radius, bits, spared)


def check(plan: Plan) -> Plan:
    """The plan, if it is consistent: each group keeps a file, and no file is both kept and removed, or removed twice.

    Raises `DataError` otherwise.
    """
    kept: set[str] = set()
    for number, group in enumerate(plan.groups, start=1):
        if not group.of(Action.KEEP):
            raise DataError(f"group {number} of the plan keeps nothing; keep at least one of its files")
        kept.update(entry.path for entry in group.of(Action.KEEP))
    gone: set[str] = set()
    for entry in plan.removals:
        if entry.path in kept:
            raise DataError(f"the plan both keeps and removes {entry.path}; choose one")
        if entry.path in gone:
            raise DataError(f"the plan removes {entry.path} twice; list it in one group")
        gone.add(entry.path)
    return plan


def _group(review: Review, options: PlanOptions, folders: Folders) -> PlanGroup:
    kept = _kept(review, options)
    spared = _spared(review, kept, options)
    return PlanGroup(tuple(_entry(one, review, kept, spared, folders) for one in review.images))


def _entry(one: GroupImage, review: Review, kept: set[int], spared: Mapping[int, str], folders: Folders) -> Entry:
    staying, id_ = kept | spared.keys(), one.record.id
    stays = id_ in staying
    staying_records = [other.record for other in review.images if other.record.id in staying]
    return Entry(
        action=Action.KEEP if stays else Action.REMOVE,
        path=one.record.name,
        digest=(one.record.digest or b"").hex(),
        size=one.member.size,
        tier=str(tier(one.record, staying_records, review.pixels)),
        distance=one.member.distance,
        why=spared.get(id_) or (_why(one, review) if stays else one.words),
        loses="" if stays else ", ".join(_lost(one, _in_favour(one, review, staying))),
        companions=() if stays else tuple(map(os.path.basename, folders.companions(one.record.name))),
    )


def _why(one: GroupImage, review: Review) -> str:
    """Why an image is kept."""
    if one.is_reference:
        return "reference"
    if review.state is State.DECIDED:
        return "as was decided"
    return review.why if one.record.id == review.best else one.words  # an edited copy, which only some plans remove


def _kept(review: Review, options: PlanOptions) -> set[int]:
    """Ids of images that are kept regardless of metadata."""
    fixed = {one.record.id for one in review.images if one.is_reference}
    if review.state is State.DECIDED:
        return fixed | review.kept
    if options.include_edited:
        return fixed | {review.best}
    classes = _classes(review)
    return fixed | {id_ for alike in classes for id_ in _best_of(alike, fixed, best=review.best, options=options)}


def _best_of(alike: list[GroupImage], fixed: set[int], *, best: int, options: PlanOptions) -> set[int]:
    """Which of several images with the same pixels are kept."""
    ids = {one.record.id for one in alike}
    if ids & fixed or ids & {best}:
        return ids & fixed or {best}
    facts = {one.record.digest: one.facts for one in alike if one.record.digest and one.facts}
    return {best_copy.best([one.record for one in alike], facts, options.prefer).id}


def _classes(review: Review) -> list[list[GroupImage]]:
    """Images grouped by identical pixels, if known, or else by identical bytes."""
    classes: dict[object, list[GroupImage]] = {}
    for one in review.images:
        key = review.pixels.get(one.record.digest or b"") or one.record.digest or one.record.id
        classes.setdefault(key, []).append(one)
    return list(classes.values())


def _spared(review: Review, kept: set[int], options: PlanOptions) -> dict[int, str]:
    """Ids of images that are kept only for what no other copy has, with the reason.

    Those with the most metadata are spared first, because each of them saves others from being the only copy.
    """
    spared: dict[int, str] = {}
    order = sorted(review.images, key=lambda one: (-len(one.metadata), one.record.id != review.best))
    for one in order:
        staying = kept | spared.keys()
        if one.record.id in staying:
            continue
        others = _in_favour(one, review, staying)
        lost = _lost(one, others)
        if is_raw(one.record.format) and not any(is_raw(other.record.format) for other in others):
            spared[one.record.id] = "only raw copy"
        elif lost and not options.allow_metadata_loss:
            spared[one.record.id] = f"{ONLY_COPY} {best_copy.listed(lost)}"
    return spared


def _in_favour(one: GroupImage, review: Review, staying: Collection[int]) -> list[GroupImage]:
    """The kept images that make an image redundant: those with the same bytes or pixels, if any."""
    others = [other for other in review.images if other.record.id in staying]
    equal = [other for other in others if tier(one.record, [other.record], review.pixels) is not Tier.NEAR]
    return equal or others


def _lost(one: GroupImage, others: Sequence[GroupImage]) -> list[str]:
    """Capture metadata that only this image has."""
    known = {word for other in others for word in other.metadata}
    return [] if one.facts is None else [word for word in one.facts.metadata.says if word not in known]
