"""Absent images: those that indexing did not find, that `prune` removes, or that users remove."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from lookalike.core.errors import DatabaseError
from lookalike.core.mounts import Mounts
from lookalike.data import Item, LeavingOut, Survey, companion_names
from lookalike.data.leaving_out import DATABASES, HIDDEN
from lookalike.database.reachability import Presence, Reachability
from lookalike.duplicates.cleanup.apply import Outcome, Step
from lookalike.store import originals as kept
from lookalike.store.folder import LOST
from lookalike.store.protocol import Store
from lookalike.store.records import Record
from lookalike.store.scan_state import Unreachable

NAMED = 5  # example images listed for each root


@dataclass
class _Settled:
    """The outcome for absent images."""

    gone: int = 0  # marked as missing
    dropped: int = 0  # deleted because they are now excluded
    unreachable: list[Unreachable] = field(default_factory=list)


def settle(
    store: Store,
    survey: Survey,
    scopes: Sequence[str],
    seen: set[int],
    reach: Reachability,
    *,
    unread: Iterable[Unreachable],
) -> _Settled:
    """Mark missing images, delete excluded ones and record unreachable ones, among all unseen images in the scopes.

    `unread` are existing files that could not be read.
    """
    unseen = {id_ for scope in scopes for id_ in store.below(scope)} - seen
    records = store.records(sorted(unseen))
    presence = reach.classify(records.values())
    dropped = _left_out(records.values(), presence, survey, scopes)
    places = _merged([*presence.unreachable(), *unread], survey)
    with store.transaction():
        _mark(store, presence, records, but=dropped)
        if dropped:
            store.delete(sorted(dropped))  # their kept originals stay
            store.touch()
        store.scan_state.set_unreachable(places, within=[] if survey.is_partial else scopes)
        mounts = Mounts()
        for scope, walked in survey.walked.items():
            store.set_root(scope, mounts.of(scope))
            if not survey.is_partial:
                store.scan_state.set_left_out(scope, walked.left_out)
    coded = sum(records[id_].code is not None for id_ in dropped)
    return _Settled(len(presence.gone - dropped), coded, places)


def mark_changed(store: Store, steps: Iterable[Step]) -> None:
    """Mark images whose files were moved by a plan, or by undoing it."""
    records = (store.find(step.path) for step in steps if step.outcome is not Outcome.LEFT)
    _mark_moved(store, [record for record in records if record is not None])


def _mark_moved(store: Store, records: Iterable[Record]) -> None:
    """Mark images whose files have just been moved away, and unmark those whose files are back."""
    known = {record.id: record for record in records}
    there = {id_: os.path.lexists(record.item.file) for id_, record in known.items()}
    presence = Presence(here={i for i, one in there.items() if one}, gone={i for i, one in there.items() if not one})
    with store.transaction():
        _mark(store, presence, known, but=set())


def _mark(store: Store, presence: Presence, records: dict[int, Record], *, but: set[int]) -> None:
    marked = {record.id for record in records.values() if record.missing_since}
    lost, back = presence.gone - marked - but, presence.here & marked - but
    if lost or back:
        store.set_missing(lost, missing=True)
        store.set_missing(back, missing=False)
        store.touch()


def _left_out(records: Iterable[Record], presence: Presence, survey: Survey, scopes: Sequence[str]) -> set[int]:
    """Ids of images that are excluded from every scanned folder above them."""
    walked = [scope for scope in scopes if scope in survey.walked]
    companions_in = functools.cache(companion_names)
    excluded = set()
    for record in records:
        if record.id not in presence.away:
            above = [scope for scope in walked if record.name.startswith(scope.rstrip("/") + "/")]
            if above and all(_is_left_out(record, scope, survey.leave_out, companions_in) for scope in above):
                excluded.add(record.id)
    return excluded


def _is_left_out(
    record: Record, scope: str, leave_out: LeavingOut, companions_in: Callable[[str], frozenset[str]]
) -> bool:
    """Whether a scan of a folder skips an image. A known hidden image was named explicitly, so it does not count."""
    if record.row is not None:
        return False
    base = record.root if len(record.root) > len(scope) else scope  # a root inside it was named explicitly, too
    if leave_out.of_path(base, record.name) not in (None, HIDDEN, DATABASES):
        return True
    folder, name = os.path.split(record.name)
    return name in companions_in(folder)


def _merged(places: Iterable[Unreachable], survey: Survey) -> list[Unreachable]:
    """Unreachable places without duplicates, including those that the scan could not read."""
    merged = {path: Unreachable(path, why, 0) for path, why in survey.unreadable}
    for place in places:
        before = merged.get(place.path)
        merged[place.path] = place if before is None else before._replace(images=before.images + place.images)
    return [merged[path] for path in sorted(merged)]


@dataclass
class _RootLoss:
    """Images gone from one root."""

    root: str
    known: int = 0  # the root's images in the database
    gone: int = 0
    names: list[str] = field(default_factory=list)  # examples

    @property
    def share(self) -> float:
        """Share of the root's images that are gone, 0 to 1."""
        return self.gone / self.known if self.known else 0.0


