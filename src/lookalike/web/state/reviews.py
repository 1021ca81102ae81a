"""Groups with current decisions, and facts about their files, cached between requests."""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import NamedTuple, TypeVar

import numpy as np
from pydantic import TypeAdapter

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.database import Database, Group
from lookalike.duplicates import review
from lookalike.duplicates.cleanup import inspection
from lookalike.duplicates.cleanup.best_copy import Preference
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.cleanup.inspection import InspectedFile, Inspection
from lookalike.duplicates.decisions import DecisionIndex, State
from lookalike.duplicates.graph import Graph
from lookalike.duplicates.request import DuplicateSearch, Strictness
from lookalike.duplicates.review import Context, Review
from lookalike.duplicates.search import Comparison
from lookalike.duplicates.verification import Verified
from lookalike.imaging.evidence import Evidence
from lookalike.search.csr import Csr
from lookalike.search.hits import Pairs
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.records import Record
from lookalike.web.http.problems import Problem
from lookalike.web.state import files
from lookalike.web.state.jobs import Job, Report

ReadPixels = Callable[[bytes], bytes]  # encoded image → pixel digest
Inspect = Callable[[bytes], Evidence]
Found = TypeVar("Found")


class GroupEntry(NamedTuple):
    """A group and its review state."""

    group: Group
    state: State


class ReviewState(NamedTuple):
    """All groups, according to current decisions."""

    entries: list[GroupEntry]
    counts: dict[State, int]  # number of groups
    images: int
    known: DecisionIndex


class Reviews:
    """Cached review state and file inspections."""

    def __init__(self) -> None:
        self.pixels: dict[bytes, bytes] = {}  # by content digest, of all files read so far
        self.facts: dict[bytes, Facts] = {}  # likewise
        self._lock = threading.Lock()
        self._added: Inspection | None = None
        self._kept: tuple[Comparison, int, ReviewState] | None = None
        self._reviewed: dict[tuple[int, ...], Review] = {}  # by a group's ids
        self._reviewed_with: tuple[Comparison, Inspection | None, Sequence[Preference]] | None = None

    def current(self, database: Database, found: Comparison) -> ReviewState:
        """The groups according to current decisions; thread-safe."""
        with self._lock:
            version = database.decisions.version
            if self._kept is None or self._kept[0] is not found or self._kept[1] != version:
                self._kept = found, version, review_state(database, found)
            return self._kept[2]

    def all(self, database: Database, found: Comparison, prefer: Sequence[Preference]) -> list[Review]:
        """Reviews of all groups, once their files have been inspected; thread-safe.

        After a decision, only the groups that it concerns are reviewed again.
        """
        current = self.current(database, found)
        with self._lock:
            made_with = (found, self._added, prefer)
            before = self._reviewed_with
            if before is None or (before[0] is not found or before[1] is not self._added or before[2] != prefer):
                self._reviewed, self._reviewed_with = {}, made_with
            known = self._reviewed
            groups = [entry.group for entry in current.entries if not self._holds(entry, current.known)]
            records = database.records_of([one.id for group in groups for one in group])
            context = Context(records, current.known, Inspection(dict(self.pixels), dict(self.facts)), prefer)
            for review in judged(database, groups, context) if groups else ():
                known[tuple(one.record.id for one in review.images)] = review
            keys = [tuple(one.id for one in entry.group) for entry in current.entries]
            self._reviewed = {key: known[key] for key in keys if key in known}
            return list(self._reviewed.values())

    def preliminary(
        self, database: Database, current: ReviewState, groups: Sequence[Group], prefer: Sequence[Preference]
    ) -> list[Review]:
        """Reviews of some groups before all files were read; verifies pairs without a cached verdict. Thread-safe."""
        records = database.records_of([one.id for group in groups for one in group])
        return judged(database, groups, Context(records, current.known, Inspection(self.pixels, self.facts), prefer))

    def _holds(self, entry: GroupEntry, known: DecisionIndex) -> bool:
        """Whether a group's review is still that of current decisions."""
        review = self._reviewed.get(tuple(one.id for one in entry.group))
        return review is not None and review.decision == known.of([one.record.digest for one in review.images])

    def add(self, found: Inspection) -> None:
        """Add an inspection, by this process or another."""
        if found is not self._added:
            self.pixels |= found.pixels
            self.facts |= found.facts
            self._added = found

    def inspecting(self, found: Comparison, read: ReadPixels, inspect: Inspect) -> Job:
        """The job that reads images that may share pixels, and candidates for the best copy."""

        def run(database: Database, report: Report) -> Inspection:
            groups = [entry.group for entry in review_state(database, found).entries]
            records = database.records_of([one.id for group in groups for one in group])
            of_groups = review.records_of(groups, records)
            alike = inspection.may_share_pixels(of_groups) - self.pixels.keys()
            unknown = [
                group
                for group in inspection.to_inspect(of_groups)
                if any(one.digest not in self.facts or one.digest in alike for one in group)
            ]

            def seen(record: Record) -> InspectedFile:
                content = _content(database, record)
                return InspectedFile(_try(read, content if record.digest in alike else None), _try(inspect, content))

            pixels, facts = inspection.read_with(unknown, seen, lambda _, done, total: report(done, total or 0))
            pixels, facts = {**self.pixels, **pixels}, {**self.facts, **facts}
            with database.judging() as judge:  # caches the verdicts that the page needs
                review.review_groups(groups, Context(records, DecisionIndex(), Inspection(pixels, facts), judge=judge))
            there = {one.digest for group in of_groups for one in group if one.digest is not None}
            return Inspection(
                {key: pixels[key] for key in there & pixels.keys()}, {key: facts[key] for key in there & facts.keys()}
            )

        kind = found.search.strictness if found.search.radius is None else found.radius
        return Job(f"inspection-{kind}.json", run, _dump_inspection, _load_inspection)


