"""Users' decisions about images: making, listing and undoing them, and their effect on candidate pairs and groups.

Images marked as different never share a group: their pairs are dropped before grouping. A group is decided if a
decision to keep or skip covers all of its contents; when another image joins it, it must be reviewed again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from lookalike.core.errors import ConfigError, DataError
from lookalike.duplicates.graph import Graph, chosen, split, split_pairs
from lookalike.search.hits import NO_PAIRS, joined
from lookalike.store.decisions import Decided, Decision, Kind, in_order
from lookalike.store.protocol import Store
from lookalike.store.records import Record

Digests = Callable[[Sequence[int]], Sequence[bytes | None]]  # digests by row


class State(StrEnum):
    """Review state of a group."""

    UNDECIDED = "undecided"
    DECIDED = "decided"
    LATER = "later"


class DecisionIndex:
    """All decisions, indexed by content digest."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._parts: dict[bytes, dict[int, int]] = {}
        self._about: dict[bytes, dict[int, Decision]] = {}
        self._covered: dict[int, frozenset[bytes]] = {}
        self._different: dict[tuple[Decided, ...], Decision] = {}
        for decision in decisions:
            self.add(decision)

    def add(self, decision: Decision) -> None:
        """Add a decision."""
        if decision.kind is Kind.DIFFERENT:
            self._different[decision.images] = decision
            for one in decision.images:
                self._parts.setdefault(one.digest, {})[decision.id] = one.part
        else:
            self._covered[decision.id] = frozenset(one.digest for one in decision.images)
            for digest in self._covered[decision.id]:
                self._about.setdefault(digest, {})[decision.id] = decision

    def in_force(self, kind: Kind, images: Sequence[Decided]) -> Decision | None:
        """A decision in force that says just this."""
        wanted = in_order(images)
        if kind is Kind.DIFFERENT:
            return self._different.get(wanted)
        found = self.of([one.digest for one in wanted])
        return found if found is not None and (found.kind, found.images) == (kind, wanted) else None

    def _has_different(self, digest: bytes | None = None) -> bool:
        """Whether any content was marked as different, or as different from this one."""
        return bool(self._parts) if digest is None else digest in self._parts

    def _are_different(self, first: bytes | None, second: bytes | None) -> bool:
        """Whether two contents were marked as different; never for equal ones."""
        if first == second or first is None or second is None:
            return False
        here, there = self._parts.get(first, {}), self._parts.get(second, {})
        return any(here[id_] != there[id_] for id_ in here.keys() & there.keys())

    def of(self, digests: Collection[bytes | None]) -> Decision | None:
        """The newest decision to keep or skip that covers all of a group's contents."""
        wanted, first = set(digests), next(iter(digests), None)
        about = {} if first is None else self._about.get(first, {})
        fitting = (id_ for id_ in sorted(about, reverse=True) if wanted <= self._covered[id_])
        return next((about[id_] for id_ in fitting if _keeps_some(about[id_], wanted)), None)

    def state(self, digests: Collection[bytes | None]) -> State:
        """The review state of a group with these contents."""
        return state(self.of(digests))


def state(decision: Decision | None) -> State:
    """The review state that a decision gives its group."""
    if decision is None:
        return State.UNDECIDED
    return State.LATER if decision.kind is Kind.LATER else State.DECIDED


class Marked(NamedTuple):
    """Nodes of a graph with contents that were marked as different from others."""

    contents: Mapping[int, bytes]  # by node
    decisions: DecisionIndex

    def differ(self, node: int, others: Iterable[int]) -> bool:
        """Whether a node was marked as different from any of the others."""
        own = self.contents.get(node)
        return own is not None and any(self.decisions._are_different(own, self.contents.get(one)) for one in others)


def without_different(graph: Graph, digests: Digests, index: DecisionIndex) -> tuple[Graph, Marked]:
    """The graph without pairs that were marked as different, and the marked contents, now in nodes of their own."""
    if not index._has_different():
        return graph, Marked({}, index)
    nodes = graph.with_neighbours()
    rows = graph.rows_of(nodes)
    known = {row: one for row, one in zip(rows, digests(rows), strict=True) if one and index._has_different(one)}
    parts: dict[int, dict[bytes | None, list[int]]] = {}
    for node in nodes.tolist():
        for row in graph.images.of(node).tolist():
            parts.setdefault(node, {}).setdefault(known.get(row), []).append(row)
    images, starts = split(graph.images, {node: list(some.values()) for node, some in parts.items()})
    contents = {int(starts[node]) + at: one for node, some in parts.items() for at, one in enumerate(some) if one}
    marked = Marked(contents, index)
    kept = [NO_PAIRS]
    for some in split_pairs(graph.pairs, starts):
        pairs = zip(some.first.tolist(), some.second.tolist(), strict=True)
        alike_P = np.array([not marked.differ(first, [second]) for first, second in pairs], bool)
        kept.append(chosen(some, alike_P))
    return Graph(images, joined(kept)), marked


def kept(decision: Decision, records: Sequence[Record]) -> set[int]:
    """The ids of a group's images that a decision keeps.

    Among images with the same bytes, the decision's paths are kept, or all if it removes none of them. If no kept path
    exists any more, all images that were not to be removed are kept: the kept one may be among them under a new name.
    """
    ids: set[int] = set()
    names = {(one.digest, one.name) for one in decision.images if one.part}
    to_go = {(one.digest, one.name) for one in decision.images if not one.part}
    gone = {digest for digest, _ in to_go}
    for digest in sorted({one.digest for one in decision.images if one.part}):
        here = [record for record in records if record.digest == digest]
        named = [record for record in here if (digest, record.name) in names]
        renamed = [record for record in here if (digest, record.name) not in to_go]
        ids |= {record.id for record in (here if digest not in gone else named or renamed or here)}
    return ids


