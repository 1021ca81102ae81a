"""Search by an image whose bits count as much as it is sure of them.

Shapes: N images, K bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import hamming
from lookalike.core.errors import ConfigError
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Source
from lookalike.search.asymmetric import nearest
from lookalike.search.hits import Mask
from lookalike.store.derived.code_array import Held
from lookalike.store.derived.results import Hit, hits_of
from lookalike.store.records import Record


def search(
    hasher: Hasher, query: Source | decode.Array, held: Held, *, top: int, among: Mask,
    records: Callable[[Sequence[int]], Mapping[int, Record]], tier: Callable[[int], str],
) -> tuple[list[Hit], Mapping[int, Record]]:  # fmt: skip
    """The hits, the nearest by weighed distance first, and the rows of the catalog that they stand for, by id."""
    above_K = above(hasher, query)
    found = nearest(held.codes_NW, above_K, top=top, among=among)
    code_W = np.packbits(above_K > 0)
    ids = held.ids.of(found.rows).tolist()
    bits_N = hamming(code_W[None], np.asarray(held.codes_NW[found.rows]))[0]
    weighed = dict(zip(ids, found.distances.tolist(), strict=True))
    known = records(ids)
    hits = hits_of(ids, bits_N, known, bits=hasher.bits, tier=tier)
    return [dataclasses.replace(hit, weighed=weighed[hit.id]) for hit in hits], known


def above(hasher: Hasher, query: Source | decode.Array) -> npt.NDArray[np.float32]:
    """How far an image's latent lies above the threshold in each bit, (K,)."""
    if hasher.theta is None:
        raise ConfigError(
            f"the file of {hasher.name} does not say its threshold, which an asymmetric search needs; search without it"
        )
    array = query if isinstance(query, np.ndarray) else decode.read(query, hasher.spec)
    return np.asarray(hasher.latents(array[None])[0] - hasher.theta, np.float32)
