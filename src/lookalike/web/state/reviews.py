"""Groups as they stand after what was decided, and which images have the same pixels; kept between requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeVar

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.database import Group
from lookalike.duplicates import review, verdicts, verification
from lookalike.duplicates.cleanup import facts, plan_file
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.review import Review
from lookalike.duplicates.verdicts import Known, State
from lookalike.duplicates.verification import Overlaid
from lookalike.imaging.evidence import Evidence
from lookalike.opening import AnyDatabase
from lookalike.store.records import Record
from lookalike.web.http.problems import Problem
from lookalike.web.state import files
from lookalike.web.state.jobs import Report, Work

NOTHING = Overlaid(0, 0)

ReadPixels = Callable[[bytes], bytes]  # an encoded image → what is the same for the same pixels
Inspect = Callable[[bytes], Evidence]
Found = TypeVar("Found")


class Groups(NamedTuple):
    """All groups of a database, whatever was decided, and the digests of their images by id."""

    groups: list[Group]
    digests: verdicts.Digests
    radius: int
    overlaid: Overlaid


class Part(NamedTuple):
    """A group, and how far it is decided."""

    group: Group
    state: State


class Standing(NamedTuple):
    """For each group those that it has fallen into by what was decided."""

    parts: list[list[Part]]
    counts: dict[State, int]  # how many groups there are
    images: int
    known: Known


class Page(NamedTuple):
    """Some groups, and where the next page begins."""

    parts: list[Part]
    next: int | None


class Reviews:
    """What was last asked for."""

    def __init__(self) -> None:
        self.pixels: dict[bytes, bytes] = {}  # by the digest of the content, of all that was read
        self.facts: dict[bytes, Facts] = {}  # as well
        self._lock = threading.Lock()
        self._kept: tuple[Groups, int, Standing] | None = None

    def standing(self, database: AnyDatabase, groups: Groups) -> Standing:
        """How groups stand now. Called by threads."""
        with self._lock:
            version = database.decisions.version
            if self._kept is None or self._kept[0] is not groups or self._kept[1] != version:
                self._kept = groups, version, stand(database, groups)
            return self._kept[2]

    def reading(self, groups: Groups, read: ReadPixels, inspect: Inspect) -> Work:
        """Work that reads the images that may have the same pixels, and those of which one is the best copy."""

        def work(database: AnyDatabase, report: Report) -> bool:
            records = database.records_of(list(groups.digests))
            wanted = [one for one in review.to_read(groups.groups, records) if one.digest not in self.pixels]
            unknown = [
                group
                for group in review.to_inspect(groups.groups, records)
                if any(one.digest not in self.facts for one in group)
            ]
            total = len(wanted) + sum(map(len, unknown))
            for number, record in enumerate(wanted):
                report(number, total)
                digest = _of_content(database, record, read)
                if digest is not None and record.digest is not None:
                    self.pixels[record.digest] = digest
            self.facts |= facts.read_by(
                unknown,
                lambda record: _of_content(database, record, inspect),
                on_rows=lambda done, _: report(len(wanted) + done, total),
            )
            return True

        return work

    def plan(self, database: AnyDatabase, groups: Groups, options: plans.Options, *, table: bool) -> bytes:
        """The plan for all groups, as JSON or as a table. Called by threads."""
        same = dict(self.pixels)
        made = plans.with_companions(
            plans.make(
                self._reviews(database, groups, options), same, options, database=str(database.path),
                radius=groups.radius, bits=database.bits,
            )
        )  # fmt: skip
        text = plan_file.to_csv(made) if table else plan_file.to_json(made)
        return text.encode("utf-8", "surrogateescape")

    def _reviews(self, database: AnyDatabase, groups: Groups, options: plans.Options) -> Iterator[Review]:
        standing = self.standing(database, groups)
        records = database.records_of(list(groups.digests))
        shown = [part.group for parts in standing.parts for part in parts]
        return review.reviews(
            shown, records, standing.known, dict(self.pixels), facts=dict(self.facts), prefer=options.prefer
        )


def _of_content(database: AnyDatabase, record: Record, read: Callable[[bytes], Found]) -> Found | None:
    """What is told of an image as it was indexed; nothing of one that cannot be read."""
    try:
        content = files.read(database.path, record)
        return read(content) if data.content_digest(content) == record.digest else None
    except (Problem, LookalikeError):
        return None


def compare(database: AnyDatabase, report: Report, radius: int) -> Groups:
    """All groups of a database."""
    overlaid: list[Overlaid] = []
    groups = database.duplicates(
        radius=radius,
        with_different=True,
        on_rows=lambda done, total: report(done, 2 * total),
        on_laid=lambda done, total: report(total + done, 2 * total),
        on_overlaid=overlaid.append,
    )
    records = database.records_of([one.id for group in groups for one in group])
    digests = {id_: record.digest for id_, record in records.items()}
    return Groups(groups, digests, radius, *(overlaid or [NOTHING]))


def stand(database: AnyDatabase, groups: Groups) -> Standing:
    """How groups stand by what is decided now."""
    known = database.decisions.known()
    regroup = review.regroup(
        *database.codes(), radius=groups.radius, reliefs_of=partial(verification.by_id, reliefs=database.reliefs)
    )
    parts = [
        [Part(group, _state(group, groups.digests, known)) for group in found]
        for found in review.apart(groups.groups, groups.digests, known, regroup)
    ]
    every = [part for found in parts for part in found]
    counts = Counter(part.state for part in every)
    return Standing(parts, {state: counts[state] for state in State}, sum(len(part.group) for part in every), known)


def page(standing: Standing, *, start: int, top: int, state: State | None) -> Page:
    """Groups from a place on, `top` or a few more: what one has fallen into is not torn apart."""
    chosen: list[Part] = []
    for at in range(start, len(standing.parts)):
        fitting = [part for part in standing.parts[at] if state in (None, part.state)]
        if fitting and len(chosen) >= top:
            return Page(chosen, at)
        chosen += fitting
    return Page(chosen, None)


def _state(group: Group, digests: verdicts.Digests, known: Known) -> State:
    return verdicts.state(known.of([digests.get(one.id) for one in group]))
