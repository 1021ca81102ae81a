"""Copies that were mirrored or turned: each image is encoded in its other orientations, and compared with all as they
are.

That reads every image once more, and encodes it eight times. So the codes are kept in the database's folder, in
`turned.npz`: who asks again waits only for what is new. They hold for the model that made them, and for images whose
own code is still the same.

Shapes: N images of the collection, M of them that were read, O = 8 orientations, U different codes, W bytes a code.
"""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike import images
from lookalike.codes import Codes
from lookalike.database import contents, turned
from lookalike.database.derived import LEAST, Held, Ids
from lookalike.database.grouping import PairsWithin
from lookalike.database.results import Group, Member
from lookalike.engines.hits import Pairs
from lookalike.engines.multi_index import MultiIndex
from lookalike.errors import LookalikeError
from lookalike.evaluation.originals import in_order
from lookalike.files import replacing
from lookalike.hasher import Hasher
from lookalike.store.catalog import Catalog
from lookalike.store.records import Record

FILE = "turned.npz"
BLOCK = 1024  # images
SAVE_SECONDS = 60.0  # after which what was read is kept
OTHERS = len(turned.TURNS) - 1
BACK = (0, 3, 2, 1, 4, 5, 6, 7)  # the orientation that undoes each; what is mirrored undoes itself

OnRead = Callable[[int, int], object]  # images read, of how many
Blocks = Iterator[tuple[int, Pairs]]


class Turned(NamedTuple):
    """The codes of images in all orientations, in the order of `turned.TURNS`: the first is their own."""

    ids_M: Ids  # ascending
    codes_MOW: npt.NDArray[np.uint8]

    def without(self, ids: Collection[int]) -> Turned:
        """Those of other images."""
        kept_M = ~np.isin(self.ids_M, np.fromiter(ids, np.int64, len(ids)))
        return Turned(self.ids_M[kept_M], self.codes_MOW[kept_M])

    def of(self, id_: int) -> Codes | None:
        """The codes (O, W) of an image, if it was read."""
        row = int(np.searchsorted(self.ids_M, id_))
        return self.codes_MOW[row] if row < len(self.ids_M) and self.ids_M[row] == id_ else None


def read(
    catalog: Catalog, held: Held, hasher: Hasher, *, max_pixels: int = images.MAX_PIXELS, on_read: OnRead
) -> Turned:
    """The codes of all images whose files, or originals that are kept, can still be read.

    What is done is kept when this is interrupted, too.
    """
    path = catalog.path.parent / FILE
    known = _still_true(_load(path, hasher), held)
    missing = np.setdiff1d(held.ids_N, known.ids_M)
    ids: list[int] = []
    codes: list[Codes] = []

    def save() -> Turned:
        those = _joined(known, _still_true(Turned(np.array(ids), np.stack(codes)), held)) if ids else known
        if ids:
            with suppress(OSError):  # it is only kept to be faster next time
                _save(path, hasher, those)
        return those

    due = time.monotonic() + SAVE_SECONDS
    try:
        for done, (id_, codes_OW) in enumerate(_read_each(catalog, missing, hasher, max_pixels), 1):
            on_read(done, len(missing))
            if codes_OW is not None:
                ids.append(id_)
                codes.append(codes_OW)
            if time.monotonic() > due:
                save()
                due = time.monotonic() + SAVE_SECONDS
    finally:
        those = save()
    return those


def pairs(those: Turned, upright: PairsWithin) -> PairsWithin:
    """Pairs of codes within a radius as they are, then those that are so near only in another orientation."""

    def found(codes_UW: Codes, radius: int) -> Blocks:
        count, known = len(codes_UW), [np.empty(0, np.int64)]
        for end, near in upright(codes_UW, radius):
            known.append(near.first * count + near.second)
            yield end, near
        yield count, _turned_pairs(codes_UW, those, radius, np.concatenate(known))

    return found


def with_turns(groups: Sequence[Group], those: Turned, *, radius: int) -> list[Group]:
    """Groups whose members say how the first image of their group is turned to look like them."""
    return [[replace(one, turn=_turn(those, group[0], one, radius)) for one in group] for group in groups]


def _turn(those: Turned, first: Member, member: Member, radius: int) -> str:
    """Nothing where the images are near as they are, or where neither was read."""
    first_OW, member_OW = those.of(first.id), those.of(member.id)
    if first_OW is None or member_OW is None:
        return ""
    there_O = np.bitwise_count(first_OW ^ member_OW[0]).sum(axis=1)
    back_O = np.bitwise_count(member_OW ^ first_OW[0]).sum(axis=1)[list(BACK)]
    nearest_O = np.minimum(there_O, back_O)
    return "" if nearest_O[0] <= radius else turned.TURNS[int(nearest_O.argmin())]


