"""The search for duplicates, stage by stage.

    candidate pairs   codes within the radius of each other               `graph.candidates`
    verification      drops pairs whose pictures do not match             `verification.verify`
    decisions         drops pairs that people marked as different         `decisions.without_different`
    groups            stars of what is left, or copies of a reference     `groups.stars`, `leakage.matches`

`compare` runs the first two, which take long and do not depend on decisions; `group` the others. `review.review_groups`
and `cleanup.plan.make` come next.

Shapes: N images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lookalike.core.progress import Progress, silent
from lookalike.duplicates import equal_bytes, leakage, oriented_codes
from lookalike.duplicates.decisions import DecisionIndex, Marked, without_different
from lookalike.duplicates.graph import Graph, PairFinder, candidates
from lookalike.duplicates.groups import stars
from lookalike.duplicates.leakage import Parts
from lookalike.duplicates.members import by_row, groups_of
from lookalike.duplicates.oriented_codes import OrientedCodes
from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport
from lookalike.duplicates.verification import Verified, verify
from lookalike.search.all_pairs import pairs_within
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.derived.codefile import RowIds
from lookalike.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Pairs of images that may be copies, whatever was decided about them."""

    search: DuplicateSearch
    radius: int  # bits
    codes: CodeArray  # of the images that were compared by code
    verified: Verified
    equal: dict[int, bytes]  # digests, by id, of what is compared by its bytes alone
    parts: Parts | None = None  # if images are compared with a reference only
    oriented: OrientedCodes | None = None
    unreadable: tuple[str, ...] = ()


def compare(
    store: Store,
    codes: CodeArray,
    search: DuplicateSearch,
    *,
    radius: int,
    parts: Parts | None = None,
    oriented: OrientedCodes | None = None,
    find: PairFinder = pairs_within,
    progress: Progress = silent,
) -> Comparison:
    """The pairs of images within the radius whose pictures match, and what is compared by its bytes."""
    blank = {} if search.include_blank else store.plain()
    compared_N = ~np.isin(codes.ids_N, np.fromiter(blank, np.int64, len(blank)))
    equal = {**blank, **equal_bytes.undecodable(store, repeated=parts is None)}
    if parts is not None:
        compared_N &= np.isin(codes.ids_N, list(parts.reference | parts.others))
        equal = {id_: digest for id_, digest in equal.items() if id_ in parts.reference or id_ in parts.others}
    if not compared_N.all():
        codes = CodeArray(RowIds(codes.ids_N[compared_N]), codes.codes_NW[compared_N])
    if oriented is not None:
        oriented = oriented.without(blank)
        find = oriented_codes.finder(oriented, find)
    graph = candidates(codes.codes_NW, radius, find=find, progress=progress)
    verified = Verified(graph)
    if search.verify:
        reference_N = None if parts is None else parts.marks(codes.ids_N)
        verified = verify(
            graph, by_row(codes.ids_N, store.reliefs), any_orientation=search.orientations, reference_N=reference_N,
            progress=progress,
        )  # fmt: skip
    return Comparison(
        search=search, radius=radius, codes=codes, verified=verified, equal=equal, parts=parts, oriented=oriented,
        unreadable=() if oriented is None else oriented.unreadable,
    )  # fmt: skip


def group(store: Store, found: Comparison, index: DecisionIndex) -> DuplicateReport:
    """Groups of copies, as far as they were not marked as different."""
    ids_N = found.codes.ids_N
    graph, marked = _decided(store, found, index)
    if found.parts is not None:
        groups = leakage.groups(leakage.matches(store, graph, ids_N, found.equal, found.parts))
    else:
        groups = groups_of(store, ids_N, stars(graph, by_row(ids_N, store.names), marked))
        if found.oriented is not None:
            groups = [oriented_codes.with_orientations(one, found.oriented, found.codes) for one in groups]
        groups += equal_bytes.groups(store, found.equal)
    return DuplicateReport(
        groups=sorted(groups, key=lambda group: group[0].path),
        radius=found.radius,
        rejected_pairs=found.verified.rejected,
        unverified=found.verified.unverified,
        unreadable=found.unreadable,
        references=frozenset() if found.parts is None else found.parts.reference,
    )


def leaked(store: Store, found: Comparison, index: DecisionIndex) -> LeakageReport:
    """The images of the second part that have a copy in the first."""
    assert found.parts is not None
    graph, _ = _decided(store, found, index)
    return LeakageReport(
        first=len(found.parts.reference),
        second=len(found.parts.others),
        matches=leakage.matches(store, graph, found.codes.ids_N, found.equal, found.parts),
        radius=found.radius,
        rejected_pairs=found.verified.rejected,
        unverified=found.verified.unverified,
    )


def _decided(store: Store, found: Comparison, index: DecisionIndex) -> tuple[Graph, Marked]:
    digests = by_row(found.codes.ids_N, lambda ids: {id_: one.digest for id_, one in store.records(ids).items()})
    return without_different(found.verified.graph, digests, DecisionIndex() if found.search.ignore_decisions else index)
