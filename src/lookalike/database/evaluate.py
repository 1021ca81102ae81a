"""Retrieval metrics of a database by its labels: its images among themselves, or external queries.

Images without a label are excluded, and so are exact copies of other images, because finding them proves nothing. Both
are counted.
Shapes: N images, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike import data
from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError, DataError, ImageError
from lookalike.hasher import Hasher
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.metrics import labels as labelling
from lookalike.metrics.measure import CUTOFF, Evaluation, measure, measure_among
from lookalike.store.records import Record


@dataclass(frozen=True, slots=True)
class Measured:
    """Metrics of a database, and what they exclude."""

    evaluation: Evaluation
    unlabelled: int = 0
    copies: int = 0  # exact copies of other images, or of searched ones
    unreadable: int = 0  # queries


@dataclass(frozen=True, slots=True)
class _Labelled:
    """Images of a database that can be evaluated."""

    records: Sequence[Record]
    unlabelled: int
    copies: int

    @property
    def codes(self) -> Codes:
        """Their codes (N, W)."""
        return np.frombuffer(b"".join(record.code or b"" for record in self.records), np.uint8).reshape(
            len(self.records), -1
        )


def labelled(records: Iterable[Record]) -> _Labelled:
    """The records with labels. Raises `DatabaseError` if there are none."""
    coded = [record for record in records if record.code is not None and record.missing_since is None]
    with_label = [record for record in coded if record.label]
    first: dict[bytes, Record] = {}
    for record in with_label:
        first.setdefault(content(record), record)
    if not first:
        raise DatabaseError(
            f"none of its {len(coded)} images has a label; index again with --labels-from-folders, or from a Parquet "
            "file with a column `label`"
        )
    unlabelled, copies = len(coded) - len(with_label), len(with_label) - len(first)
    return _Labelled(list(first.values()), unlabelled, copies)


def content(record: Record) -> bytes:
    """The digest of an image's content; for an imported code, whose image was never read, a unique stand-in."""
    return record.digest or record.id.to_bytes(8, "big")


def among(images: _Labelled, *, seed: int, cutoff: int = CUTOFF) -> Measured:
    """Metrics of searching each image among the others."""
    (labels,), _ = labelling.encode([record.label for record in images.records])
    evaluation = measure_among(images.codes, labels, seed=seed, cutoff=cutoff)
    return Measured(evaluation, images.unlabelled, images.copies)


def from_outside(
    images: _Labelled, queries: Sequence[data.Item], hasher: Hasher, *, max_pixels: int, cutoff: int = CUTOFF
) -> Measured:
    """Metrics of searching the database for labelled images that it does not contain."""
    known = {record.digest for record in images.records}
    codes, names, unreadable, copies = [], [], 0, 0
    labelled_queries = [item for item in queries if item.label]
    unlabelled = len(queries) - len(labelled_queries)
    with pool.make_decoders(DecodeLimits.of(max_pixels), workers=1) as decoders:
        for item in labelled_queries:
            try:
                with decoders.opened(data.source(item)) as image:
                    if image.digest in known:
                        copies += 1
                        continue
                    codes.append(hasher.encode_arrays(image.array(hasher.spec).array[None]))
                names.append(item.label)
            except (ImageError, OSError):
                unreadable += 1
    if not codes:
        raise DataError(
            f"none of the {len(queries)} queries can be used: {unlabelled} have no label, {copies} are in the database,"
            f" {unreadable} are unreadable; name a folder with a sub-folder for each label, or a Parquet file"
        )
    (query_labels, labels), _ = labelling.encode(names, [record.label for record in images.records])
    evaluation = measure(np.concatenate(codes), query_labels, images.codes, labels, cutoff=cutoff)
    return Measured(evaluation, images.unlabelled + unlabelled, images.copies + copies, unreadable)