def _turned_pairs(codes_UW: Codes, those: Turned, radius: int, known: npt.NDArray[np.int64]) -> Pairs:
    """Different codes of which an image of one, in another orientation, is near the other; each pair once."""
    count = len(codes_UW)
    rows_M = _rows_of(codes_UW, those.codes_MOW[:, 0])
    rows_M, others_MOW = rows_M[rows_M >= 0], those.codes_MOW[rows_M >= 0, 1:]
    engine = MultiIndex(8 * codes_UW.shape[1], codes_NW=codes_UW, least=LEAST)
    keys, distances = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for start in range(0, len(rows_M), BLOCK):
        block = others_MOW[start : start + BLOCK]
        hits = engine.search(block.reshape(-1, block.shape[2]), top=None, radius=radius)
        own = np.repeat(rows_M[start : start + BLOCK], OTHERS).repeat([len(one.rows) for one in hits])
        near = np.concatenate([one.rows for one in hits])
        different = own != near
        keys.append((np.minimum(own, near) * count + np.maximum(own, near))[different])
        distances.append(np.concatenate([one.distances for one in hits])[different])
    key, distance = np.concatenate(keys), np.concatenate(distances)
    order = np.lexsort((distance, key))
    key, first = np.unique(key[order], return_index=True)
    distance = distance[order][first]
    is_new = ~np.isin(key, known)
    return Pairs(key[is_new] // count, key[is_new] % count, distance[is_new].astype(np.int32))


def _rows_of(codes_UW: Codes, own_MW: Codes) -> npt.NDArray[np.int64]:
    """Where each code is among different ones, (M,); −1 where it is not."""
    _, places = np.unique(np.concatenate([codes_UW, own_MW]), axis=0, return_inverse=True)
    places = places.reshape(-1)
    rows = np.full(len(places), -1, np.int64)
    rows[places[: len(codes_UW)]] = np.arange(len(codes_UW))
    return rows[places[len(codes_UW) :]]


def _read_each(catalog: Catalog, ids: Ids, hasher: Hasher, max_pixels: int) -> Iterator[tuple[int, Codes | None]]:
    """Ids and codes (O, W) of images, none of what cannot be read."""
    work = partial(_encode, folder=catalog.path.parent, hasher=hasher, max_pixels=max_pixels)
    for start in range(0, len(ids), BLOCK):
        records = catalog.records(ids[start : start + BLOCK].tolist())
        yield from zip(records, in_order(work, records.values(), workers=os.cpu_count() or 1), strict=True)


def _encode(record: Record, *, folder: Path, hasher: Hasher, max_pixels: int) -> Codes | None:
    content = contents.as_indexed(record, folder)
    if content is None:
        return None
    try:
        array = images.decode(content, hasher.spec, max_pixels=max_pixels).array
    except LookalikeError:
        return None
    return turned.encode(hasher, array)


def _still_true(those: Turned, held: Held) -> Turned:
    """Those of images that are there and have the same code."""
    rows_M = np.searchsorted(held.ids_N, those.ids_M)
    there_M = rows_M < len(held.ids_N)
    there_M[there_M] = held.ids_N[rows_M[there_M]] == those.ids_M[there_M]
    there_M[there_M] = (held.codes_NW[rows_M[there_M]] == those.codes_MOW[there_M, 0]).all(axis=1)
    return Turned(those.ids_M[there_M], those.codes_MOW[there_M])


def _joined(*parts: Turned) -> Turned:
    ids, codes = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(ids, kind="stable")
    return Turned(ids[order], codes[order])


def _load(path: Path, hasher: Hasher) -> Turned:
    """What the file holds of this model; nothing if it is absent, damaged or another model's."""
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), path.open("rb") as file:
        values = np.load(file)
        ids_M, codes_MOW = values["ids"], values["codes"]
        shape = (len(ids_M), len(turned.TURNS), hasher.bits // 8)
        if str(values["model"]) == hasher.digest and codes_MOW.shape == shape and codes_MOW.dtype == np.uint8:
            return Turned(ids_M, codes_MOW)
    return Turned(np.empty(0, np.int64), np.empty((0, len(turned.TURNS), hasher.bits // 8), np.uint8))


def _save(path: Path, hasher: Hasher, those: Turned) -> None:
    with replacing(path) as aside, aside.open("wb") as file:
        np.savez(file, model=np.array(hasher.digest), ids=those.ids_M, codes=those.codes_MOW)
