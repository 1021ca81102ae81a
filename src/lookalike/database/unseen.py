"""What becomes of the images that an indexing did not meet: gone, left out from now on, or out of reach."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lookalike.core.mounts import Mounts
from lookalike.data import LeavingOut, Survey, companion_names
from lookalike.data.leaving_out import DATABASES, HIDDEN
from lookalike.database.reachability import Judged, Reachability
from lookalike.store.catalog import Catalog, Record
from lookalike.store.surroundings import Unreachable


@dataclass
class Settled:
    """What became of them."""

    gone: int = 0  # they are marked as missing
    dropped: int = 0  # they are in the catalog no more, since they are left out
    unreachable: list[Unreachable] = field(default_factory=list)


def settle(
    catalog: Catalog,
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
    unseen = {id_ for scope in scopes for id_ in catalog.below(scope)} - seen
    records = catalog.records(sorted(unseen))
    judged = reach.judge(records.values())
    dropped = _left_out(records.values(), judged, survey, scopes)
    places = _merged([*judged.places(), *unread], survey)
    with catalog.transaction():
        _mark(catalog, judged, records, but=dropped)
        if dropped:
            catalog.delete(sorted(dropped))  # the originals that are kept of them stay
            catalog.touch()
        catalog.surroundings.set_unreachable(places, within=[] if survey.is_partial else scopes)
        mounts = Mounts()
        for scope, walked in survey.walked.items():
            catalog.set_root(scope, mounts.of(scope))
            if not survey.is_partial:
                catalog.surroundings.set_left_out(scope, walked.left_out)
    coded = sum(records[id_].code is not None for id_ in dropped)
    return Settled(len(judged.gone - dropped), coded, places)


def mark_moved(catalog: Catalog, records: Iterable[Record]) -> None:
    """Mark images whose files were just moved away, and unmark those whose files are back."""
    known = {record.id: record for record in records}
    there = {id_: os.path.lexists(record.item.file) for id_, record in known.items()}
    judged = Judged(here={i for i, one in there.items() if one}, gone={i for i, one in there.items() if not one})
    with catalog.transaction():
        _mark(catalog, judged, known, but=set())


def _mark(catalog: Catalog, judged: Judged, records: dict[int, Record], *, but: set[int]) -> None:
    marked = {record.id for record in records.values() if record.missing_since}
    lost, back = judged.gone - marked - but, judged.here & marked - but
    if lost or back:
        catalog.set_missing(lost, missing=True)
        catalog.set_missing(back, missing=False)
        catalog.touch()


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
