"""Hits of a search, with what the database knows of the images.

Shapes: N images, K bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import hamming
from lookalike.core.errors import ConfigError
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Source
from lookalike.search.asymmetric import nearest
from lookalike.search.hits import Hits
from lookalike.store.derived.results import Hit, hits_of
from lookalike.store.folder import FolderStore
from lookalike.store.protocol import Store
from lookalike.store.records import Filter, Record

Tier = Callable[[int], str]  # what images at a distance are called


class Found(NamedTuple):
    """The hits of one query, and their rows by id."""

    hits: list[Hit]
    records: Mapping[int, Record]


def with_records(found: Sequence[Hits], store: Store, *, tier: Tier) -> tuple[list[list[Hit]], Mapping[int, Record]]:
    """The images of hits whose rows are ids, and their rows by id."""
    ids = [hits.rows.tolist() for hits in found]
    records = store.records(sorted({id_ for some in ids for id_ in some}))
    named = [
        hits_of(some, hits.distances, records, bits=store.bits, tier=tier)
        for some, hits in zip(ids, found, strict=True)
    ]
    return named, records


def asymmetric(
    hasher: Hasher, query: Source | decode.Array, store: FolderStore, *, top: int, only: Filter | None, tier: Tier
) -> Found:
    """The images nearest by weighted distance, nearest first."""
    codes = store.code_array()
    mask = None if only is None else codes.ids.among(store.passing(only))
    above_K = above_threshold(hasher, query)
    found = nearest(codes.codes_NW, above_K, top=top, among=mask)
    ids = codes.ids.of(found.rows).tolist()
    bits_N = hamming(np.packbits(above_K > 0)[None], np.asarray(codes.codes_NW[found.rows]))[0]
    weighted = dict(zip(ids, found.distances.tolist(), strict=True))
    records = store.records(ids)
    hits = hits_of(ids, bits_N, records, bits=hasher.bits, tier=tier)
    return Found([dataclasses.replace(hit, weighted_distance=weighted[hit.id]) for hit in hits], records)


def above_threshold(hasher: Hasher, query: Source | decode.Array) -> npt.NDArray[np.float32]:
    """How far an image's latent lies above the threshold in each bit, (K,)."""
    if hasher.theta is None:
        raise ConfigError(
            f"the file of {hasher.name} does not say its threshold, which an asymmetric search needs; search without it"
        )
    array = query if isinstance(query, np.ndarray) else decode.read(query, hasher.spec)
    return np.asarray(hasher.latents(array[None])[0] - hasher.theta, np.float32)
