"""A catalog's codes: `codes.bin`, which its writer makes.

Shapes: N codes in the database, W bytes a code.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.store.derived import codefile

if TYPE_CHECKING:
    from lookalike.store.catalog import Catalog

LOG = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]


class CodeArray(NamedTuple):
    """Codes of all findable images, and their ids in ascending order."""

    ids_N: Ids
    codes_NW: Codes


def read(catalog: Catalog) -> CodeArray:
    """Ids and codes: from the file of codes if it matches the catalog, else from the catalog."""
    path = catalog.folder / codefile.FILE
    try:
        header, ids_N, codes_NW = codefile.read(path)
        if header.fits(catalog.stamp):
            return CodeArray(ids_N, codes_NW)
    except DatabaseError as error:  # derived: the catalog has the same codes
        if path.exists():
            LOG.warning(
                "%s; codes are read from the catalog. Repair it with: lookalike verify --db %s", error, catalog.folder
            )
    return CodeArray(*catalog.codes(catalog.bits // 8))


def count(catalog: Catalog) -> int | None:
    """Number of findable images, if the file of codes has it."""
    with suppress(DatabaseError):
        header = codefile.read_header(catalog.folder / codefile.FILE)
        if header.fits(catalog.stamp):
            return header.count
    return None


def keep(catalog: Catalog, *, rebuild: bool = False) -> None:
    """Write the file of codes, if it does not match the catalog, or in any case with `rebuild`."""
    if rebuild or count(catalog) is None:
        stamp = catalog.stamp
        codefile.write(catalog.folder / codefile.FILE, *catalog.codes(catalog.bits // 8), **stamp._asdict())


def passing(ids_N: Ids, passes_I: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """For each image, whether its id passes, (N,); ids beyond the mask do not."""
    known_N = ids_N < len(passes_I)
    return np.where(known_N, passes_I[np.where(known_N, ids_N, 0)], False) if len(passes_I) else known_N
