"""Codes of each image's variants (mirrored, rotated, cropped), which find its edited copies.

They are compared with the other images' own codes. One direction is enough: if the middle of one image resembles
another, the other is a crop of it, whichever comes first. Thumbnails are encoded, so no file is read. The codes are
cached in the database's folder, in `variants.npz`, so the next search encodes only new images. They are valid for the
model that made them, and for images whose own code has not changed.

Shapes: N images of the collection or codes of an engine, M images with variants, V variants, W bytes a code.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.atomic import replacing
from lookalike.core.codes import Codes
from lookalike.core.errors import ImageError
from lookalike.core.parallel import cores, in_order
from lookalike.core.progress import Progress, silent
from lookalike.hasher import Hasher
from lookalike.hasher.variants import fitted, variants
from lookalike.imaging import thumbnails
from lookalike.search.hits import Hits
from lookalike.search.scan import Scan
from lookalike.store.derived import leftovers
from lookalike.store.derived.code_array import CodeArray, Ids
from lookalike.store.protocol import Store
from lookalike.verification.verdict import Picture

# The useful ones of a query's 22 variants: each found at least .95 of its kind of copies of 60 photographs within
# 12 bits. The opposite rotation and tilt are found from the other image of a pair.
NAMES = (
    "mirrored", "mirrored, turned 180", "turned 90", "turned 180", "tilted 20", "middle 0.62", "part 0.25 0.25",
    "part 0 0", "part 0.5 0", "part 0 0.5", "part 0.5 0.5",
)  # fmt: skip
ON_BLACK = "on black"  # the last variant, of images with transparency; for others, the image's own code
MIRRORED = frozenset(number for number, name in enumerate(NAMES) if name.startswith("mirrored"))
FILE = leftovers.VARIANTS
BLOCK = 1024  # images whose thumbnails are in memory at once
SAVE_SECONDS = 60.0  # between two saves of the cache
DAMAGED = (OSError, ValueError, KeyError, IndexError, EOFError, NotImplementedError, zipfile.BadZipFile)  # files


class VariantCodes(NamedTuple):
    """Images, their own codes, and codes of their variants in the order of `NAMES`."""

    ids_M: Ids  # ascending
    own_MW: Codes
    codes_MVW: npt.NDArray[np.uint8]


class VariantSearch:
    """Finds images by the codes of their variants: a query that is a part of an image is near one of these."""

    def __init__(self, those: VariantCodes) -> None:
        count, self._each, width = those.codes_MVW.shape
        self._ids_M = those.ids_M
        self._engine = Scan(8 * width, codes_NW=those.codes_MVW.reshape(count * self._each, width))

    def nearest(self, code_W: Codes, *, top: int, radius: int, among: Ids | None) -> tuple[Hits, Hits]:
        """The images with the `top` nearest variants, by id and maybe repeated: upright ones, and mirrored ones."""
        mask = None if among is None else np.repeat(np.isin(self._ids_M, among), self._each)
        (hits,) = self._engine.search(code_W[None], top=top, radius=radius, among=mask)
        images, variants = np.divmod(hits.rows, self._each)
        are_mirrored = np.isin(variants, list(MIRRORED))
        upright, mirrored = (
            Hits(self._ids_M[images[some]], hits.distances[some]) for some in (~are_mirrored, are_mirrored)
        )
        return upright, mirrored


def read(store: Store, held: CodeArray, hasher: Callable[[], Hasher], *, progress: Progress = silent) -> VariantCodes:
    """Variant codes of all images with a thumbnail; an interruption keeps what is finished."""
    path, model = None if store.folder is None else store.folder / FILE, store.get("model")
    known = _still_true(_load(path, model, held.codes_NW.shape[1]), held)
    parts, missing = [known], np.setdiff1d(held.ids_N, known.ids_M)

    def save() -> VariantCodes:
        parts[:] = [_joined(parts)]
        if path is not None and len(parts[0].ids_M) > len(known.ids_M):
            with suppress(OSError):  # only a cache
                _save(path, model, parts[0])
        return parts[0]

    due = time.monotonic() + SAVE_SECONDS
    try:
        for start in range(0, len(missing), BLOCK):
            some = missing[start : start + BLOCK]
            parts.append(_encoded(store.thumbnails(some.tolist()), held, hasher))
            progress("encoding variants", start + len(some), len(missing))
            if time.monotonic() > due:
                save()
                due = time.monotonic() + SAVE_SECONDS
    finally:
        found = save()
    return found


def _encoded(contents: Mapping[int, bytes], held: CodeArray, hasher: Callable[[], Hasher]) -> VariantCodes:
    """Variant codes of images, from their thumbnails; images with a damaged thumbnail are omitted."""
    width = held.codes_NW.shape[1]
    if not contents:
        return _none(width)
    ids_M = np.array(sorted(contents), np.int64)
    own_MW = held.codes_NW[np.searchsorted(held.ids_N, ids_M)]
    work = partial(codes_of, hasher=hasher())
    found = list(in_order(work, zip([contents[id_] for id_ in ids_M.tolist()], own_MW, strict=True), workers=cores()))
    there = [at for at, codes_VW in enumerate(found) if codes_VW is not None]
    codes = [codes_VW for codes_VW in found if codes_VW is not None]
    return VariantCodes(ids_M[there], own_MW[there], np.stack(codes)) if codes else _none(width)


def codes_of(image: tuple[bytes, Codes], *, hasher: Hasher) -> Codes | None:
    """The codes of the variants of an image, (V, W), by its thumbnails and own code; None if they are damaged."""
    content, own_W = image
    try:
        picture = Picture(thumbnails.unpack(content)[0])
    except ImageError:
        return None
    arrays = variants(picture.pixels, hasher.spec, names=NAMES)
    if picture.has_alpha:
        return hasher.encode_together(np.concatenate([arrays, fitted(picture.on_black.pixels, hasher.spec)[None]]))
    return np.concatenate([hasher.encode_together(arrays), own_W[None]])


def _still_true(those: VariantCodes, held: CodeArray) -> VariantCodes:
    """The variant codes of images that still exist with the same code."""
    rows_M = np.searchsorted(held.ids_N, those.ids_M)
    there_M = rows_M < len(held.ids_N)
    there_M[there_M] = held.ids_N[rows_M[there_M]] == those.ids_M[there_M]
    there_M[there_M] = (held.codes_NW[rows_M[there_M]] == those.own_MW[there_M]).all(axis=1)
    return VariantCodes(those.ids_M[there_M], those.own_MW[there_M], those.codes_MVW[there_M])


def _joined(parts: Sequence[VariantCodes]) -> VariantCodes:
    ids_M, own_MW, codes_MVW = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(ids_M, kind="stable")
    return VariantCodes(ids_M[order], own_MW[order], codes_MVW[order])


def _none(width: int) -> VariantCodes:
    return VariantCodes(
        np.empty(0, np.int64), np.empty((0, width), np.uint8), np.empty((0, len(NAMES) + 1, width), np.uint8)
    )


def _load(path: Path | None, model: str, width: int) -> VariantCodes:
    """The file's variant codes for this model; empty if it is missing, damaged or has other variants."""
    none = _none(width)
    if path is not None:
        with suppress(*DAMAGED), path.open("rb") as file:
            values = np.load(file)
            found = VariantCodes(values["ids"], values["own"], values["codes"])
            shapes = [(len(found.ids_M), *column.shape[1:]) for column in none]
            if str(values["of"]) == _of(model) and [column.shape for column in found] == shapes:
                return found
    return none


def _of(model: str) -> str:
    """The model and variants that the codes depend on."""
    return " ".join([model, *NAMES, ON_BLACK])


def is_damaged(path: Path) -> bool:
    """Whether any part of the file is unreadable."""
    try:
        with path.open("rb") as file:
            values = np.load(file)
            return {name: values[name].shape for name in values.files}.keys() != {"of", "ids", "own", "codes"}
    except DAMAGED:
        return True


def _save(path: Path, model: str, those: VariantCodes) -> None:
    with replacing(path, durable=False) as aside, aside.open("wb") as file:
        np.savez(file, of=np.array(_of(model)), ids=those.ids_M, own=those.own_MW, codes=those.codes_MVW)
