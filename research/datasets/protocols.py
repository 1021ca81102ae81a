"""Protocols: how a data set is split into training images, database and queries.

    paper           Kim et al., section IV: 20,000 training, 5,000 database and 5,000 query images, drawn uniformly from
                    the whole data set; two thirds, a sixth and a sixth of a smaller data set
    cifar10-1       queries: 100 of each class; database: the other 59,000 images; training: 500 of these per class
    cifar10-2       queries: the official test images; database and training: the 50,000 official training images
    cifar10-2-5000  the same, but training with only 500 images of each class
    imagenet100     queries: 5,000 validation images; database: the training images of the 100 classes; training: 130 of
                    these per class
    nuswide21       queries: 100 of each of the 21 most frequent concepts; database: all others; training: 500 of these
                    per concept
    nuswide81       queries: 5,000; database: all others; training: 10,000 of these
    unseen          training: at most 20,000 images of three quarters of the classes; queries and database: half of the
                    images of the other classes each, at most 5,000 (Sablayrolles, Douze, Usunier, Jégou, "How should we
                    evaluate supervised hashing?", ICASSP 2017). For single labels
    smoke           256, 128 and 128 images drawn uniformly; shows only that all parts work

Papers disagree on the meaning of "CIFAR-10 (I)" and "(II)"; ours is as above.

Images are identified by their bytes: of byte-identical copies only one is used, and queries are in neither the database
nor the training images. Every split is checked for that.

Shapes: N images of the data set, H pixels of a thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import DataError, ImageError
from lookalike.data.item import Item, content_digest
from lookalike.imaging import decode
from research.datasets import Dataset

Rows = npt.NDArray[np.int64]
Random = np.random.Generator
Read = Callable[[Item], bytes]

SIDE = 16  # pixels of the thumbnails for finding near-duplicates
NEAR = 0.97  # correlation of thumbnails; on inspection, nearly all pairs above are copies, but only half of those below
FLAT = 4.0  # grey levels: a thumbnail with less variation has no pattern to compare
BLOCK = 256  # queries compared at a time; each needs 4 bytes per database image


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a data set, ascending: training images, queries, database."""

    train: Rows
    query: Rows
    database: Rows
    left_out: int = 0  # byte-identical copies of other images


@dataclass(frozen=True, slots=True)
class Protocol:
    """How to split a data set, and the cutoff of its mAP."""

    name: str
    draw: Callable[[Dataset, Rows, Random], Split]  # draws from the rows without copies
    cutoff: int | None  # of mAP; None: the whole database
    enough: int | None = None  # images to draw from, for a small split; None: all
    needs_parts: bool = False  # whether it needs the official split of the data set


