"""Copies that were mirrored or turned: each image is encoded in its other orientations, and compared with all as they
are.

That reads every image once more, and encodes it eight times. So the codes are kept in the database's folder, in
`turned.npz`: who asks again waits only for what is new. They hold for the model that made them, and for images whose
own code is still the same.

Shapes: N images of the collection, M of them that were read, O = 8 orientations, U different codes, W bytes a code.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.atomic import replacing
from lookalike.core.codes import Codes
from lookalike.core.errors import Interrupted, LookalikeError
from lookalike.core.parallel import cores, in_order
from lookalike.core.progress import Progress, silent
from lookalike.duplicates import orientations
from lookalike.duplicates.graph import PairFinder, chosen
from lookalike.hasher import Hasher
from lookalike.imaging import decode
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Decoders
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.search import all_pairs
from lookalike.search.hits import NO_PAIRS, Pairs, joined
from lookalike.search.multi_index import MultiIndex
from lookalike.store import leftovers, originals
from lookalike.store.catalog import Catalog
from lookalike.store.derived.code_array import CodeArray, Ids
from lookalike.store.derived.results import Group, Member
from lookalike.store.records import Record

FILE = leftovers.ORIENTATIONS
BLOCK = 1024  # images
DAMAGED = (OSError, ValueError, KeyError, IndexError, EOFError, NotImplementedError, zipfile.BadZipFile)  # files
SAVE_SECONDS = 60.0  # after which what was read is kept
OTHERS = len(orientations.TURNS) - 1
BACK = (0, 3, 2, 1, 4, 5, 6, 7)  # the orientation that undoes each; what is mirrored undoes itself

Blocks = Iterator[tuple[int, Pairs]]


class OrientedCodes(NamedTuple):
    """The codes of images in all orientations, in the order of `orientations.TURNS`: the first is their own."""

    ids_M: Ids  # ascending
    codes_MOW: npt.NDArray[np.uint8]
    unreadable: tuple[str, ...] = ()  # names of images that have none

    def without(self, ids: Collection[int]) -> OrientedCodes:
        """The codes of other images than these."""
        kept_M = ~np.isin(self.ids_M, np.fromiter(ids, np.int64, len(ids)))
        return OrientedCodes(self.ids_M[kept_M], self.codes_MOW[kept_M], self.unreadable)

    def of(self, id_: int) -> Codes | None:
        """The codes (O, W) of an image, if it was read."""
        row = int(np.searchsorted(self.ids_M, id_))
        return self.codes_MOW[row] if row < len(self.ids_M) and self.ids_M[row] == id_ else None


def read(
    catalog: Catalog,
    held: CodeArray,
    hasher: Hasher,
    *,
    max_pixels: int = decode.MAX_PIXELS,
    progress: Progress = silent,
) -> OrientedCodes:
    """The codes of all images whose files, or kept originals, can still be read as they were indexed.

    Finished work is kept when this is interrupted, too. Raises `Interrupted`.
    """
    path = catalog.path.parent / FILE
    known = _still_true(_load(path, hasher), held)
    missing = np.setdiff1d(held.ids_N, known.ids_M)
    ids: list[int] = []
    codes: list[Codes] = []
    unreadable: list[str] = []

    def save() -> OrientedCodes:
        those = _joined(known, _still_true(OrientedCodes(np.array(ids), np.stack(codes)), held)) if ids else known
        if ids:
            with suppress(OSError):  # it is only kept to be faster next time
                _save(path, hasher, those)
        return those

    due = time.monotonic() + SAVE_SECONDS
    try:
        for done, (record, codes_OW) in enumerate(_read_each(catalog, missing, hasher, max_pixels), 1):
            progress("reading images", done, len(missing))
            if codes_OW is None:
                unreadable.append(record.name)
            else:
                ids.append(record.id)
                codes.append(codes_OW)
            if time.monotonic() > due:
                save()
                due = time.monotonic() + SAVE_SECONDS
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What was read is kept; the same command starts from there") from None
    finally:
        those = save()
    return those._replace(unreadable=tuple(unreadable))


def finder(those: OrientedCodes, upright: PairFinder) -> PairFinder:
    """Pairs of codes within a radius as they are, then those that are so near only in another orientation.

    All come with the last block; the others say how far the work is: an eighth of it is done upright.
    """

    def found(codes_UW: Codes, radius: int) -> Blocks:
        count, parts = len(codes_UW), [NO_PAIRS]
        for end, near in upright(codes_UW, radius):
            parts.append(near)
            yield end // len(orientations.TURNS), NO_PAIRS
        known = np.concatenate([near.first * count + near.second for near in parts])
        others = [NO_PAIRS]
        for share, near in _oriented_codes(codes_UW, those, radius):
            others.append(near)
            yield int(count * (1 + OTHERS * share) / len(orientations.TURNS)), NO_PAIRS
        nearest = _nearest(joined(others), count)
        new = np.flatnonzero(~np.isin(nearest.first * count + nearest.second, known))
        yield count, joined([*parts, chosen(nearest, new)])

    return found


def with_orientations(group: Group, those: OrientedCodes, held: CodeArray) -> Group:
    """The group, whose members say how its first image is oriented to look like them.

    The image in the middle comes first: another one may be no bit from it, too, when it is turned.
    """
    for first in (one for one in group if one.distance == 0):
        found = [_nearest_orientation(those, held, first, one) for one in group]
        if all(bits == one.distance for (bits, _), one in zip(found, group, strict=True)):
            break
    else:  # images of one code differ when they are turned
        first = group[0]
        found = [_nearest_orientation(those, held, first, one) for one in group]
    told = [replace(one, turn=turn) for one, (_, turn) in zip(group, found, strict=True)]
    return sorted(told, key=lambda one: one.id != first.id)


def _nearest_orientation(those: OrientedCodes, held: CodeArray, first: Member, member: Member) -> tuple[int, str]:
    """Distance of an image to the first one, in bits, in the nearest orientation, and which; "": as it is."""
    first_OW, member_OW = those.of(first.id), those.of(member.id)
    first_W, member_W = (held.codes_NW[np.searchsorted(held.ids_N, one.id)] for one in (first, member))
    upright = int(np.bitwise_count(first_W ^ member_W).sum())
    there = [np.bitwise_count(first_OW ^ member_W).sum(axis=1)] if first_OW is not None else []
    back = [np.bitwise_count(member_OW ^ first_W).sum(axis=1)[list(BACK)]] if member_OW is not None else []
    if upright == member.distance or not (there or back):
        return upright, ""
    nearest_O = np.min([*there, *back], axis=0)
    return int(nearest_O.min()), orientations.TURNS[int(nearest_O.argmin())]


def _oriented_codes(codes_UW: Codes, those: OrientedCodes, radius: int) -> Iterator[tuple[float, Pairs]]:
    """Different codes of which an image of one, in another orientation, is near the other: the share that was looked
    for, and pairs, of which one may come several times.
    """
    rows_M = _rows_of(codes_UW, those.codes_MOW[:, 0])
    rows_M, others_MOW = rows_M[rows_M >= 0], those.codes_MOW[rows_M >= 0, 1:]
    engine = MultiIndex(8 * codes_UW.shape[1], codes_NW=codes_UW, least=all_pairs.FEW)
    for start in range(0, len(rows_M), BLOCK):
        block = others_MOW[start : start + BLOCK]
        hits = engine.search(block.reshape(-1, block.shape[2]), top=None, radius=radius)
        own = np.repeat(rows_M[start : start + BLOCK], OTHERS).repeat([len(one.rows) for one in hits])
        near = np.concatenate([one.rows for one in hits])
        distances = np.concatenate([one.distances for one in hits])
        different = own != near
        found = Pairs(np.minimum(own, near)[different], np.maximum(own, near)[different], distances[different])
        yield (start + len(block)) / len(rows_M), _nearest(found, len(codes_UW))


def _nearest(pairs: Pairs, count: int) -> Pairs:
    """Each pair of so many codes once, at its least distance."""
    order = np.lexsort((pairs.distances, pairs.second, pairs.first))
    _, first = np.unique((pairs.first * count + pairs.second)[order], return_index=True)
    return chosen(pairs, order[first])


def _rows_of(codes_UW: Codes, own_MW: Codes) -> npt.NDArray[np.int64]:
    """Where each code is among different ones, (M,); −1 where it is not."""
    _, places = np.unique(np.concatenate([codes_UW, own_MW]), axis=0, return_inverse=True)
    places = places.reshape(-1)
    rows = np.full(len(places), -1, np.int64)
    rows[places[: len(codes_UW)]] = np.arange(len(codes_UW))
    return rows[places[len(codes_UW) :]]


def _read_each(catalog: Catalog, ids: Ids, hasher: Hasher, max_pixels: int) -> Iterator[tuple[Record, Codes | None]]:
    """Images and their codes (O, W), none of what cannot be read."""
    workers = min(cores(), len(ids)) or 1
    with pool.make_decoders(DecodeLimits.of(max_pixels), workers=workers) as decoders:
        work = partial(_encode, folder=catalog.path.parent, hasher=hasher, decoders=decoders)
        for start in range(0, len(ids), BLOCK):
            records = list(catalog.records(ids[start : start + BLOCK].tolist()).values())
            yield from zip(records, in_order(work, records, workers=workers), strict=True)


def _encode(record: Record, *, folder: Path, hasher: Hasher, decoders: Decoders) -> Codes | None:
    """The first code is that of the database, even where another decoder would give another one."""
    with originals.opened(record, folder, decoders) as image:
        if image is None or record.code is None:
            return None
        try:
            array = image.array(hasher.spec).array
        except LookalikeError:
            return None
    codes_OW = orientations.encode(hasher, array)
    codes_OW[0] = np.frombuffer(record.code, np.uint8)
    return codes_OW


def _still_true(those: OrientedCodes, held: CodeArray) -> OrientedCodes:
    """Those of images that are there and have the same code."""
    rows_M = np.searchsorted(held.ids_N, those.ids_M)
    there_M = rows_M < len(held.ids_N)
    there_M[there_M] = held.ids_N[rows_M[there_M]] == those.ids_M[there_M]
    there_M[there_M] = (held.codes_NW[rows_M[there_M]] == those.codes_MOW[there_M, 0]).all(axis=1)
    return OrientedCodes(those.ids_M[there_M], those.codes_MOW[there_M])


def _joined(*parts: OrientedCodes) -> OrientedCodes:
    ids, codes = (np.concatenate(column) for column in zip(*(part[:2] for part in parts), strict=True))
    order = np.argsort(ids, kind="stable")
    return OrientedCodes(ids[order], codes[order])


def _load(path: Path, hasher: Hasher) -> OrientedCodes:
    """What the file holds of this model; nothing if it is absent, damaged or another model's."""
    with suppress(*DAMAGED), path.open("rb") as file:
        values = np.load(file)
        ids_M, codes_MOW = values["ids"], values["codes"]
        shape = (len(ids_M), len(orientations.TURNS), hasher.bits // 8)
        if str(values["model"]) == hasher.digest and codes_MOW.shape == shape and codes_MOW.dtype == np.uint8:
            return OrientedCodes(ids_M, codes_MOW)
    return OrientedCodes(np.empty(0, np.int64), np.empty((0, len(orientations.TURNS), hasher.bits // 8), np.uint8))


def is_damaged(path: Path) -> bool:
    """Whether the file cannot be read, or not all of it."""
    try:
        with path.open("rb") as file:
            values = np.load(file)
            return {name: values[name].shape for name in values.files}.keys() != {"model", "ids", "codes"}
    except DAMAGED:
        return True


def _save(path: Path, hasher: Hasher, those: OrientedCodes) -> None:
    with replacing(path, durable=False) as aside, aside.open("wb") as file:
        np.savez(file, model=np.array(hasher.digest), ids=those.ids_M, codes=those.codes_MOW)
