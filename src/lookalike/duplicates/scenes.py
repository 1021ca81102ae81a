"""Bursts and series: images of one scene, none of which is a copy of another.

Images are linked where pixels say "same scene". Where their files have capture times, a gap of hours ends a scene: the
same room on another day is no burst.

Shapes: W bytes a code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from lookalike.core.codes import Codes
from lookalike.core.progress import Progress, silent
from lookalike.duplicates.cleanup import inspection
from lookalike.duplicates.cleanup.facts import Facts
from lookalike.duplicates.members import groups_of
from lookalike.duplicates.verification import Verified
from lookalike.store.derived.code_array import Ids
from lookalike.store.derived.results import Group
from lookalike.store.protocol import Store
from lookalike.store.records import Record

PAUSE = timedelta(hours=6)  # between two shots of one scene, at most


class _Shot(NamedTuple):
    """An image of a scene, and when it was taken, as "2024-05-01 10:00:00"; "" if its file does not say."""

    record: Record
    taken: str


class Scene(NamedTuple):
    """Images of one scene by the time they were taken, and the one that is proposed as the keeper."""

    images: tuple[_Shot, ...]
    sharpest: Record


def linked(store: Store, found: Verified, ids_N: Ids) -> list[Group]:
    """The images that are linked by pairs of one scene, by path; of copies of one picture only one."""
    near = defaultdict[int, dict[int, int]](dict)
    for first, second, bits in zip(*(column.tolist() for column in found.scenes), strict=True):
        near[first][second] = near[second][first] = bits
    copies = defaultdict[int, set[int]](set)
    for first, second in zip(found.graph.pairs.first.tolist(), found.graph.pairs.second.tolist(), strict=True):
        copies[first].add(second)
        copies[second].add(first)
    groups, seen = [], set[int]()
    for start in sorted(near):
        members, waiting = dict[int, int](), {start: 0}
        while waiting:
            node, bits = waiting.popitem()
            if node not in seen:
                seen |= {node, *copies[node]}
                members[node] = bits
                waiting |= near[node]
        if len(members) > 1:
            groups.append([(int(found.graph.images.of(node)[0]), bits) for node, bits in members.items()])
    by_path = [sorted(one, key=attrgetter("path")) for one in groups_of(store, ids_N, groups)]
    return sorted(by_path, key=lambda one: one[0].path)


def read(groups: Iterable[Group], records: Mapping[int, Record], *, progress: Progress = silent) -> list[Scene]:
    """The scenes, with what their files say; the sharpest image of each is the one with the most fine detail."""
    held = [[records[one.id] for one in group if one.id in records] for group in groups]
    facts = inspection.read(held, pixels=False, progress=progress).facts
    found = []
    for some in held:
        known = {record.id: facts.get(record.digest or b"") for record in some}
        shots = [_Shot(record, one.metadata.date if (one := known[record.id]) else "") for record in some]
        for part in _split(shots):
            those = [shot.record for shot in part]
            sharpest = max(those, key=lambda record: (_fine(known[record.id]), record.length or 0, record.name))
            found.append(Scene(tuple(part), sharpest))
    return found


def _split(shots: Sequence[_Shot]) -> list[list[_Shot]]:
    """Shots in the order they were taken, split where hours lie between two; what is left alone is no scene.

    A shot whose time is not known stays with the one that it is most like.
    """
    dated = sorted((shot for shot in shots if shot.taken), key=lambda shot: (shot.taken, shot.record.name))
    parts: list[list[_Shot]] = []
    for shot in dated:
        if parts and _time(shot) - _time(parts[-1][-1]) <= PAUSE:
            parts[-1].append(shot)
        else:
            parts.append([shot])
    parts = parts or [[]]
    earlier = [list(part) for part in parts]
    for shot in sorted((shot for shot in shots if not shot.taken), key=lambda shot: shot.record.name):
        distances = [min((_bits(shot, other) for other in part), default=0) for part in earlier]
        parts[distances.index(min(distances))].append(shot)
    return [part for part in parts if len(part) > 1]


def _time(shot: _Shot) -> datetime:
    return datetime.fromisoformat(shot.taken)


def _bits(shot: _Shot, other: _Shot) -> int:
    """How many bits of the codes of two images differ."""
    first_W, second_W = _code(shot), _code(other)
    return int(np.bitwise_count(first_W ^ second_W).sum())


def _code(shot: _Shot) -> Codes:
    return np.frombuffer(shot.record.code or b"", np.uint8)


def _fine(facts: Facts | None) -> float:
    """How much detail of the finest kinds an image has."""
    return sum(facts.bands[:2]) if facts else 0.0
