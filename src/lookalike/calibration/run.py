"""Calibration of a database: how often its searches are right.

    copies      some images, edited in one way of each kind: are they called copies of their images?
    no copies   images of a background, or else some of the collection among the others: is any called a copy?

Searches are those of `Database.search`. A background is said to have no copies, so each match is wrong; its images with
the bytes or pixels of an indexed one are left out. A match between two images of the collection may be right, so it is
only suspected, and listed. Labels of pairs settle both.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from PIL import Image

from lookalike import data
from lookalike.calibration import rates
from lookalike.calibration.pairs import Content, Labelled, Says, content_of
from lookalike.calibration.stored import Calibration, Rate
from lookalike.core.errors import DatabaseError, DataError, ImageError, LookalikeError
from lookalike.core.progress import Progress, silent
from lookalike.hasher import Hasher
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import perturb
from lookalike.imaging.files import content_digest
from lookalike.imaging.isolation.decoders import Decoders
from lookalike.store import originals
from lookalike.store.derived.results import Hit
from lookalike.store.folder import FolderStore
from lookalike.store.records import Record
from lookalike.verification.verdict import Relation

T = TypeVar("T")

IMAGES = 100
SIDE = 512  # pixels of an image that is edited, at most
PAIRED = 5_000  # images whose codes are all compared with each other
DRAWN = 10  # times as many images as are needed: some have the same bytes, or too little content


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """What to search for."""

    background: str | PathLike[str] | None = None  # a folder of images that have no copy in the collection
    images: int = IMAGES  # of the collection: edited, and without a background searched for among the others; at most
    seed: int = 0


class CalibrationReport(NamedTuple):
    """A calibration, and the images and pairs that a person may want to look at."""

    calibration: Calibration
    suspected: list[Labelled]  # pairs that were called copies and have no label; labelled as they were counted
    present: list[str]  # images of the background that the collection has; left out
    unreadable: list[str]  # errors of images of the background


class _Answer(Protocol):
    """What a search found."""

    @property
    def hits(self) -> list[Hit]:
        """The hits."""

    @property
    def unverified(self) -> int:
        """Number of candidates that could not be verified."""


Search = Callable[[bytes | Record], _Answer]  # for an encoded image, or one of the database


@dataclass(slots=True)
class _Tally:
    """What searches for images without a copy have found so far."""

    store: FolderStore
    says: Says
    has_background: bool
    queries: int = 0
    unverified: int = 0
    wrong: set[tuple[Content, int]] = field(default_factory=set)  # queries, and ids of images
    suspected: set[tuple[Content, int]] = field(default_factory=set)
    unlabelled: dict[frozenset[Content], Labelled] = field(default_factory=dict)

    def add(self, query: Content, name: str, answer: _Answer) -> None:
        """Count the answer to one query."""
        self.queries += 1
        self.unverified += answer.unverified > 0 or not any(hit.verified for hit in answer.hits)
        copies = {hit.id: hit for hit in answer.hits if hit.relation is Relation.EDITED}
        for id_, record in self.store.records(list(copies)).items():
            pair = frozenset([query, content_of(record)])
            is_same = self.says.get(pair)
            if is_same is None:
                self.unlabelled.setdefault(pair, Labelled(name, record.name, not self.has_background))
            if is_same is False or (is_same is None and self.has_background):
                self.wrong.add((query, id_))
            elif is_same is None:
                self.suspected.add((query, id_))

    def per_query(self) -> Rate:
        """The rate of queries that were called a copy of any image."""
        wrong, suspected = ({query for query, _ in pairs} for pairs in (self.wrong, self.suspected))
        return rates.of_trials(len(wrong), self.queries, suspected=len(suspected - wrong))


def run(
    store: FolderStore, hasher: Hasher, search: Search, decoders: Decoders, options: CalibrationOptions, *,
    says: Says, progress: Progress = silent,
) -> CalibrationReport:  # fmt: skip
    """The calibration of a store; `says`: labels of pairs.

    Raises `DatabaseError` for too few images or unreadable ones, `DataError` for a background that is of no use.
    """
    background = None if options.background is None else data.find(options.background)
    records = _draw(store, options)
    others = store.count() - (background is None)
    if not records or not others:
        raise DatabaseError(
            f"{store.location} has {store.count()} images, which are too few; index more, or give --background FOLDER"
            if records
            else f"{store.location} has no images with enough content to be searched for; index some first"
        )
    copies = _copies(records, store, search, decoders, options.seed, progress)
    tally, present, unreadable = _Tally(store, says, background is not None), list[str](), list[str]()
    if background is None:
        for record in _counted(records, "searching", progress):
            tally.add(content_of(record), record.name, search(record))
    else:
        present, unreadable = _from_outside(background, tally, search, progress)
    calibration = Calibration(
        model=hasher.digest,
        at=int(time.time()),
        images=store.count(),
        similar=_similar(store, hasher, options.seed),
        has_background=background is not None,
        per_query=tally.per_query(),
        per_pair=rates.of_pairs(tally.wrong, tally.suspected, queries=tally.queries, images=others),
        copies=copies,
        unverified=tally.unverified,
    )
    return CalibrationReport(calibration, list(tally.unlabelled.values()), present, unreadable)


def _draw(store: FolderStore, options: CalibrationOptions) -> list[Record]:
    """Images drawn at random: each content once, none with too little content."""
    ids_N = store.code_array().ids_N
    order = np.random.default_rng(options.seed).permutation(ids_N)[: DRAWN * options.images].tolist()
    records = store.records(order)
    drawn: dict[Content, Record] = {}
    for id_ in order:
        if id_ in records and not records[id_].is_low_information:
            drawn.setdefault(content_of(records[id_]), records[id_])
    return list(drawn.values())[: options.images]


def _copies(
    records: Sequence[Record], store: FolderStore, search: Search, decoders: Decoders, seed: int, progress: Progress
) -> dict[str, Rate]:
    """Of edited copies of images, the rate that is called a copy of the right one, by kind of edit."""
    found, tried = dict.fromkeys(rates.MIX, 0), 0
    for record in _counted(records, "copies", progress):
        pixels_HW3 = _pixels(record, store, decoders)
        if pixels_HW3 is None:
            continue
        right = {record.id, *(one.id for one in store.with_digest(record.digest or b""))}
        for kind, edit in rates.edits(tried).items():
            copy = _encoded(perturb(pixels_HW3, *edit, seed=seed + tried))
            found[kind] += any(hit.relation.is_copy and hit.id in right for hit in search(copy).hits)
        tried += 1
    if not tried:
        raise DatabaseError(
            f"none of {len(records)} images could be read, so no copies could be made; calibrate where the files are. "
            "Nothing was changed"
        )
    return {kind: rates.of_trials(count, tried) for kind, count in found.items()}


def _from_outside(
    items: Sequence[data.Item], tally: _Tally, search: Search, progress: Progress
) -> tuple[list[str], list[str]]:
    """Search for each content of a background; what the collection has, and what could not be read, are left out."""
    seen, present, unreadable = set[bytes](), list[str](), list[str]()
    for item in _counted(items, "background", progress):
        try:
            content = data.read_bytes(item)
            digest = content_digest(content)
            if digest in seen:
                continue
            seen.add(digest)
            answer = search(content)
        except (ImageError, OSError) as error:
            unreadable.append(f"{item.name}: {getattr(error, 'strerror', None) or error}")
            continue
        if any(hit.relation in (Relation.EXACT, Relation.SAME_PIXELS) for hit in answer.hits):
            present.append(item.name)
        else:
            tally.add(digest, item.name, answer)
    if not tally.queries:
        raise DataError(
            f"none of the {len(items)} images of the background can be used: {len(present)} are in the collection, "
            f"{len(unreadable)} are unreadable; choose a folder of images that have no copy there"
        )
    return present, unreadable


def _counted(values: Sequence[T], stage: str, progress: Progress) -> Iterator[T]:
    for done, value in enumerate(values, 1):
        yield value
        progress(stage, done, len(values))


def _pixels(record: Record, store: FolderStore, decoders: Decoders) -> Array | None:
    """The indexed image, reduced; None if it is unreadable and no original is kept."""
    with originals.opened(record, store.folder, decoders) as image:
        try:
            return None if image is None else image.picture(SIDE)
        except LookalikeError:
            return None


def _encoded(pixels_HW3: Array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels_HW3).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _similar(store: FolderStore, hasher: Hasher, seed: int) -> int:
    codes_NW = store.code_array().codes_NW
    rows = np.sort(np.random.default_rng(seed).permutation(len(codes_NW))[:PAIRED])
    own = hasher.info
    return rates.similar(np.ascontiguousarray(codes_NW[rows]), own=own.similar, least=max(0, own.duplicate))