class Decisions:
    """The decisions of a database, which can be made while another process indexes."""

    def __init__(self, catalog: Store) -> None:
        self._catalog = catalog
        self._turn = threading.Lock()  # a connection has one transaction at a time

    @property
    def version(self) -> int:
        """A number that changes with every decision, by any process."""
        return self._catalog.decisions.version

    def known(self) -> DecisionIndex:
        """All decisions, indexed by content digest."""
        return DecisionIndex(self._catalog.decisions.all())

    def count(self, kind: Kind | None = None) -> int:
        """Number of decisions, optionally of one kind."""
        return self._catalog.decisions.count(kind)

    def find(self, id_: int) -> Decision | None:
        """The decision with this id."""
        return self._catalog.decisions.find(id_)

    def newest(self, *, before: int | None = None, top: int = -1, kind: Kind | None = None) -> list[Decision]:
        """At most `top` decisions (−1: all), newest first, optionally only those before an id or of one kind."""
        return self._catalog.decisions.page(before=before, top=top, kind=kind)

    def ids(self, images: Sequence[Decided]) -> list[int | None]:
        """Current ids of a decision's images: by path, else another image with the same content, else None."""
        found = []
        for one in images:
            records = self._catalog.with_digest(one.digest)
            here = [record.id for record in records if record.name == one.name]
            found.append(next(iter(here or [record.id for record in records]), None))
        return found

    def make(self, kind: Kind | str, ids: Sequence[int], *, chosen: Collection[int] = ()) -> Decision:
        """Decide about images. `keep`: the chosen ones stay, the rest may go; `different`: the chosen ones are not
        duplicates of the rest or, with none chosen, of each other; `later`: skip them for now.

        Raises `DataError` for unknown images and contents, `ConfigError` for a meaningless decision.
        """
        return self.make_all([(kind, ids, chosen)])[0]

    def make_all(self, wanted: Iterable[tuple[Kind | str, Sequence[int], Collection[int]]]) -> list[Decision]:
        """Make decisions (kind, ids, chosen), all or none, as `make` does; one that is in force is not stored again."""
        made = []
        with self._turn, self._catalog.transaction():
            known = self.known()
            for kind, ids, chosen in wanted:
                about = self._checked(kind, ids, chosen)
                decision = known.in_force(Kind(kind), about)
                if decision is None:
                    decision = self._catalog.decisions.add(Kind(kind), about)
                    known.add(decision)
                made.append(decision)
        return made

    def undo(self, *ids: int) -> list[Decision]:
        """Delete decisions, all or none, and return them. Raises `DataError` if there is none with an id."""
        with self._turn, self._catalog.transaction():
            found = [(id_, self._catalog.decisions.find(id_)) for id_ in dict.fromkeys(ids)]
            absent = next((id_ for id_, one in found if one is None), None)
            if absent is not None:
                raise DataError(f"there is no decision {absent}")
            self._catalog.decisions.drop([id_ for id_, _ in found])
        return [one for _, one in found if one is not None]

    def _checked(self, kind: Kind | str, ids: Sequence[int], chosen: Collection[int]) -> list[Decided]:
        """The images of a decision, if it makes sense."""
        if kind not in list(Kind):
            raise ConfigError(f"kind is {kind!r}; it must be one of {', '.join(Kind)}")
        records = self._catalog.records(sorted(set(ids)))
        absent = set(ids) - records.keys()
        if absent:
            raise DataError(f"there is no image {min(absent)}")
        if len(records) < 2:
            raise ConfigError("a decision needs at least two images")
        return _decided(Kind(kind), list(records.values()), set(chosen))


def _decided(kind: Kind, records: Sequence[Record], chosen: Collection[int]) -> list[Decided]:
    """The images of a decision (see `Decisions.make`).

    Raises `DataError` for images whose contents are unknown, `ConfigError` for a meaningless choice.
    """
    unknown = [record for record in records if record.digest is None]
    if unknown:
        raise DataError(f"{unknown[0].name} {_why_unknown(unknown[0])}, then decide")
    if set(chosen) - {record.id for record in records}:
        raise ConfigError(f"chosen is {sorted(chosen)}; they must be among the images of the decision")
    if kind is Kind.KEEP and not chosen:
        raise ConfigError("a decision to keep must choose at least one image")
    if kind is Kind.DIFFERENT and len({record.digest for record in records}) < 2:
        raise ConfigError("images with the same bytes are duplicates; to keep all of them, choose them all")
    parts = _parts(kind, records, chosen)
    return [Decided(record.digest or b"", record.name, parts[record.id]) for record in records]


def _why_unknown(record: Record) -> str:
    """Why an image's content is unknown, and the remedy."""
    if record.error is not None:
        return f"could not be read ({record.error}); fix that and index it"
    if record.code is not None:
        return "has an imported code and was never read; index it"
    return "was never read; index it"


def _parts(kind: Kind, records: Sequence[Record], chosen: Collection[int]) -> dict[int, int]:
    if kind is Kind.DIFFERENT and not chosen:
        numbers = {digest: number for number, digest in enumerate(sorted({one.digest or b"" for one in records}))}
        return {record.id: numbers[record.digest or b""] for record in records}
    if kind is Kind.DIFFERENT:  # this includes exact copies of the chosen ones
        contents = {record.digest for record in records if record.id in chosen}
        return {record.id: int(record.digest in contents) for record in records}
    return {record.id: int(kind is Kind.KEEP and record.id in chosen) for record in records}


def _keeps_some(decision: Decision, digests: set[bytes | None]) -> bool:
    return decision.kind is Kind.LATER or any(one.part and one.digest in digests for one in decision.images)
