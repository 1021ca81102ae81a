"""Which images of a database are gone, and which are only out of reach."""

from __future__ import annotations

import os
from collections.abc import Iterable

from lookalike.database import indexing
from lookalike.store.catalog import Catalog, Record


def lost(records: Iterable[Record]) -> list[str]:
    """Folders and tables that are gone altogether: moved, perhaps, or on a drive that is not plugged in."""
    places = {(record.root, record.root if record.row is None else record.item.file) for record in records}
    gone = [(root, place) for root, place in places if not (os.path.isdir(root) and os.path.exists(place))]
    return sorted({place if os.path.isdir(root) else root for root, place in gone})


def gone(catalog: Catalog) -> list[int]:
    """Ids of the images whose files are gone, which are marked; those of what `lost` names are left out."""
    away = set(lost(catalog.all_records()))
    here = [record for record in catalog.all_records() if not {record.root, record.item.file} & away]
    indexing.mark_missing(catalog, here)
    ids = [record.id for record in here]
    return [record.id for record in catalog.records(ids).values() if record.missing_since]
