"""Evaluation of a user's labelled database by a protocol of the literature: `python -m research evaluate`."""

from __future__ import annotations

from lookalike.database import Database
from lookalike.database.evaluate import content, labelled
from lookalike.metrics import labels as labelling
from lookalike.metrics.measure import CUTOFF, Evaluation, measure
from research.datasets import Dataset
from research.datasets.protocols import PROTOCOLS, split


def by_protocol(db: str, protocol: str, *, seed: int = 0) -> Evaluation:
    """Metrics of a database split by a protocol, without unlabelled images and byte-identical copies."""
    with Database.open(db) as database:
        found = labelled(database.records())
    records = found.records
    dataset = Dataset("database", "a database", tuple(record.item for record in records), ("",) * len(records))
    contents = {record.item: content(record) for record in records}
    parts = split(dataset, protocol, seed=seed, read=contents.__getitem__)
    query, database_records = ([records[row] for row in rows] for rows in (parts.query, parts.database))
    (query_labels, labels), _ = labelling.encode([r.label for r in query], [r.label for r in database_records])
    codes = found.codes
    cutoff = PROTOCOLS[protocol].cutoff or CUTOFF
    return measure(codes[parts.query], query_labels, codes[parts.database], labels, cutoff=cutoff)
