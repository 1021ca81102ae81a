"""The search for duplicates, stage by stage.

    candidate pairs   codes near each other, or near a variant's      `proposals.propose`
    verification      keeps pairs whose pictures are copies           `verification.verify`
    decisions         drops pairs that users marked as different      `decisions.without_different`
    groups            stars, or copies of a reference                 `groups.stars`, `leakage.matches`
    same scene        bursts and series                               `scenes.linked`

`compare` runs the first two stages, which are slow and independent of decisions; `group` runs the others.
`review.review_groups` and `cleanup.plan.make` come next.

Shapes: N images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lookalike.core.progress import Progress, silent
from lookalike.duplicates import equal_bytes, leakage, proposals, scenes, variant_codes
from lookalike.duplicates.decisions import DecisionIndex, Marked, without_different
from lookalike.duplicates.graph import Graph, candidates
from lookalike.duplicates.groups import stars
from lookalike.duplicates.leakage import Parts
from lookalike.duplicates.members import by_row, groups_of, spans_folders
from lookalike.duplicates.request import DuplicateReport, DuplicateSearch, LeakageReport, Strictness
from lookalike.duplicates.verification import Verification, Verified, verify
from lookalike.hasher import Hasher
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.derived.verdicts import verifying
from lookalike.store.protocol import Store

BLOCK = 10_000  # records read at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Pairs of copies, regardless of decisions."""

    search: DuplicateSearch
    radius: int  # bits within which images that cannot be verified count as copies
    codes: CodeArray  # of the images compared by code
    verified: Verified
    equal: dict[int, bytes]  # digests, by id, of images compared only by content
    parts: Parts | None = None  # if comparing with a reference


def compare(
    store: Store,
    codes: CodeArray,
    search: DuplicateSearch,
    *,
    radius: int,
    hasher: Callable[[], Hasher],
    parts: Parts | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Pairs of copies, and what is compared only by content; `hasher` encodes variants."""
    blank = {} if search.include_blank else store.low_information()
    compared_N = ~np.isin(codes.ids_N, np.fromiter(blank, np.int64, len(blank)))
    equal = {**blank, **equal_bytes.undecodable(store, repeated=parts is None)}
    if parts is not None:
        compared_N &= np.isin(codes.ids_N, list(parts.reference | parts.others))
        equal = {id_: digest for id_, digest in equal.items() if id_ in parts.reference or id_ in parts.others}
    if not compared_N.all():
        codes = CodeArray(codes.ids_N[compared_N], codes.codes_NW[compared_N])
    if not search.verify:
        verified = Verified(candidates(codes.codes_NW, radius, progress=progress))
    else:
        verified = _verified(store, codes, search, radius, hasher, parts, progress)
    return Comparison(search=search, radius=radius, codes=codes, verified=verified, equal=equal, parts=parts)


def _verified(
    store: Store, codes: CodeArray, search: DuplicateSearch, radius: int, hasher: Callable[[], Hasher],
    parts: Parts | None, progress: Progress,
) -> Verified:  # fmt: skip
    """The verified candidate pairs."""
    digests = _digests(store, codes)
    near = candidates(codes.codes_NW, radius if None in digests else None, progress=progress)
    contents = proposals.contents_of(near, digests)
    first_C = contents.images.rows[contents.images.starts[:-1]]
    unique_UW = codes.codes_NW[near.images.rows[near.images.starts[:-1]]]
    sides_C2 = None
    if parts is not None and len(first_C):
        reference_N = parts.marks(codes.ids_N)[contents.images.rows]
        sides = (reference_N, ~reference_N)
        sides_C2 = np.stack([np.logical_or.reduceat(one, contents.images.starts[:-1]) for one in sides], axis=1)
    reach, variants = proposals.reach_of(search.strictness, 8 * codes.codes_NW.shape[1], search.radius), {}
    if reach.variants is not None:
        those = variant_codes.read(store, codes, hasher, progress=progress)
        rows = dict(zip(those.ids_M.tolist(), those.codes_MVW, strict=True))
        ids = codes.ids_N[first_C].tolist()
        variants = {content: rows[id_] for content, id_ in enumerate(ids) if id_ in rows}
    found = proposals.propose(contents, unique_UW, reach, variants=variants, sides_C2=sides_C2)
    is_strict = search.strictness is Strictness.STRICT
    with verifying(store, max_pixels=search.max_pixels) as verifier:
        work = Verification(verifier, contents, codes, radius=radius, is_strict=is_strict)
        return verify(work, found, unknown=near, sides_C2=sides_C2, progress=progress)


def _digests(store: Store, codes: CodeArray) -> list[bytes | None]:
    """The digest of each image, if known."""
    found: list[bytes | None] = []
    for start in range(0, len(codes.ids_N), BLOCK):
        ids = codes.ids_N[start : start + BLOCK].tolist()
        records = store.records(ids)
        found += [records[id_].digest if id_ in records else None for id_ in ids]
    return found


def group(store: Store, found: Comparison, index: DecisionIndex) -> DuplicateReport:
    """Groups of copies, without pairs that were marked as different."""
    ids_N = found.codes.ids_N
    graph, marked = _decided(store, found, index)
    if found.parts is not None:
        groups = leakage.groups(leakage.matches(store, graph, ids_N, found.equal, found.parts))
    else:
        groups = groups_of(store, ids_N, stars(graph, by_row(ids_N, store.names), marked))
        groups += equal_bytes.groups(store, found.equal)
    kept = [one for one in groups if spans_folders(one)] if found.search.not_same_folder else groups
    return DuplicateReport(
        groups=sorted(kept, key=lambda group: group[0].path),
        within_one_folder=len(groups) - len(kept),
        radius=found.radius,
        same_scene=scenes.linked(store, found.verified, ids_N),
        rejected_pairs=found.verified.rejected,
        unverified=found.verified.unverified,
        unverified_pairs=found.verified.unverified_pairs,
        references=frozenset() if found.parts is None else found.parts.reference,
    )


def leaked(store: Store, found: Comparison, index: DecisionIndex) -> LeakageReport:
    """Images of the second part that have a copy in the first."""
    assert found.parts is not None
    graph, _ = _decided(store, found, index)
    return LeakageReport(
        first=len(found.parts.reference),
        second=len(found.parts.others),
        matches=leakage.matches(store, graph, found.codes.ids_N, found.equal, found.parts),
        radius=found.radius,
        rejected_pairs=found.verified.rejected,
        unverified=found.verified.unverified,
        unverified_pairs=found.verified.unverified_pairs,
    )


def _decided(store: Store, found: Comparison, index: DecisionIndex) -> tuple[Graph, Marked]:
    digests = by_row(found.codes.ids_N, lambda ids: {id_: one.digest for id_, one in store.records(ids).items()})
    return without_different(found.verified.graph, digests, DecisionIndex() if found.search.ignore_decisions else index)