@dataclass
class Losses:
    """Images that are gone, and places that are only out of reach."""

    ids: list[int]  # of the gone images
    roots: list[_RootLoss]  # with gone images
    unreachable: list[Unreachable]


def losses(store: Store) -> tuple[Losses, Presence]:
    """Everything that is gone or out of reach. Changes nothing."""
    presence = Reachability(store).classify(store.all_records())
    by_root: dict[str, _RootLoss] = {}
    for record in store.all_records():
        loss = by_root.setdefault(record.root, _RootLoss(record.root))
        loss.known += 1
        if record.id in presence.gone:
            loss.gone += 1
            if len(loss.names) < NAMED:
                loss.names.append(record.name)
    gone = [loss for _, loss in sorted(by_root.items()) if loss.gone]
    return Losses(sorted(presence.gone), gone, presence.unreachable()), presence


def lacking_codes(store: Store, items: Sequence[Item]) -> list[Item]:
    """Readable images, not among the items, that lost their codes to a change of model."""
    named = {item.name for item in items}
    reach = Reachability(store)
    results = (reach.look(record) for record in store.lacking_codes() if record.name not in named)
    return [item for item in results if isinstance(item, Item)]


def prune(store: Store, only: Collection[int] | None, *, originals: bool) -> int:
    """Remove images that are gone, optionally only those in `only`; returns how many."""
    report, presence = losses(store)
    ids = report.ids if only is None else sorted(presence.gone & set(only))
    with store.transaction():
        store.set_missing(sorted(presence.back), missing=False)
        store.scan_state.set_unreachable(report.unreachable, within=["/"])
        store.delete(ids)
        store.touch()
        if originals:
            _forget_originals(store, store.originals())
    _drop_originals(store)
    return len(ids)


def remove(store: Store, paths: Sequence[str], *, originals: bool) -> int:
    """Remove images by path; returns how many. Deletes originals of existing files, or all with `originals`."""
    ids: set[int] = set()
    for path in paths:
        below = store.below(path)
        if not below:
            raise DatabaseError(f"{path} is not in {store.location}; list its paths with: lookalike info --paths")
        ids.update(below)
    records = store.records(sorted(ids)).values()
    going = [record for record in records if originals or os.path.exists(record.item.file)]
    with store.transaction():
        store.delete(sorted(ids))
        store.scan_state.set_unreachable([], within=paths)
        store.touch()
        _forget_originals(store, {record.digest for record in going if record.digest is not None})
    _drop_originals(store)
    return len(ids)


def _forget_originals(store: Store, digests: Iterable[bytes]) -> None:
    """Record, inside a transaction, that originals without an image are no longer kept."""
    store.forget_originals([digest for digest in digests if store.one_with_digest(digest) is None])


def _drop_originals(store: Store) -> None:
    """Delete files of originals that are not recorded as kept, after `_forget_originals` or an interruption."""
    if store.folder is None or store.get(LOST):  # their rows may be among the lost ones
        return
    recorded = store.originals()
    for digest in kept.digests(store.folder):
        if digest not in recorded and store.one_with_digest(digest) is None:
            kept.drop(store.folder, digest)