def _content(database: Database, record: Record) -> bytes | None:
    """An image's bytes, if they are still as indexed; None otherwise."""
    try:
        content = files.read(database.path, record)
    except Problem:
        return None
    return content if data.content_digest(content) == record.digest else None


def _try(read: Callable[[bytes], Found], content: bytes | None) -> Found | None:
    try:
        return None if content is None else read(content)
    except (Problem, LookalikeError):
        return None


def judged(database: Database, groups: Sequence[Group], context: Context) -> list[Review]:
    """Reviews of groups; verifies pairs without a cached verdict. Thread-safe."""
    with database.judging() as judge:
        return review.review_groups(groups, context._replace(judge=judge))


def comparing(strictness: Strictness, radius: int | None) -> Job:
    """The job that finds all pairs of copies, regardless of decisions."""

    def run(database: Database, report: Report) -> Comparison:
        def progress(stage: str, done: int, total: int | None) -> None:
            report(done + (total or 0) * (stage == "verifying"), 2 * (total or 0))

        return database.compare(DuplicateSearch(strictness=strictness, radius=radius), progress=progress)

    return Job(f"duplicates-{strictness if radius is None else radius}.npz", run, _dump_comparison, _load_comparison)


def _dump_comparison(found: Comparison) -> bytes:
    images, pairs = found.verified.graph
    equal = {id_: digest.hex() for id_, digest in found.equal.items()}
    about = [
        found.search.strictness, found.search.radius, found.radius, found.verified.rejected, found.verified.unverified,
        equal,
    ]  # fmt: skip
    scenes = found.verified.scenes
    file = io.BytesIO()
    np.savez(
        file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), ids=found.codes.ids_N,
        codes=found.codes.codes_NW, starts=images.starts, rows=images.rows, first=pairs.first, second=pairs.second,
        distances=pairs.distances, scenes=np.stack([scenes.first, scenes.second, scenes.distances]),
    )  # fmt: skip
    return file.getvalue()


def _load_comparison(content: bytes) -> Comparison:
    with np.load(io.BytesIO(content), allow_pickle=False) as held:
        strictness, asked, radius, rejected, unverified, equal = json.loads(held["about"].tobytes())
        scenes = (held["scenes"][0], held["scenes"][1], held["scenes"][2].astype(np.int32))
        graph = Graph(Csr(held["starts"], held["rows"]), Pairs(held["first"], held["second"], held["distances"]))
        return Comparison(
            search=DuplicateSearch(strictness=Strictness(strictness), radius=asked),
            radius=radius,
            codes=CodeArray(held["ids"], held["codes"]),
            verified=Verified(graph, Pairs(*scenes), rejected, unverified),
            equal={int(id_): bytes.fromhex(digest) for id_, digest in equal.items()},
        )


def _dump_inspection(found: Inspection) -> bytes:
    pixels = {key.hex(): value.hex() for key, value in found.pixels.items()}
    facts = {key.hex(): asdict(value) for key, value in found.facts.items()}
    return json.dumps([pixels, facts]).encode()


def _load_inspection(content: bytes) -> Inspection:
    pixels, facts = json.loads(content)
    known = TypeAdapter(dict[str, Facts]).validate_python(facts)
    return Inspection(
        {bytes.fromhex(key): bytes.fromhex(value) for key, value in pixels.items()},
        {bytes.fromhex(key): value for key, value in known.items()},
    )


def review_state(database: Database, found: Comparison) -> ReviewState:
    """All groups, according to current decisions."""
    known = database.decisions.known()
    groups = database.group(found).groups
    records = database.records_of([one.id for group in groups for one in group])
    digests = {id_: record.digest for id_, record in records.items()}
    entries = [GroupEntry(group, known.state([digests.get(one.id) for one in group])) for group in groups]
    counts = Counter(entry.state for entry in entries)
    return ReviewState(entries, {state: counts[state] for state in State}, sum(len(group) for group in groups), known)
