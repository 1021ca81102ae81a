"""Measuring a database by its labels: its images among themselves, or queries from outside.

Images without a label are left out, and so are copies, byte by byte, of an image that is there already: finding them is
no merit. How many there were, is said.

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
from lookalike.metrics.measure import Evaluation, measure, measure_among
from lookalike.store.records import Record


@dataclass(frozen=True, slots=True)
class Measured:
    """The metrics of a database, and what was left out of them."""

    evaluation: Evaluation
    unlabelled: int = 0
    copies: int = 0  # of an image that is there already, or of one that is searched
    unreadable: int = 0  # queries


@dataclass(frozen=True, slots=True)
class Labelled:
    """The images of a database that can be measured."""

    records: Sequence[Record]
    unlabelled: int
    copies: int

    @property
    def codes(self) -> Codes:
        """Their codes (N, W)."""
        return np.frombuffer(b"".join(record.code or b"" for record in self.records), np.uint8).reshape(
            len(self.records), -1
        )


def labelled(records: Iterable[Record]) -> Labelled:
    """What of a catalog can be measured. Raises `DatabaseError` if nothing has a label."""
    found = [record for record in records if record.code is not None and record.missing_since is None]
    with_label = [record for record in found if record.label]
    first: dict[bytes, Record] = {}
    for record in with_label:
        first.setdefault(content(record), record)
    if not first:
        raise DatabaseError(
            f"none of its {len(found)} images has a label; index again with --labels-from-folders, or from a Parquet "
            "file with a column `label`"
        )
    unlabelled, copies = len(found) - len(with_label), len(with_label) - len(first)
    return Labelled(list(first.values()), unlabelled, copies)


def content(record: Record) -> bytes:
    """The digest of an image's bytes; of an imported code, whose image was never read, an id of its own."""
    return record.digest or record.id.to_bytes(8, "big")


def among(held: Labelled, *, seed: int) -> Measured:
    """Each image searched for among the others."""
    (labels,), _ = labelling.encode([record.label for record in held.records])
    return Measured(measure_among(held.codes, labels, seed=seed), held.unlabelled, held.copies)


def from_outside(held: Labelled, queries: Sequence[data.Item], hasher: Hasher, *, max_pixels: int) -> Measured:
    """Labelled images that are not in the database, searched for in it."""
    known = {record.digest for record in held.records}
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
            f"none of {len(queries)} queries can be used: {unlabelled} have no label, {copies} are in the database, "
            f"{unreadable} cannot be read; name a folder with a sub-folder for each label, or a Parquet file"
        )
    (query_labels, labels), _ = labelling.encode(names, [record.label for record in held.records])
    found = measure(np.concatenate(codes), query_labels, held.codes, labels)
    return Measured(found, held.unlabelled + unlabelled, held.copies + copies, unreadable)
