"""Where a damaged catalog's rows can be had again: in the model, in `codes.bin`, and in the folders themselves.

What these give are only candidates; the catalog takes them where the digest of the rows proves them right.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from lookalike.calibration import stored
from lookalike.core.errors import DatabaseError, ModelError
from lookalike.database import model_file
from lookalike.hasher import Hasher
from lookalike.store import originals
from lookalike.store.catalog import Catalog
from lookalike.store.derived import codefile
from lookalike.store.digests import Layout
from lookalike.store.integrity import Row, Source

MOST = 200_000  # folders that are looked through
TABLES = (".parquet", ".npy")


def sources(folder: Path, catalog: Catalog) -> dict[str, Source]:
    """By table, a function that gives rows which may be the right ones."""
    return {
        "meta": partial(_meta, folder),
        "images": partial(_images, folder, catalog),
        "folders": partial(_folders, catalog),
        "originals": lambda layout, rows: ((digest,) for digest in originals.digests(folder)),
    }


def _meta(folder: Path, layout: Layout, rows: Sequence[Row]) -> Iterator[Row]:
    values: dict[str, object] = {stored.KEY: ""}
    with suppress(ModelError):
        hasher = Hasher.load(folder / model_file.FILE)
        values |= {"model": hasher.digest, "model_name": hasher.info.name, "bits": hasher.bits}
        values[model_file.DECODER_KEY] = model_file.decoder_digest(hasher)
    with suppress(DatabaseError):
        header = codefile.read_header(folder / codefile.FILE)
        values |= {"revision": header.revision, "database": header.database, "change": header.change}
    for key, value in values.items():
        yield key.encode(), str(value).encode()


def _images(folder: Path, catalog: Catalog, layout: Layout, rows: Sequence[Row]) -> Iterator[Row]:
    path = folder / codefile.FILE
    try:
        header, ids_N, codes_NW = codefile.read(path)
        if not header.fits(catalog.stamp) or not codefile.is_intact(path):
            return
    except DatabaseError:
        return
    id_at, code_at = layout.columns.index("id"), layout.columns.index("code")
    numbers = {id_: row for row in rows if isinstance(id_ := row[id_at], int)}
    first, last = min(numbers, default=0), max(numbers, default=0)
    for place in range(*ids_N.searchsorted([first, last + 1]).tolist()):
        row = numbers.get(int(ids_N[place]))
        if row is not None:
            yield (*row[:code_at], codes_NW[place].tobytes(), *row[code_at + 1 :])


def _folders(catalog: Catalog, layout: Layout, rows: Sequence[Row]) -> Iterator[Row]:
    """A row for each lost number and each folder or table that lies in a root."""
    if layout.columns != ("id", "root", "path"):
        return
    lost = catalog.lost_folders()
    places = [(number, path) for root, number in catalog.numbered_roots() for path in _below(root)] if lost else []
    for id_ in lost[:100]:
        yield from ((id_, number, path) for number, path in places)


def _below(root: str) -> Iterator[bytes]:
    """The folders and tables of a root, as the catalog has them."""
    for folder, _, names in islice(os.walk(root), MOST):
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        yield os.fsencode(prefix)
        yield from (os.fsencode(f"{prefix}{name}#") for name in names if name.endswith(TABLES))
