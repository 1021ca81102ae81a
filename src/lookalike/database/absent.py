"""Images that are not where they were: what indexing did not meet, what `prune` forgets, and what people remove."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from lookalike.core.errors import DatabaseError
from lookalike.core.mounts import Mounts
from lookalike.data import Item, LeavingOut, Survey, companion_names
from lookalike.data.leaving_out import DATABASES, HIDDEN
from lookalike.database.reachability import Judged, Reachability
from lookalike.duplicates.cleanup.apply import Outcome, Step
from lookalike.store import originals as kept
from lookalike.store.folder import LOST
from lookalike.store.protocol import Store
from lookalike.store.records import Record
from lookalike.store.surroundings import Unreachable

NAMED = 5  # images of a root that are named


@dataclass
class Settled:
    """What became of them."""

    gone: int = 0  # they are marked as missing
    dropped: int = 0  # they are not stored any more, since they are left out
    unreachable: list[Unreachable] = field(default_factory=list)


def settle(
    store: Store,
    survey: Survey,
    scopes: Sequence[str],
    seen: set[int],
    reach: Reachability,
    *,
    unread: Iterable[Unreachable],
) -> Settled:
    """Mark what is gone, forget what is left out, and note what is out of reach, of all in the scopes that is unseen.

    `unread` are files that are there and cannot be read.
    """
    unseen = {id_ for scope in scopes for id_ in store.below(scope)} - seen
    records = store.records(sorted(unseen))
    judged = reach.judge(records.values())
    dropped = _left_out(records.values(), judged, survey, scopes)
    places = _merged([*judged.places(), *unread], survey)
    with store.transaction():
        _mark(store, judged, records, but=dropped)
        if dropped:
            store.delete(sorted(dropped))  # the originals that are kept of them stay
            store.touch()
        store.surroundings.set_unreachable(places, within=[] if survey.is_partial else scopes)
        mounts = Mounts()
        for scope, walked in survey.walked.items():
            store.set_root(scope, mounts.of(scope))
            if not survey.is_partial:
                store.surroundings.set_left_out(scope, walked.left_out)
    coded = sum(records[id_].code is not None for id_ in dropped)
    return Settled(len(judged.gone - dropped), coded, places)


def mark_changed(store: Store, steps: Iterable[Step]) -> None:
    """Mark the images whose files a plan, or undoing it, has moved."""
    found = (store.find(step.path) for step in steps if step.outcome is not Outcome.LEFT)
    mark_moved(store, [record for record in found if record is not None])


def mark_moved(store: Store, records: Iterable[Record]) -> None:
    """Mark images whose files were just moved away, and unmark those whose files are back."""
    known = {record.id: record for record in records}
    there = {id_: os.path.lexists(record.item.file) for id_, record in known.items()}
    judged = Judged(here={i for i, one in there.items() if one}, gone={i for i, one in there.items() if not one})
    with store.transaction():
        _mark(store, judged, known, but=set())


def _mark(store: Store, judged: Judged, records: dict[int, Record], *, but: set[int]) -> None:
    marked = {record.id for record in records.values() if record.missing_since}
    lost, back = judged.gone - marked - but, judged.here & marked - but
    if lost or back:
        store.set_missing(lost, missing=True)
        store.set_missing(back, missing=False)
        store.touch()


def _left_out(records: Iterable[Record], judged: Judged, survey: Survey, scopes: Sequence[str]) -> set[int]:
    """Ids of the images that are left out of every folder that was walked and holds them."""
    walked = [scope for scope in scopes if scope in survey.walked]
    companions_in = functools.cache(companion_names)
    found = set()
    for record in records:
        if record.id not in judged.away:
            above = [scope for scope in walked if record.name.startswith(scope.rstrip("/") + "/")]
            if above and all(_is_left_out(record, scope, survey.leave_out, companions_in) for scope in above):
                found.add(record.id)
    return found


def _is_left_out(
    record: Record, scope: str, leave_out: LeavingOut, companions_in: Callable[[str], frozenset[str]]
) -> bool:
    """Whether a walk of a folder passes an image over; what is hidden was named by a person, or it were not known."""
    if record.row is not None:
        return False
    base = record.root if len(record.root) > len(scope) else scope  # a root inside it was named, too
    if leave_out.of_path(base, record.name) not in (None, HIDDEN, DATABASES):
        return True
    folder, name = os.path.split(record.name)
    return name in companions_in(folder)


def _merged(places: Iterable[Unreachable], survey: Survey) -> list[Unreachable]:
    """Each place once, with what the walk could not read."""
    found = {path: Unreachable(path, why, 0) for path, why in survey.unreadable}
    for place in places:
        before = found.get(place.path)
        found[place.path] = place if before is None else before._replace(images=before.images + place.images)
    return [found[path] for path in sorted(found)]


@dataclass
class RootLoss:
    """What is gone of one root."""

    root: str
    known: int = 0  # images of the root in the database
    gone: int = 0
    names: list[str] = field(default_factory=list)  # some of those that are gone

    @property
    def share(self) -> float:
        """Share of the root's images that are gone, 0 to 1."""
        return self.gone / self.known if self.known else 0.0


