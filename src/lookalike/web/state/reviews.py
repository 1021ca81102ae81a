"""Groups as they are after what was decided, and what is known of their files; kept between requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.database import Group
from lookalike.duplicates import review
from lookalike.duplicates.cleanup import inspection, plan_file
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.cleanup.inspection import Inspection, Seen
from lookalike.duplicates.decisions import DecisionIndex, State
from lookalike.duplicates.request import DuplicateSearch
from lookalike.duplicates.review import Context
from lookalike.duplicates.search import Comparison
from lookalike.imaging.evidence import Evidence
from lookalike.opening import AnyDatabase
from lookalike.store.records import Record
from lookalike.web.http.problems import Problem
from lookalike.web.state import files
from lookalike.web.state.jobs import Report, Work

ReadPixels = Callable[[bytes], bytes]  # an encoded image → what is the same for the same pixels
Inspect = Callable[[bytes], Evidence]
Found = TypeVar("Found")


class Part(NamedTuple):
    """A group, and how far it is decided."""

    group: Group
    state: State


class ReviewState(NamedTuple):
    """The groups by what is decided now."""

    parts: list[Part]
    counts: dict[State, int]  # number of groups
    images: int
    known: DecisionIndex


class Page(NamedTuple):
    """Some groups, and the id of the image that the next page begins with."""

    parts: list[Part]
    next: int | None


class Reviews:
    """What was last asked for."""

    def __init__(self) -> None:
        self.pixels: dict[bytes, bytes] = {}  # by the digest of the content, of all that was read
        self.facts: dict[bytes, Facts] = {}  # as well
        self._lock = threading.Lock()
        self._kept: tuple[Comparison, int, ReviewState] | None = None

    def standing(self, database: AnyDatabase, found: Comparison) -> ReviewState:
        """The groups as they are now. Called by threads."""
        with self._lock:
            version = database.decisions.version
            if self._kept is None or self._kept[0] is not found or self._kept[1] != version:
                self._kept = found, version, stand(database, found)
            return self._kept[2]

    def reading(self, found: Comparison, read: ReadPixels, inspect: Inspect) -> Work:
        """Work that reads the images that may have the same pixels, and those of which one is the best copy."""

        def work(database: AnyDatabase, report: Report) -> bool:
            groups = [part.group for part in stand(database, found).parts]
            records = database.records_of([one.id for group in groups for one in group])
            of_groups = review.records_of(groups, records)
            alike = inspection.may_share_pixels(of_groups) - self.pixels.keys()
            unknown = [
                group
                for group in inspection.to_inspect(of_groups)
                if any(one.digest not in self.facts or one.digest in alike for one in group)
            ]

            def seen(record: Record) -> Seen:
                pixels = _of_content(database, record, read) if record.digest in alike else None
                return Seen(pixels, _of_content(database, record, inspect))

            pixels, facts = inspection.read_with(unknown, seen, lambda _, done, total: report(done, total or 0))
            self.pixels |= pixels
            self.facts |= facts
            return True

        return work

    def plan(self, database: AnyDatabase, found: Comparison, options: plans.PlanOptions, *, table: bool) -> bytes:
        """The plan for all groups, as JSON or as a table. Called by threads."""
        standing = self.standing(database, found)
        groups = [part.group for part in standing.parts]
        records = database.records_of([one.id for group in groups for one in group])
        inspected = Inspection(dict(self.pixels), dict(self.facts))
        reviews = review.review_groups(groups, Context(records, standing.known, inspected, options.prefer))
        made = plans.make(reviews, options, database=str(database.path), radius=found.radius, bits=database.bits)
        text = plan_file.to_csv(made) if table else plan_file.to_json(made)
        return text.encode("utf-8", "surrogateescape")


def _of_content(database: AnyDatabase, record: Record, read: Callable[[bytes], Found]) -> Found | None:
    """What is told of an image as it was indexed; nothing of one that cannot be read."""
    try:
        content = files.read(database.path, record)
        return read(content) if data.content_digest(content) == record.digest else None
    except (Problem, LookalikeError):
        return None


def compare(database: AnyDatabase, report: Report, radius: int) -> Comparison:
    """All pairs of copies of a database, whatever was decided."""

    def progress(stage: str, done: int, total: int | None) -> None:
        report(done + (total or 0) * (stage == "verifying"), 2 * (total or 0))

    return database.compare(DuplicateSearch(radius=radius), progress=progress)


def stand(database: AnyDatabase, found: Comparison) -> ReviewState:
    """The groups by what is decided now."""
    known = database.decisions.known()
    groups = database.group(found).groups
    records = database.records_of([one.id for group in groups for one in group])
    digests = {id_: record.digest for id_, record in records.items()}
    parts = [Part(group, known.state([digests.get(one.id) for one in group])) for group in groups]
    counts = Counter(part.state for part in parts)
    return ReviewState(parts, {state: counts[state] for state in State}, sum(len(group) for group in groups), known)


def page(standing: ReviewState, *, start: int | None, top: int, state: State | None) -> Page:
    """At most `top` groups, from the one that begins with an image on."""
    firsts = [part.group[0].id for part in standing.parts]
    begin = 0 if start is None else firsts.index(start) if start in firsts else len(firsts)
    fitting = [part for part in standing.parts[begin:] if state in (None, part.state)]
    following = fitting[top].group[0].id if len(fitting) > top else None
    return Page(fitting[:top], following)
