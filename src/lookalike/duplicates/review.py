"""Groups of images as a person judges them: the best copy, how alike the others are to it, and what was decided."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from lookalike.core.codes import Codes
from lookalike.duplicates import grouping, same_pixels, verdicts
from lookalike.duplicates.cleanup import best_copy
from lookalike.duplicates.cleanup.best_copy import Preference
from lookalike.duplicates.cleanup.facts import Facts, FactsOf, wanted
from lookalike.duplicates.same_pixels import Pixels
from lookalike.duplicates.verdicts import Known, Regroup, State
from lookalike.duplicates.verification import ReliefsOf
from lookalike.store.decisions import Decision
from lookalike.store.derived.code_array import Ids
from lookalike.store.derived.results import Group, Member
from lookalike.store.records import Record

Records = Mapping[int, Record]
NOTHING: FactsOf = MappingProxyType({})


class Tier(StrEnum):
    """How alike an image is to the one of its group that is kept."""

    KEPT = "kept"
    BYTES = "same bytes"
    PIXELS = "same pixels"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Judged:
    """An image of a group, and what speaks for and against it."""

    member: Member
    record: Record
    tier: Tier  # to the kept copy that is most like it
    is_reference: bool = False
    facts: Facts | None = None  # if its file was read
    loses: tuple[str, ...] = ()  # what would be known no more without it: of "date", "place" and "camera"

    @property
    def says(self) -> frozenset[str]:
        """What its file says of how the picture was taken."""
        return frozenset() if self.facts is None else frozenset(self.facts.metadata.says)


@dataclass(frozen=True, slots=True)
class Review:
    """A group, and what is known of it."""

    images: tuple[Judged, ...]
    best: int  # id of the image that is proposed to be kept
    why: str  # what makes it the best
    state: State
    decision: Decision | None  # to keep or put off
    kept: frozenset[int]  # ids of what that decision keeps


def review(
    group: Group,
    records: Records,
    known: Known,
    same: Pixels,
    *,
    facts: FactsOf = NOTHING,
    prefer: Sequence[Preference] = (),
    references: Collection[int] = frozenset(),
) -> Review | None:
    """What is known of a group; nothing if fewer than two of its images are still there.

    `same` holds the digests of pixels that were read, `facts` what else was; `references` are ids that are better than
    any other, `prefer` what a person finds better.
    """
    members = [member for member in group if member.id in records]
    if len(members) < 2:
        return None
    held = [records[member.id] for member in members]
    decision = known.of([record.digest for record in held])
    kept = frozenset(verdicts.kept(decision, held)) if decision is not None else frozenset[int]()
    fixed = [record for record in held if record.id in references]
    found = best_copy.best(fixed or held, facts, prefer)
    why = "reference" if len(fixed) == 1 else f"reference, {found.why}" if fixed else found.why
    best = [record for record in held if record.id in (kept or {found.id})]
    says = frozenset(word for record in best for word in _says(record, facts))
    images = tuple(
        Judged(
            member, record, tier(record, best, same), record.id in references, facts.get(record.digest or b""),
            tuple(word for word in _says(record, facts) if word not in says),
        )
        for member, record in zip(members, held, strict=True)
    )  # fmt: skip
    return Review(images, found.id, why, verdicts.state(decision), decision, kept)


def _says(record: Record, facts: FactsOf) -> tuple[str, ...]:
    found = facts.get(record.digest or b"")
    return () if found is None else found.metadata.says


def tier(record: Record, kept: Sequence[Record], same: Pixels) -> Tier:
    """How alike an image is to what is kept."""
    if any(record.id == one.id for one in kept):
        return Tier.KEPT
    if record.digest is not None and any(record.digest == one.digest for one in kept):
        return Tier.BYTES
    own = look(record, same)
    return Tier.PIXELS if own is not None and any(own == look(one, same) for one in kept) else Tier.NEAR


def look(record: Record, same: Pixels) -> bytes | None:
    """What is equal for images of the same pixels, if they were read."""
    return None if record.digest is None else same.get(record.digest)


def apart(groups: Sequence[Group], digests: verdicts.Digests, known: Known, regroup: Regroup) -> list[list[Group]]:
    """For each group those that it falls into by what was decided."""
    return [verdicts.split(group, digests, known, regroup) for group in groups]


def regroup(
    ids_N: Ids,
    codes_NW: Codes,
    *,
    radius: int,
    pairs_of: grouping.PairsOf = grouping.comparing,
    reliefs_of: ReliefsOf | None = None,
) -> Regroup:
    """A function that groups some images anew by their codes; `pairs_of` gives what finds pairs of some, `reliefs_of`
    their reliefs.
    """

    def among(members: Sequence[Member]) -> list[Group]:
        wanted = [one.id for one in members]
        rows = np.searchsorted(ids_N, wanted)
        there = [at for at, row in enumerate(rows) if row < len(ids_N) and ids_N[row] == wanted[at]]
        chosen = [members[at] for at in there]
        names = [one.path for one in chosen]
        ids = [one.id for one in chosen]
        found = grouping.star(
            codes_NW[rows[there]], names, radius=radius, pairs=pairs_of(ids),
            reliefs=None if reliefs_of is None else reliefs_of(ids),
        )  # fmt: skip
        return [[replace(chosen[row], distance=distance) for row, distance in group] for group in found]

    return among


def to_read(groups: Sequence[Group], records: Records) -> list[Record]:
    """The images whose pixels must be read to tell which are the same."""
    return same_pixels.wanted([records[one.id] for one in group if one.id in records] for group in groups)


def to_inspect(groups: Sequence[Group], records: Records) -> list[list[Record]]:
    """The images of each group whose files must be read to tell which is best."""
    return wanted([records[one.id] for one in group if one.id in records] for group in groups)


def reviews(
    groups: Sequence[Group],
    records: Records,
    known: Known,
    same: Pixels,
    *,
    facts: FactsOf = NOTHING,
    prefer: Sequence[Preference] = (),
    references: Collection[int] = frozenset(),
) -> Iterator[Review]:
    """What is known of groups (see `review`)."""
    for group in groups:
        found = review(group, records, known, same, facts=facts, prefer=prefer, references=references)
        if found is not None:
            yield found
