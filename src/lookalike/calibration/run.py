"""Calibration of a database: distance thresholds measured on pairs of its images and on edited copies.

A large collection is sampled; files with the same bytes count once, low-information images not at all. All pairs are
counted by distance. The nearest pairs include unlabelled duplicates, so pairs are checked, nearest first, until more
are different than the accepted rate allows:

    equal       same pixels after reduction: excluded
    suspected   thumbnail vectors correlate by 0.98 or more: excluded and listed, with their effect on the rate
    different   all others, including unreadable images

Labels take precedence. If there are too many near pairs to check, copies of earlier images are excluded first.

Shapes: N compared images, Q of which are edited, V edits, D distances, W bytes a code.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lookalike.calibration import rates as calibration
from lookalike.calibration.pairs import Labelled
from lookalike.calibration.rates import KINDS, Share
from lookalike.calibration.stored import WORDS, Calibration
from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DatabaseError, DataError, LookalikeError
from lookalike.core.parallel import in_order
from lookalike.core.progress import Progress, silent
from lookalike.hasher import Hasher
from lookalike.imaging import decode, thumbnail_vector
from lookalike.imaging.edits.catalogue import Variant, perturb
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Decoders
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.metrics.counts import Integers
from lookalike.robustness import originals
from lookalike.robustness.originals import Look
from lookalike.robustness.peers import as_read
from lookalike.store import originals as kept
from lookalike.store.catalog import Catalog
from lookalike.store.derived.code_array import CodeArray
from lookalike.store.records import Record

COMPARED = 20_000  # images at most, which make 200 million pairs
EDITED = 200
LOOKED = 10_000  # near pairs that are checked, at most
AT_ONCE = 500  # images read between two progress reports

Rows = tuple[int, int]
Says = Mapping[Rows, bool]  # whether pairs show the same picture


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """What to measure, and how strictly."""

    rate: float = calibration.RATE  # of false pairs among near-duplicates
    edited: int = EDITED  # images that are edited, at most
    compared: int = COMPARED  # images whose pairs are all compared, at most
    seed: int = 0
    max_pixels: int = decode.MAX_PIXELS

    def __post_init__(self) -> None:
        if not 0 < self.rate <= calibration.SIMILAR:
            raise ConfigError(
                f"the rate of false pairs is {self.rate:g}; it must be above 0 and at most {calibration.SIMILAR:g}"
            )


class CalibrationReport(NamedTuple):
    """A calibration, and the pairs excluded because they may show the same picture, nearest first."""

    calibration: Calibration
    suspected: list[Labelled]


class Kind(Enum):
    """The result of checking a pair."""

    EQUAL = "equal"
    SUSPECTED = "suspected"
    DIFFERENT = "different"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The compared images."""

    records: list[Record]
    codes_NW: Codes
    folder: Path  # of the database, which may keep originals
    decoders: Decoders

    def only(self, rows: Sequence[int]) -> _Drawn:
        """A subset."""
        codes_NW = np.ascontiguousarray(self.codes_NW[rows])
        return replace(self, records=[self.records[row] for row in rows], codes_NW=codes_NW)


@dataclass(slots=True)
class _CheckedPairs:
    """Checked pairs, with their distances."""

    left_out: dict[Rows, int] = field(default_factory=dict)
    suspected: dict[Rows, int] = field(default_factory=dict)  # a subset of `left_out`
    equal: int = 0
    unread: int = 0
    unfinished: bool = False  # there were too many to check; the others count as different


def run(
    catalog: Catalog,
    codes: CodeArray,
    hasher: Hasher,
    options: CalibrationOptions,
    *,
    says: Says,
    progress: Progress = silent,
) -> CalibrationReport:
    """The calibration of a store; `says`: labels of pairs of ids.

    Raises `DatabaseError` for too few images, and for unreadable ones that would decide the result.
    """
    with pool.make_decoders(DecodeLimits.of(options.max_pixels)) as decoders:
        drawn = _draw(catalog, codes, options, decoders)
        labels = _labels_by_content(catalog, drawn, says)
        counts_ND, merged = calibration.histograms(drawn.codes_NW, on_rows=partial(progress, "comparing")), 0
        most = max(0, hasher.info.duplicate)
        if counts_ND[:, : most + 1].sum() // 2 > LOOKED:
            kept = _once_each(drawn, counts_ND, most, labels, progress)
            merged, drawn = len(drawn.records) - len(kept), drawn.only(kept)
            counts_ND = calibration.histograms(drawn.codes_NW, on_rows=partial(progress, "comparing"))
        count = len(drawn.records)
        if count < calibration.FEWEST:
            raise DatabaseError(
                f"{drawn.folder} has {count} different images that are not too plain; "
                f"calibration needs at least {calibration.FEWEST}"
            )
        checked = _judge(drawn, counts_ND, labels, options, progress)
        left_ND = calibration.without(counts_ND, list(checked.left_out), list(checked.left_out.values()))
        distances = _copies(drawn, hasher, options, progress)
        info = hasher.info
        near, is_measured = calibration.near(left_ND, options.rate, own=info.duplicate)
        if near < 0 and checked.unread:
            raise DatabaseError(
                "images with equal codes have unreadable files, so it is unknown whether they are "
                f"copies; calibrate where the files are ({checked.unread:,} such pairs). Nothing was changed"
            )
        light_D = np.bincount(distances["re-encoded"].ravel(), minlength=hasher.bits + 1)
        same = calibration.same(light_D, most=near)
        similar = calibration.similar(left_ND, own=info.similar, least=near)
        levels = dict(zip(WORDS, (same, near, similar), strict=True))
        rates = {
            word: calibration.rate(
                left_ND, distance, suspected=sum(one <= distance for one in checked.suspected.values())
            )
            for word, distance in levels.items()
        }
        return CalibrationReport(
            Calibration(
                model=hasher.digest,
                at=int(time.time()),
                images=len(codes.ids_N),
                compared=count,
                edited=len(distances["re-encoded"]),
                rate=options.rate,
                is_measured=is_measured,
                rates=rates,
                recall={word: _recall(distances, distance) for word, distance in levels.items()},
                labelled=_labelled(codes, says, levels),
                equal=checked.equal,
                suspected=len(checked.suspected),
                unread=checked.unread,
                merged=merged,
                unfinished=checked.unfinished,
            ),
            [Labelled(drawn.records[one].name, drawn.records[other].name, True) for one, other in checked.suspected],
        )


