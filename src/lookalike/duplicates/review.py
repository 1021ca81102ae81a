"""Groups of copies as a person judges them: the best copy, how alike the others are to it, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from lookalike.core.limits import MAX_PIXELS
from lookalike.core.progress import Progress, silent
from lookalike.duplicates import decisions
from lookalike.duplicates.cleanup import best_copy, inspection
from lookalike.duplicates.cleanup.best_copy import Preference
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.cleanup.inspection import Inspection
from lookalike.duplicates.decisions import DecisionIndex, State
from lookalike.duplicates.request import DuplicateReport
from lookalike.store.decisions import Decision
from lookalike.store.derived.results import Group, Member
from lookalike.store.records import Record


class Tier(StrEnum):
    """How alike an image is to the one of its group that is kept."""

    KEPT = "kept"
    BYTES = "same bytes"
    PIXELS = "same pixels"
    NEAR = "near"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """What is read of the files, and which copy is better."""

    compare_pixels: bool = True  # tell same pixels from what only looks alike
    inspect_files: bool = True  # choose the best copy by what the files hold, not by the catalog alone
    prefer: tuple[Preference, ...] = ()
    max_pixels: int = MAX_PIXELS


class Context(NamedTuple):
    """What is known of the images of some groups."""

    records: Mapping[int, Record]  # by id
    decisions: DecisionIndex
    inspection: Inspection = Inspection()
    prefer: Sequence[Preference] = ()
    references: frozenset[int] = frozenset()  # ids that are better than any other


@dataclass(frozen=True, slots=True)
class GroupImage:
    """An image of a group, and what speaks for and against it."""

    member: Member
    record: Record
    tier: Tier  # to the kept copy that is most like it
    is_reference: bool = False
    facts: Facts | None = None  # if its file was read
    loses: tuple[str, ...] = ()  # what would be lost with it: of "date", "place" and "camera"

    @property
    def metadata(self) -> frozenset[str]:
        """What its file tells of how the picture was taken."""
        return frozenset() if self.facts is None else frozenset(self.facts.metadata.says)


@dataclass(frozen=True, slots=True)
class Review:
    """A group, and what is known of it."""

    images: tuple[GroupImage, ...]
    best: int  # id of the image that is proposed to be kept
    why: str  # what makes it the best
    state: State
    decision: Decision | None  # to keep or put off
    kept: frozenset[int]  # ids that this decision keeps
    pixels: Mapping[bytes, bytes] = field(default_factory=dict, repr=False, compare=False)  # digests, by content


def review_report(
    report: DuplicateReport,
    records: Mapping[int, Record],
    index: DecisionIndex,
    options: ReviewOptions = ReviewOptions(),
    *,
    progress: Progress = silent,
) -> list[Review]:
    """What is known of the groups of a report, whose files are read for it."""
    inspected = inspection.read(
        records_of(report.groups, records), pixels=options.compare_pixels, facts=options.inspect_files,
        max_pixels=options.max_pixels, progress=progress,
    )  # fmt: skip
    return review_groups(report.groups, Context(records, index, inspected, options.prefer, report.references))


def records_of(groups: Iterable[Group], records: Mapping[int, Record]) -> list[list[Record]]:
    """The records of the images of each group that are still there."""
    return [[records[one.id] for one in group if one.id in records] for group in groups]


def review_groups(groups: Iterable[Group], context: Context) -> list[Review]:
    """What is known of groups, without those of which fewer than two images are still there."""
    found = ([one for one in group if one.id in context.records] for group in groups)
    return [_review(members, context) for members in found if len(members) > 1]


def _review(members: Sequence[Member], context: Context) -> Review:
    held = [context.records[member.id] for member in members]
    pixels, facts = context.inspection
    decision = context.decisions.of([record.digest for record in held])
    kept = frozenset(decisions.kept(decision, held)) if decision is not None else frozenset[int]()
    fixed = [record for record in held if record.id in context.references]
    found = best_copy.best(fixed or held, facts, context.prefer)
    why = "reference" if len(fixed) == 1 else f"reference, {found.why}" if fixed else found.why
    best = [record for record in held if record.id in (kept or {found.id})]
    known = {word for record in best for word in _metadata(record, facts)}
    images = tuple(
        GroupImage(
            member, record, tier(record, best, pixels), record.id in context.references,
            facts.get(record.digest or b""), tuple(word for word in _metadata(record, facts) if word not in known),
        )
        for member, record in zip(members, held, strict=True)
    )  # fmt: skip
    return Review(images, found.id, why, decisions.state(decision), decision, kept, pixels)


def tier(record: Record, kept: Iterable[Record], pixels: Mapping[bytes, bytes]) -> Tier:
    """How alike an image is to what is kept; `pixels`: digests of pixels, by content."""
    kept = list(kept)
    if any(record.id == one.id for one in kept):
        return Tier.KEPT
    if record.digest is not None and any(record.digest == one.digest for one in kept):
        return Tier.BYTES
    own = pixels.get(record.digest or b"")
    return Tier.PIXELS if own is not None and any(own == pixels.get(one.digest or b"") for one in kept) else Tier.NEAR


def _metadata(record: Record, facts: Mapping[bytes, Facts]) -> tuple[str, ...]:
    found = facts.get(record.digest or b"")
    return () if found is None else found.metadata.says