@dataclass
class Losses:
    """What is gone, and what is only out of reach."""

    ids: list[int]  # of the images that are gone
    roots: list[RootLoss]  # of which some are gone
    unreachable: list[Unreachable]


def losses(store: Store) -> tuple[Losses, Judged]:
    """What is gone of all that is stored. Changes nothing."""
    judged = Reachability(store).judge(store.all_records())
    by_root: dict[str, RootLoss] = {}
    for record in store.all_records():
        loss = by_root.setdefault(record.root, RootLoss(record.root))
        loss.known += 1
        if record.id in judged.gone:
            loss.gone += 1
            if len(loss.names) < NAMED:
                loss.names.append(record.name)
    gone = [loss for _, loss in sorted(by_root.items()) if loss.gone]
    return Losses(sorted(judged.gone), gone, judged.places()), judged


def owed(store: Store, items: Sequence[Item]) -> list[Item]:
    """The images that lost their codes to a change of model, are not among the items, and can be read."""
    named = {item.name for item in items}
    reach = Reachability(store)
    found = (reach.look(record) for record in store.owed() if record.name not in named)
    return [item for item in found if isinstance(item, Item)]


def prune(store: Store, only: Collection[int] | None, *, originals: bool) -> int:
    """Forget the images that are gone, or those of `only` that are; how many."""
    found, judged = losses(store)
    ids = found.ids if only is None else sorted(judged.gone & set(only))
    with store.transaction():
        store.set_missing(sorted(judged.back), missing=False)
        store.surroundings.set_unreachable(found.unreachable, within=["/"])
        store.delete(ids)
        store.touch()
        if originals:
            _forget_originals(store, store.originals())
    _drop_originals(store)
    return len(ids)


def remove(store: Store, paths: Sequence[str], *, originals: bool) -> int:
    """Forget images that a person names; how many. Their originals go where the files are there, or if `originals`."""
    ids: set[int] = set()
    for path in paths:
        found = store.below(path)
        if not found:
            raise DatabaseError(f"{path} is not in {store.place}; paths are listed by: lookalike info --paths")
        ids.update(found)
    records = store.records(sorted(ids)).values()
    going = [record for record in records if originals or os.path.exists(record.item.file)]
    with store.transaction():
        store.delete(sorted(ids))
        store.surroundings.set_unreachable([], within=paths)
        store.touch()
        _forget_originals(store, {record.digest for record in going if record.digest is not None})
    _drop_originals(store)
    return len(ids)


def _forget_originals(store: Store, digests: Iterable[bytes]) -> None:
    """Record that those of the originals that no image has are not kept any more, inside a transaction."""
    store.forget_originals([digest for digest in digests if store.one_with_digest(digest) is None])


def _drop_originals(store: Store) -> None:
    """Delete the originals of which nothing says that they are kept: what came of `_forget_originals`, or of a kill."""
    if store.folder is None or store.get(LOST):  # rows that they belong to may be among what was lost
        return
    recorded = store.originals()
    for digest in kept.digests(store.folder):
        if digest not in recorded and store.one_with_digest(digest) is None:
            kept.drop(store.folder, digest)