def _draw(catalog: Catalog, codes: CodeArray, options: CalibrationOptions, decoders: Decoders) -> _Drawn:
    """A sample of the images, in the order of indexing: each content once, no low-information images."""
    ids_N = codes.ids_N
    order = np.random.default_rng((options.seed, 0)).permutation(len(ids_N))
    rows = np.sort(order[: options.compared])
    records = catalog.records(ids_N[rows].tolist())
    kept: dict[object, tuple[Record, int]] = {}
    for row in rows.tolist():
        record = records.get(int(ids_N[row]))
        if record is not None and not record.is_low_information:
            kept.setdefault(record.digest or record.id, (record, row))
    records_of, rows_of = zip(*kept.values(), strict=True) if kept else ((), ())
    codes_NW = np.ascontiguousarray(codes.codes_NW[list(rows_of)])
    return _Drawn(list(records_of), codes_NW, catalog.path.parent, decoders)


def _labels_by_content(catalog: Catalog, drawn: _Drawn, says: Says) -> dict[Rows, bool]:
    """Labels of pairs, translated to the compared images with the same bytes."""
    ids = {record.digest or record.id: record.id for record in drawn.records}
    named = catalog.records(sorted({id_ for pair in says for id_ in pair}))
    by_ids: dict[Rows, bool] = {}
    for (one, other), is_same in says.items():
        first, second = sorted(ids.get(named[id_].digest or id_, id_) for id_ in (one, other))
        if first != second and by_ids.setdefault((first, second), is_same) != is_same:
            raise DataError(
                f"{named[one].name} and {named[other].name} are labelled both same and different, by files with the "
                "same bytes"
            )
    return by_ids


def _once_each(drawn: _Drawn, counts_ND: Integers, most: int, says: Says, progress: Progress) -> list[int]:
    """Rows without copies of earlier images.

    A picture with a hundred copies makes five thousand near pairs: too many to check one by one.
    """
    rows = np.flatnonzero(counts_ND[:, : most + 1].sum(axis=1)).tolist()
    seen: dict[int, Look | None] = {}
    for start in range(0, len(rows), AT_ONCE):
        _look(drawn, rows[start : start + AT_ONCE], seen)
        progress("looking at near images", min(start + AT_ONCE, len(rows)), len(rows))
    firsts, gone = np.empty(0, np.int64), set[int]()
    for row in rows:
        distances = np.bitwise_count(drawn.codes_NW[firsts] ^ drawn.codes_NW[row]).sum(axis=1)
        kinds = (_kind(drawn, (int(first), row), says, seen) for first in firsts[distances <= most])
        if any(kind in (Kind.EQUAL, Kind.SUSPECTED) for kind in kinds):
            gone.add(row)
        else:
            firsts = np.append(firsts, row)
    return [row for row in range(len(drawn.records)) if row not in gone]


def _judge(
    drawn: _Drawn, counts_ND: Integers, says: Says, options: CalibrationOptions, progress: Progress
) -> _CheckedPairs:
    """Check near pairs, distance by distance, until more are different than the rate allows."""
    counts_D = counts_ND.sum(axis=0) // 2
    reach, pairs = calibration.nearest_pairs(drawn.codes_NW, counts_D, most=LOOKED)
    allowed, false, done = options.rate * int(counts_D.sum()), 0, 0
    checked, seen = _CheckedPairs(), dict[int, Look | None]()
    for distance, rows in calibration.by_distance(pairs):
        unsaid = {row for pair in rows if _said(drawn, pair, says) is None for row in pair}
        _look(drawn, unsaid - seen.keys(), seen)
        for pair in rows:
            false += _note(checked, pair, distance, _kind(drawn, pair, says, seen))
        done += len(rows)
        progress("looking at near pairs", done, len(pairs.first))
        if false > allowed:
            return checked
    checked.unfinished = reach < len(counts_D) - 1
    return checked