def split(dataset: Dataset, protocol: str, *, seed: int, read: Read) -> Split:
    """Split a data set by a protocol; the same seed gives the same split. `read` returns an item's bytes.

    Raises `DataError` if there is no such protocol, the data set does not fit it, or one of its images is unreadable.
    """
    if protocol not in PROTOCOLS:
        raise DataError(f"there is no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    chosen, random = PROTOCOLS[protocol], np.random.default_rng([seed, 0x5917])
    if chosen.needs_parts and not any(dataset.parts):
        raise DataError(f"protocol {protocol} needs an official split, which {dataset.title} does not have")
    candidates = np.arange(len(dataset))
    if chosen.enough and len(dataset) > chosen.enough:  # avoids reading all of ImageNet
        candidates = np.sort(random.permutation(candidates)[: chosen.enough])
    digests = {int(row): _digest(dataset.items[row], read) for row in candidates}
    rows = first_of_each(digests, dataset.parts)
    drawn = chosen.draw(dataset, rows, random)
    train, query, database = map(np.sort, (drawn.train, drawn.query, drawn.database))
    found = Split(train, query, database, left_out=len(candidates) - len(rows))
    check(found, digests)
    return found


def _digest(item: Item, read: Read) -> bytes:
    try:
        return content_digest(read(item))
    except (ImageError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{item.name} cannot be read ({reason}); repair it, or remove it from the data set") from error


def first_of_each(digests: Mapping[int, bytes], parts: Sequence[str]) -> Rows:
    """Rows without byte-identical copies: of copies the first test image is kept, else the first image."""
    order = sorted(digests, key=lambda row: (parts[row] != "test", row))
    kept: dict[bytes, int] = {}
    for row in order:
        kept.setdefault(digests[row], row)
    return np.array(sorted(kept.values()), np.int64)


def check(found: Split, digests: Mapping[int, bytes]) -> None:
    """Raise `DataError` if a query is also in the database or training images, by its bytes, or a part is empty."""
    query, database, train = ({digests[row] for row in rows} for rows in (found.query, found.database, found.train))
    for name, rows in (("training images", train), ("queries", query), ("database images", database)):
        if not rows:
            raise DataError(f"the protocol leaves no {name}; the data set is too small for it")
    for name, others in (("database", database), ("training images", train)):
        if query & others:
            raise DataError(f"{len(query & others)} queries are also in the {name}: such figures would mean nothing")


def near_duplicates(dataset: Dataset, found: Split, *, read: Read) -> int:
    """Number of queries with a near-duplicate in the database: a correlation of thumbnails of at least `NEAR`.

    A lower bound, since shifted copies are not found: for the official CIFAR-10 test images it is 1.3 %, against 3.3 %
    found by inspection (Barz & Denzler 2020, ciFAIR).
    """
    query_QH, database_NH = (_thumbnails(dataset, rows, read) for rows in (found.query, found.database))
    return sum(
        int((query_QH[at : at + BLOCK] @ database_NH.T >= NEAR).any(axis=1).sum())
        for at in range(0, len(query_QH), BLOCK)
    )


def _thumbnails(dataset: Dataset, rows: Rows, read: Read) -> npt.NDArray[np.float32]:
    """Grey thumbnails with mean 0 and length 1, so that their product is the correlation; 0 if flat."""
    spec = decode.ImageSpec(side=SIDE)
    thumbnails_NH = np.stack([decode.read(read(dataset.items[row]), spec).reshape(-1) for row in rows])
    centred_NH = thumbnails_NH.astype(np.float32) - thumbnails_NH.mean(axis=1, keepdims=True, dtype=np.float32)
    deviation_N1 = centred_NH.std(axis=1, keepdims=True)
    return np.where(deviation_N1 > FLAT, centred_NH / np.maximum(deviation_N1, 1) / SIDE, 0).astype(np.float32)


def _paper(dataset: Dataset, rows: Rows, random: Random) -> Split:
    train, database = min(20_000, 2 * len(rows) // 3), min(5_000, len(rows) // 6)
    order = random.permutation(rows)
    evaluation = order[train : train + 2 * database]
    return Split(order[:train], evaluation[database:], evaluation[:database])


def _unseen(dataset: Dataset, rows: Rows, random: Random) -> Split:
    labels = [dataset.items[row].label for row in rows]
    if not all(isinstance(label, str) for label in labels):
        raise DataError(f"protocol unseen divides classes, so each image of {dataset.title} must have a single label")
    names = sorted({str(label) for label in labels})
    if len(names) < 4:
        raise DataError(f"protocol unseen leaves a quarter of the classes out; {dataset.title} has {len(names)}")
    seen = set(random.permutation(names)[: -(len(names) // 4)].tolist())
    is_seen_N = np.array([label in seen for label in labels])
    others = random.permutation(rows[~is_seen_N])
    half = min(5_000, len(others) // 2)
    return Split(random.permutation(rows[is_seen_N])[:20_000], others[:half], others[half : 2 * half])


def _smoke(dataset: Dataset, rows: Rows, random: Random) -> Split:
    order = random.permutation(rows)[:512]
    return Split(order[:256], order[256:384], order[384:])


def _cifar10_1(dataset: Dataset, rows: Rows, random: Random) -> Split:
    query = _of_each_class(dataset, rows, random, 100)
    database = np.setdiff1d(rows, query)
    return Split(_of_each_class(dataset, database, random, 500), query, database)


def _cifar10_2(dataset: Dataset, rows: Rows, random: Random) -> Split:
    train = _of_part(dataset, rows, "train")
    return Split(train, _of_part(dataset, rows, "test"), train)


def _cifar10_2_5000(dataset: Dataset, rows: Rows, random: Random) -> Split:
    train = _of_part(dataset, rows, "train")
    return Split(_of_each_class(dataset, train, random, 500), _of_part(dataset, rows, "test"), train)


def _imagenet100(dataset: Dataset, rows: Rows, random: Random) -> Split:
    database, held_out = _of_part(dataset, rows, "train"), _of_part(dataset, rows, "test")
    return Split(_of_each_class(dataset, database, random, 130), random.permutation(held_out)[:5_000], database)


def _nuswide21(dataset: Dataset, rows: Rows, random: Random) -> Split:
    query = _of_each_class(dataset, rows, random, 100)
    database = np.setdiff1d(rows, query)
    return Split(_of_each_class(dataset, database, random, 500), query, database)


def _nuswide81(dataset: Dataset, rows: Rows, random: Random) -> Split:
    if len(rows) < 15_000:
        raise DataError(f"the data set has {len(rows)} different images; the protocol needs at least 15,000")
    order = random.permutation(rows)
    return Split(random.permutation(order[5_000:])[:10_000], order[:5_000], order[5_000:])


def _of_part(dataset: Dataset, rows: Rows, part: str) -> Rows:
    return np.array([row for row in rows if dataset.parts[row] == part], np.int64)


def _of_each_class(dataset: Dataset, rows: Rows, random: Random, count: int) -> Rows:
    """`count` rows of each class without repetitions; with several labels per image, rare classes choose first."""
    by_class: dict[str, list[int]] = {}
    for row in rows:
        label = dataset.items[row].label
        for name in label if isinstance(label, tuple) else (str(label),) if label is not None else ():
            by_class.setdefault(name, []).append(int(row))
    taken: set[int] = set()
    for name in sorted(by_class, key=lambda name: (len(by_class[name]), name)):
        free = np.array([row for row in by_class[name] if row not in taken], np.int64)
        if len(free) < count:
            raise DataError(f"class {name} has {len(free)} images to choose from; the protocol needs {count}")
        taken.update(random.permutation(free)[:count].tolist())
    return np.array(sorted(taken), np.int64)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("paper", _paper, None, enough=60_000),
        Protocol("unseen", _unseen, None, enough=60_000),
        Protocol("smoke", _smoke, None, enough=60_000),
        Protocol("cifar10-1", _cifar10_1, None),
        Protocol("cifar10-2", _cifar10_2, None, needs_parts=True),
        Protocol("cifar10-2-5000", _cifar10_2_5000, None, needs_parts=True),
        Protocol("imagenet100", _imagenet100, 1_000, needs_parts=True),
        Protocol("nuswide21", _nuswide21, 5_000),
        Protocol("nuswide81", _nuswide81, 5_000),
    )
}
