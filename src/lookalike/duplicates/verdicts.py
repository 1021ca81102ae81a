"""What decisions mean for groups of images that look alike.

Images that were decided to be no duplicates of each other are in no group together: a group that holds such is taken
apart, the same way each time. A group whose contents a decision to keep or put off covers is decided; when another
image joins it, it is to be looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum

from lookalike.core.errors import ConfigError, DataError
from lookalike.store.decisions import Decided, Decision, Kind
from lookalike.store.derived.results import Group, Member
from lookalike.store.records import Record

Digests = Mapping[int, bytes | None]  # of images, by id
Regroup = Callable[[Sequence[Member]], list[Group]]  # the groups among some images


class State(StrEnum):
    """How far a group is decided."""

    UNDECIDED = "undecided"
    DECIDED = "decided"
    LATER = "later"


class Known:
    """All decisions, to be asked about contents."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._parts: dict[bytes, dict[int, int]] = {}
        self._about: dict[bytes, dict[int, Decision]] = {}
        self._covered: dict[int, frozenset[bytes]] = {}
        for decision in decisions:
            if decision.kind is Kind.DIFFERENT:
                for one in decision.images:
                    self._parts.setdefault(one.digest, {})[decision.id] = one.part
            else:
                self._covered[decision.id] = frozenset(one.digest for one in decision.images)
                for digest in self._covered[decision.id]:
                    self._about.setdefault(digest, {})[decision.id] = decision

    def is_apart(self, digest: bytes | None) -> bool:
        """Whether something was decided to be no duplicate of this content."""
        return digest in self._parts

    def are_different(self, first: bytes | None, second: bytes | None) -> bool:
        """Whether two contents were decided to be no duplicates; the same content always is."""
        if first == second or first is None or second is None:
            return False
        here, there = self._parts.get(first, {}), self._parts.get(second, {})
        return any(here[id_] != there[id_] for id_ in here.keys() & there.keys())

    def of(self, digests: Collection[bytes | None]) -> Decision | None:
        """The newest decision to keep or put off that covers all of a group's contents."""
        wanted, first = set(digests), next(iter(digests), None)
        about = {} if first is None else self._about.get(first, {})
        fitting = (id_ for id_ in sorted(about, reverse=True) if wanted <= self._covered[id_])
        return next((about[id_] for id_ in fitting if _keeps_some(about[id_], wanted)), None)


def state(decision: Decision | None) -> State:
    """How far a group is decided, if this is the decision about it."""
    if decision is None:
        return State.UNDECIDED
    return State.LATER if decision.kind is Kind.LATER else State.DECIDED


def split(group: Group, digests: Digests, known: Known, regroup: Regroup) -> list[Group]:
    """The groups that a group falls into: what is near its first image and no different from it, then the rest."""
    if sum(known.is_apart(digests.get(one.id)) for one in group) < 2:
        return [group]
    first = _together(group, digests, known)
    taken = {one.id for one in first}
    rest = [one for one in group if one.id not in taken]
    found = [first] if len(first) > 1 else []
    for again in regroup(rest) if len(rest) > 1 else []:
        found += split(again, digests, known, regroup)
    return found


def kept(decision: Decision, records: Sequence[Record]) -> set[int]:
    """The ids of those of a group's images that a decision keeps.

    Of copies of the same bytes those are kept whose paths were named, or all if none was to go. If none lies where it
    did, those are kept that were not named to go: the kept one may be among them under another name.
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


def images(kind: Kind, records: Sequence[Record], chosen: Collection[int]) -> list[Decided]:
    """What a decision about images holds: `chosen` are kept, or are no duplicates of the rest (none: of each other).

    Raises `DataError` for images whose contents are not known, `ConfigError` for a choice that says nothing.
    """
    unknown = [record for record in records if record.digest is None]
    if unknown:
        raise DataError(f"{unknown[0].name} {_unknown(unknown[0])}, then decide")
    if set(chosen) - {record.id for record in records}:
        raise ConfigError(f"chosen is {sorted(chosen)}; it must name images that are decided about")
    if kind is Kind.KEEP and not chosen:
        raise ConfigError("a decision to keep must choose at least one image that is kept")
    if kind is Kind.DIFFERENT and len({record.digest for record in records}) < 2:
        raise ConfigError("images with the same bytes are duplicates; to leave all of them where they are, keep them")
    parts = _parts(kind, records, chosen)
    return [Decided(record.digest or b"", record.name, parts[record.id]) for record in records]


def _unknown(record: Record) -> str:
    """Why an image's content is not known, and what helps."""
    if record.error is not None:
        return f"could not be read ({record.error}); mend that and index it"
    if record.code is not None:
        return "has a code that was made elsewhere, and was never read; index it"
    return "was never read; index it"


def _parts(kind: Kind, records: Sequence[Record], chosen: Collection[int]) -> dict[int, int]:
    if kind is Kind.DIFFERENT and not chosen:
        numbers = {digest: number for number, digest in enumerate(sorted({one.digest or b"" for one in records}))}
        return {record.id: numbers[record.digest or b""] for record in records}
    if kind is Kind.DIFFERENT:  # copies of a chosen one are as different
        contents = {record.digest for record in records if record.id in chosen}
        return {record.id: int(record.digest in contents) for record in records}
    return {record.id: int(kind is Kind.KEEP and record.id in chosen) for record in records}


def _together(group: Group, digests: Digests, known: Known) -> Group:
    """The first image, and in their order those that are no different from any before."""
    taken: Group = []
    for one in group:
        digest = digests.get(one.id)
        if not (known.is_apart(digest) and any(known.are_different(digest, digests.get(other.id)) for other in taken)):
            taken.append(one)
    return taken


def _keeps_some(decision: Decision, digests: set[bytes | None]) -> bool:
    return decision.kind is Kind.LATER or any(one.part and one.digest in digests for one in decision.images)
