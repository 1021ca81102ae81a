"""Groups of look-alikes without images that are too plain: their codes say nothing, so only their bytes are compared.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lookalike.duplicates import grouping, hardlinks
from lookalike.duplicates.verification import ReliefsOf
from lookalike.store.catalog import Catalog, Record
from lookalike.store.derived.code_array import Held, Ids
from lookalike.store.derived.results import Group


def groups(
    catalog: Catalog,
    held: Held,
    plain: Mapping[int, bytes],
    *,
    radius: int,
    on_rows: grouping.OnRows,
    pairs: grouping.PairsWithin = grouping.compared,
    reliefs_of: ReliefsOf | None = None,
) -> list[Group]:
    """Groups by code of all images but the plain ones, and groups of plain ones with the same bytes.

    `plain` has the digest of each plain image's content, by id; `reliefs_of` gives those of images with these ids.
    """
    ids_N, codes_NW = held.ids_N, held.codes_NW
    if plain:
        seen_N = ~np.isin(ids_N, np.fromiter(plain, np.int64, len(plain)))
        ids_N, codes_NW = ids_N[seen_N], codes_NW[seen_N]
    found = grouping.star_of(
        codes_NW, hardlinks.named(catalog, ids_N), radius=radius, on_rows=on_rows, pairs=pairs,
        reliefs=None if reliefs_of is None else reliefs_of(ids_N),
    )  # fmt: skip
    alike = hardlinks.groups(catalog, ids_N, found)
    equal = _of_same_bytes(catalog, plain)
    return sorted([*alike, *equal], key=lambda group: group[0].path) if equal else alike


def differ(one: Record, other: Record) -> bool:
    """Whether one of two images is too plain to be compared by code, and they have other bytes."""
    return (one.is_plain or other.is_plain) and one.digest != other.digest


def _of_same_bytes(catalog: Catalog, plain: Mapping[int, bytes]) -> list[Group]:
    by_digest: dict[bytes, list[int]] = {}
    for id_, digest in plain.items():
        by_digest.setdefault(digest, []).append(id_)
    ids: Ids = np.fromiter(plain, np.int64, len(plain))
    rows = {id_: row for row, id_ in enumerate(plain)}
    several = [[(rows[id_], 0) for id_ in equal] for equal in by_digest.values() if len(equal) > 1]
    return hardlinks.groups(catalog, ids, several)