def _said(drawn: _Drawn, pair: Rows, says: Says) -> bool | None:
    first, second = sorted(drawn.records[row].id for row in pair)
    return says.get((first, second))


def _kind(drawn: _Drawn, pair: Rows, says: Says, seen: Mapping[int, Look | None]) -> Kind:
    said = _said(drawn, pair, says)
    if said is not None:
        return Kind.EQUAL if said else Kind.DIFFERENT
    one, other = (seen[row] for row in pair)
    if one is None or other is None:
        return Kind.UNREAD
    if one.digest == other.digest:
        return Kind.EQUAL
    alike = float(one.thumbnail_M @ other.thumbnail_M) >= thumbnail_vector.SUSPECTED
    return Kind.SUSPECTED if alike else Kind.DIFFERENT


def _note(checked: _CheckedPairs, pair: Rows, distance: int, kind: Kind) -> bool:
    """Record a pair; returns whether it is a false match."""
    if kind in (Kind.EQUAL, Kind.SUSPECTED):
        checked.left_out[pair] = distance
    if kind is Kind.SUSPECTED:
        checked.suspected[pair] = distance
    checked.equal += kind is Kind.EQUAL
    checked.unread += kind is Kind.UNREAD
    return kind in (Kind.DIFFERENT, Kind.UNREAD)


def _look(drawn: _Drawn, rows: Iterable[int], seen: dict[int, Look | None]) -> None:
    """Read images into `seen`."""

    def look(row: int) -> Look | None:
        pixels_HW3 = _pixels(drawn.records[row], drawn)
        return None if pixels_HW3 is None else originals.look(pixels_HW3)

    pending = sorted(rows)
    seen.update(zip(pending, in_order(look, pending), strict=True))


def _pixels(record: Record, drawn: _Drawn) -> decode.Array | None:
    """The indexed image, reduced; None if it is unreadable and no original is kept."""
    with kept.opened(record, drawn.folder, drawn.decoders) as image:
        try:
            return None if image is None else image.picture(originals.SIDE)
        except LookalikeError:
            return None


def _copies(drawn: _Drawn, hasher: Hasher, options: CalibrationOptions, progress: Progress) -> dict[str, Integers]:
    """Distances of copies from their images, (Q, V) for each kind of edit."""
    order = np.random.default_rng((options.seed, 1)).permutation(len(drawn.records))[: options.edited]
    chosen = calibration.mix()
    work = partial(_of_image, drawn=drawn, hasher=hasher, options=options, chosen=[one for _, one in chosen])
    rows = []
    for done, one in enumerate(in_order(work, order.tolist()), 1):
        rows += [] if one is None else [one]
        progress("copies", done, len(order))
    distances_QV = np.stack(rows) if rows else np.empty((0, len(chosen)), np.int64)
    kinds = np.array([kind for kind, _ in chosen])
    return {kind: distances_QV[:, kinds == kind] for kind in KINDS}


def _of_image(
    row: int, *, drawn: _Drawn, hasher: Hasher, options: CalibrationOptions, chosen: Sequence[Variant]
) -> Integers | None:
    """Distances of an image's copies from it, (V,)."""
    record = drawn.records[row]
    pixels_HW3 = _pixels(record, drawn)
    if pixels_HW3 is None:
        return None
    seed = int.from_bytes((record.digest or b"")[:8], "big") ^ options.seed
    arrays = [as_read(perturb(pixels_HW3, *one, seed=seed), hasher.spec) for one in chosen]
    codes_VW = hasher.encode_arrays(np.stack(arrays))
    return np.asarray(np.bitwise_count(codes_VW ^ drawn.codes_NW[row]).sum(axis=1), np.int64)


def _recall(distances: Mapping[str, Integers], distance: int) -> dict[str, Share]:
    return {kind: calibration.recall(distances_QV, distance) for kind, distances_QV in distances.items()}


def _labelled(codes: CodeArray, says: Says, levels: Mapping[str, int]) -> dict[str, dict[str, Share]]:
    """Share of labelled pairs within each distance, by label."""
    if not says:
        return {}
    by_label: dict[str, Integers] = {}
    for word, is_same in (("same", True), ("different", False)):
        pairs = np.array([pair for pair, said in says.items() if said is is_same], np.int64).reshape(-1, 2)
        first_PW, second_PW = (codes.codes_NW[np.searchsorted(codes.ids_N, pairs[:, side])] for side in (0, 1))
        by_label[word] = np.asarray(np.bitwise_count(first_PW ^ second_PW).sum(axis=1, keepdims=True), np.int64)
    return {word: _recall(by_label, distance) for word, distance in levels.items()}
