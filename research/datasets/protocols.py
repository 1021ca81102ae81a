"""Protocols: which images of a data set train, which are searched for, and which are searched.

    paper           Kim et al., section IV: 20,000 training and 10,000 evaluation images, drawn evenly from the whole
                    data set, the latter 5,000 database and 5,000 queries; of a smaller data set two thirds, a sixth
                    and a sixth
    cifar10-1       100 queries of each class; the other 59,000 images are the database, 500 of each class train
    cifar10-2       the official test images are queries, the 50,000 official training images train and are searched
    cifar10-2-5000  the same, but only 500 images of each class train
    imagenet100     5,000 queries of the validation images, the training images of the 100 classes are the database,
                    130 of each class train
    nuswide21       100 queries of each of the 21 most frequent concepts, 500 of each train, all others are searched
    nuswide81       5,000 queries, all others are searched, 10,000 of these train
    smoke           256, 128 and 128 images drawn evenly: shows that all parts work, and nothing else

"CIFAR-10 (I)" and "(II)" name different things in different papers; ours say what they are.

What an image is, its bytes tell: an image that is there twice counts once, and queries are in neither the database nor
the training images. Every draw is checked for that.

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

SIDE = 16  # pixels of the thumbnails that near-duplicates are found by
NEAR = 0.97  # correlation of two thumbnails; seen by eye, nearly all pairs above are copies, half of those below not
FLAT = 4.0  # grey levels: a thumbnail that varies less has no pattern to compare
BLOCK = 256  # queries compared at a time, of which each takes 4 bytes a database image


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a data set, ascending: what trains, what is searched for, what is searched."""

    train: Rows
    query: Rows
    database: Rows
    left_out: int = 0  # images that were there already, by their bytes


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a data set is divided, and the cutoff of mAP that goes with it."""

    name: str
    draw: Callable[[Dataset, Rows, Random], Split]  # of the rows that are left once copies are out
    cutoff: int | None  # of mAP; None: the whole database
    enough: int | None = None  # images to draw from, where a draw takes few; None: all
    needs_parts: bool = False  # whether it takes the official parts of a data set


def split(dataset: Dataset, protocol: str, *, seed: int, read: Read) -> Split:
    """A data set divided by a protocol, the same for the same seed. `read` gives an item's bytes.

    Raises `DataError` if there is no such protocol, the data set does not fit it, or one of its images is unreadable.
    """
    if protocol not in PROTOCOLS:
        raise DataError(f"there is no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    chosen, random = PROTOCOLS[protocol], np.random.default_rng([seed, 0x5917])
    if chosen.needs_parts and not any(dataset.parts):
        raise DataError(f"protocol {protocol} takes the official parts of a data set, which {dataset.title} has not")
    looked_at = np.arange(len(dataset))
    if chosen.enough and len(dataset) > chosen.enough:  # so that not all of ImageNet must be read
        looked_at = np.sort(random.permutation(looked_at)[: chosen.enough])
    digests = {int(row): _digest(dataset.items[row], read) for row in looked_at}
    rows = first_of_each(digests, dataset.parts)
    drawn = chosen.draw(dataset, rows, random)
    train, query, database = map(np.sort, (drawn.train, drawn.query, drawn.database))
    found = Split(train, query, database, left_out=len(looked_at) - len(rows))
    check(found, digests)
    return found


def _digest(item: Item, read: Read) -> bytes:
    try:
        return content_digest(read(item))
    except (ImageError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{item.name} cannot be read ({reason}); mend it, or take it out of the data set") from error


def first_of_each(digests: Mapping[int, bytes], parts: Sequence[str]) -> Rows:
    """Rows of different content: of copies the first is kept, but a test image rather than a training image."""
    order = sorted(digests, key=lambda row: (parts[row] != "test", row))
    kept: dict[bytes, int] = {}
    for row in order:
        kept.setdefault(digests[row], row)
    return np.array(sorted(kept.values()), np.int64)


def check(found: Split, digests: Mapping[int, bytes]) -> None:
    """Raise `DataError` if a query is among the database or the training images, by its bytes, or a part is empty."""
    query, database, train = ({digests[row] for row in rows} for rows in (found.query, found.database, found.train))
    for name, rows in (("training images", train), ("queries", query), ("database images", database)):
        if not rows:
            raise DataError(f"the protocol leaves no {name}; the data set is too small for it")
    for name, others in (("database", database), ("training images", train)):
        if query & others:
            raise DataError(f"{len(query & others)} queries are also in the {name}: such figures would mean nothing")


def near_duplicates(dataset: Dataset, found: Split, *, read: Read) -> int:
    """Number of queries that a database image almost equals: their grey thumbnails correlate by `NEAR` or more.

    A lower bound, as shifted copies are not seen: of the official CIFAR-10 test images it names 1.3 %, where people who
    looked found 3.3 % (Barz & Denzler 2020, ciFAIR).
    """
    query_QH, database_NH = (_thumbnails(dataset, rows, read) for rows in (found.query, found.database))
    return sum(
        int((query_QH[at : at + BLOCK] @ database_NH.T >= NEAR).any(axis=1).sum())
        for at in range(0, len(query_QH), BLOCK)
    )


def _thumbnails(dataset: Dataset, rows: Rows, read: Read) -> npt.NDArray[np.float32]:
    """Grey thumbnails with mean 0 and length 1, so that a product is a correlation; flat ones are 0."""
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
    """So many rows of each class, each row once: where images have several labels, rare classes choose first."""
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
        Protocol("smoke", _smoke, None, enough=60_000),
        Protocol("cifar10-1", _cifar10_1, None),
        Protocol("cifar10-2", _cifar10_2, None, needs_parts=True),
        Protocol("cifar10-2-5000", _cifar10_2_5000, None, needs_parts=True),
        Protocol("imagenet100", _imagenet100, 1_000, needs_parts=True),
        Protocol("nuswide21", _nuswide21, 5_000),
        Protocol("nuswide81", _nuswide81, 5_000),
    )
}
