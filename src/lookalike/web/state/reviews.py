"""Groups as they are after what was decided, and what is known of their files; kept between requests."""

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
from lookalike.duplicates.cleanup import inspection, plan_file
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.cleanup.inspection import Inspection, Seen
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
from lookalike.store.derived.codefile import RowIds
from lookalike.store.records import Record
from lookalike.web.http.problems import Problem
from lookalike.web.state import files
from lookalike.web.state.jobs import Report, Task

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


class Reviews:
    """What was last asked for."""

    def __init__(self) -> None:
        self.pixels: dict[bytes, bytes] = {}  # by the digest of the content, of all that was read
        self.facts: dict[bytes, Facts] = {}  # as well
        self._lock = threading.Lock()
        self._learnt: Inspection | None = None
        self._kept: tuple[Comparison, int, ReviewState] | None = None

    def standing(self, database: Database, found: Comparison) -> ReviewState:
        """The groups as they are now. Called by threads."""
        with self._lock:
            version = database.decisions.version
            if self._kept is None or self._kept[0] is not found or self._kept[1] != version:
                self._kept = found, version, stand(database, found)
            return self._kept[2]

    def learn(self, found: Inspection) -> None:
        """Add what was read of files, here or by another process."""
        if found is not self._learnt:
            self.pixels |= found.pixels
            self.facts |= found.facts
            self._learnt = found

    def inspecting(self, found: Comparison, read: ReadPixels, inspect: Inspect) -> Task:
        """Work that reads the images that may have the same pixels, and those of which one is the best copy."""

        def run(database: Database, report: Report) -> Inspection:
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
                content = _content(database, record)
                return Seen(_told(read, content if record.digest in alike else None), _told(inspect, content))

            pixels, facts = inspection.read_with(unknown, seen, lambda _, done, total: report(done, total or 0))
            pixels, facts = {**self.pixels, **pixels}, {**self.facts, **facts}
            with database.judging() as judge:  # so that the page finds verdicts that are kept
                review.review_groups(groups, Context(records, DecisionIndex(), Inspection(pixels, facts), judge=judge))
            there = {one.digest for group in of_groups for one in group if one.digest is not None}
            return Inspection(
                {key: pixels[key] for key in there & pixels.keys()}, {key: facts[key] for key in there & facts.keys()}
            )

        return Task(f"inspection-{found.radius}.json", run, _dump_inspection, _load_inspection)

    def plan(self, database: Database, found: Comparison, options: plans.PlanOptions, *, table: bool) -> bytes:
        """The plan for all groups, as JSON or as a table. Called by threads."""
        standing = self.standing(database, found)
        groups = [part.group for part in standing.parts]
        records = database.records_of([one.id for group in groups for one in group])
        inspected = Inspection(dict(self.pixels), dict(self.facts))
        context = Context(records, standing.known, inspected, options.prefer)
        reviews = judged(database, groups, context)
        made = plans.make(reviews, options, database=str(database.path), radius=found.radius, bits=database.bits)
        text = plan_file.to_csv(made) if table else plan_file.to_json(made)
        return text.encode("utf-8", "surrogateescape")


def _content(database: Database, record: Record) -> bytes | None:
    """An encoded image as it was indexed; None if it cannot be read."""
    try:
        content = files.read(database.path, record)
    except Problem:
        return None
    return content if data.content_digest(content) == record.digest else None


def _told(read: Callable[[bytes], Found], content: bytes | None) -> Found | None:
    try:
        return None if content is None else read(content)
    except (Problem, LookalikeError):
        return None


def judged(database: Database, groups: Sequence[Group], context: Context) -> list[Review]:
    """What is known of groups; verdicts on pairs that were not yet looked at are made now. Called by threads."""
    with database.judging() as judge:
        return review.review_groups(groups, context._replace(judge=judge))


def comparing(strictness: Strictness, radius: int | None) -> Task:
    """Work that finds all pairs of copies, whatever was decided about them."""

    def run(database: Database, report: Report) -> Comparison:
        def progress(stage: str, done: int, total: int | None) -> None:
            report(done + (total or 0) * (stage == "verifying"), 2 * (total or 0))

        return database.compare(DuplicateSearch(strictness=strictness, radius=radius), progress=progress)

    return Task(f"duplicates-{strictness if radius is None else radius}.npz", run, _dump_comparison, _load_comparison)


def _dump_comparison(found: Comparison) -> bytes:
    images, pairs = found.verified.graph
    equal = {id_: digest.hex() for id_, digest in found.equal.items()}
    about = [found.radius, found.verified.rejected, found.verified.unverified, equal]
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
        radius, rejected, unverified, equal = json.loads(held["about"].tobytes())
        scenes = (held["scenes"][0], held["scenes"][1], held["scenes"][2].astype(np.int32))
        graph = Graph(Csr(held["starts"], held["rows"]), Pairs(held["first"], held["second"], held["distances"]))
        return Comparison(
            search=DuplicateSearch(radius=radius),
            radius=radius,
            codes=CodeArray(RowIds(held["ids"]), held["codes"]),
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


def stand(database: Database, found: Comparison) -> ReviewState:
    """The groups by what is decided now."""
    known = database.decisions.known()
    groups = database.group(found).groups
    records = database.records_of([one.id for group in groups for one in group])
    digests = {id_: record.digest for id_, record in records.items()}
    parts = [Part(group, known.state([digests.get(one.id) for one in group])) for group in groups]
    counts = Counter(part.state for part in parts)
    return ReviewState(parts, {state: counts[state] for state in State}, sum(len(group) for group in groups), known)


def page(standing: ReviewState, *, start: int | None, top: int, state: State | None) -> tuple[list[Part], int | None]:
    """At most `top` groups from the one that begins with image `start` on, and the image the next page begins with."""
    firsts = [part.group[0].id for part in standing.parts]
    begin = 0 if start is None else firsts.index(start) if start in firsts else len(firsts)
    fitting = [part for part in standing.parts[begin:] if state in (None, part.state)]
    following = fitting[top].group[0].id if len(fitting) > top else None
    return fitting[:top], following
