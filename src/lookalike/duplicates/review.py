"""Groups of copies for review: the best copy, how the others relate to it, and decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from lookalike.duplicates.request import DuplicateReport, Judge
from lookalike.store.decisions import Decision
from lookalike.store.derived.results import Group, Member
from lookalike.store.records import Record
from lookalike.verification.edits import words as what_was_done
from lookalike.verification.verdict import EXACT, UNVERIFIED, Relation, Verdict

TRIED = 8  # images nearest to a group's centre that are tried as references for one that does not match the best copy


class Tier(StrEnum):
    """How alike an image is to the kept copy of its group."""

    KEPT = "kept"
    BYTES = "same bytes"
    PIXELS = "same pixels"
    NEAR = "near"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """What to read from the files, and which copy is better."""

    compare_pixels: bool = True  # distinguish same pixels from similar ones
    inspect_files: bool = True  # choose the best copy by the files' content, not only by the catalog
    prefer: tuple[Preference, ...] = ()
    max_pixels: int = MAX_PIXELS


def _unverified(first: Record, second: Record) -> Verdict:
    """The verdict without verification."""
    return UNVERIFIED


class Context(NamedTuple):
    """What is known about the images of some groups."""

    records: Mapping[int, Record]  # by id
    decisions: DecisionIndex
    inspection: Inspection = Inspection()
    prefer: Sequence[Preference] = ()
    references: frozenset[int] = frozenset()  # ids that are always best
    judge: Judge = _unverified


@dataclass(frozen=True, slots=True)
class GroupImage:
    """An image of a group, with the evidence for and against keeping it."""

    member: Member
    record: Record
    tier: Tier  # likeness to the most similar kept copy
    is_reference: bool = False
    facts: Facts | None = None  # if its file was read
    loses: tuple[str, ...] = ()  # what would be lost by removing it: "date", "place", "camera"
    verdict: Verdict = UNVERIFIED  # on the group's best copy and this image

    @property
    def metadata(self) -> frozenset[str]:
        """What its file says about how the picture was taken."""
        return frozenset() if self.facts is None else frozenset(self.facts.metadata.says)

    @property
    def words(self) -> str:
        """The verdict in plain words."""
        return words(self.verdict)


@dataclass(frozen=True, slots=True)
class Review:
    """A group under review."""

    images: tuple[GroupImage, ...]
    best: int  # id of the image proposed to keep
    why: str  # why it is the best
    state: State
    decision: Decision | None  # to keep or skip
    kept: frozenset[int]  # ids that this decision keeps
    pixels: Mapping[bytes, bytes] = field(default_factory=dict, repr=False, compare=False)  # digests by content


def review_report(
    report: DuplicateReport,
    records: Mapping[int, Record],
    index: DecisionIndex,
    options: ReviewOptions = ReviewOptions(),
    *,
    judge: Judge = _unverified,
    progress: Progress = silent,
) -> list[Review]:
    """Reviews of a report's groups; reads their files."""
    inspected = inspection.read(
        records_of(report.groups, records), pixels=options.compare_pixels, facts=options.inspect_files,
        max_pixels=options.max_pixels, progress=progress,
    )  # fmt: skip
    context = Context(records, index, inspected, options.prefer, report.references, judge)
    return review_groups(report.groups, context)


def records_of(groups: Iterable[Group], records: Mapping[int, Record]) -> list[list[Record]]:
    """Records of each group's images that still exist."""
    return [[records[one.id] for one in group if one.id in records] for group in groups]


def review_groups(groups: Iterable[Group], context: Context) -> list[Review]:
    """Reviews of groups that still have at least two images."""
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
    verdicts = _verdicts(held, context.records[found.id], context)
    images = tuple(
        GroupImage(
            member, record, tier(record, best, pixels), record.id in context.references,
            facts.get(record.digest or b""), tuple(word for word in _metadata(record, facts) if word not in known),
            verdicts[record.id],
        )
        for member, record in zip(members, held, strict=True)
    )  # fmt: skip
    return Review(images, found.id, why, decisions.state(decision), decision, kept, pixels)


def _verdicts(held: Sequence[Record], best: Record, context: Context) -> dict[int, Verdict]:
    """The verdict on the best copy and each image; or, if the best is another crop, on an image that shows it whole."""
    found = {record.id: verdict_on(best, record, context.inspection.pixels, context.judge) for record in held}
    for record in held:
        if found[record.id].verified and not found[record.id].relation.is_copy:
            others = (other for other in held[:TRIED] if other.id not in (record.id, best.id))
            verdicts = (verdict_on(other, record, context.inspection.pixels, context.judge) for other in others)
            found[record.id] = next((one for one in verdicts if one.relation.is_copy), found[record.id])
    return found


def verdict_on(first: Record, second: Record, pixels: Mapping[bytes, bytes], judge: Judge) -> Verdict:
    """What the second image is to the first; known bytes and pixels are not compared again."""
    tiers = {Tier.KEPT: EXACT, Tier.BYTES: EXACT}
    found = tier(second, [first], pixels)
    if found in tiers:
        return tiers[found]
    verdict = judge(first, second)
    return replace(verdict, relation=Relation.SAME_PIXELS, edits=()) if found is Tier.PIXELS else verdict


def words(verdict: Verdict) -> str:
    """A verdict in plain words."""
    edits = ", ".join(what_was_done(verdict)) if verdict.relation is Relation.EDITED else ""
    unverified = "" if verdict.verified else ", not verified"
    return f"{verdict.relation.words}{': ' * bool(edits)}{edits}{unverified}"


def tier(record: Record, kept: Iterable[Record], pixels: Mapping[bytes, bytes]) -> Tier:
    """How alike an image is to the kept ones; `pixels`: pixel digests, by content digest."""
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
