"""Protocols draw the stated numbers, uniformly or by class, disjoint by content, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import data
from lookalike.core.errors import DataError, ImageError
from lookalike.data import Item, Label
from research import datasets
from research.datasets import Dataset, protocols
from research.datasets.protocols import Split
from tests.conftest import encoded


def make(labels: Sequence[Label], parts: Sequence[str] = ()) -> Dataset:
    """A data set in which the content of each item is its row, if read by `read`."""
    items = tuple(Item("/data", str(row), 1, 1, label) for row, label in enumerate(labels))
    return Dataset("made", "made up", items, tuple(parts) or ("",) * len(items))


def read(item: Item) -> bytes:
    return item.path.encode()


def of_classes(classes: int, each: int) -> list[str]:
    return [f"class{row % classes}" for row in range(classes * each)]


def cifar10(train: int, test: int) -> Dataset:
    """Two classes with given numbers of training and test images each."""
    return make(of_classes(2, train) + of_classes(2, test), ["train"] * 2 * train + ["test"] * 2 * test)


def imagenet(train: int, test: int) -> Dataset:
    """Three classes with a given number of training images each, and a total number of test images."""
    labels = of_classes(3, train) + [f"class{row % 3}" for row in range(test)]
    return make(labels, ["train"] * 3 * train + ["test"] * test)


def nuswide(size: int) -> Dataset:
    """Every image has label a; every second also b; every fourth also c."""
    return make([("a", "b", "c") if row % 4 == 0 else ("a", "b") if row % 2 == 0 else ("a",) for row in range(size)])


MADE: dict[str, Callable[[], Dataset]] = {
    "paper": lambda: make([None] * 600),
    "unseen": lambda: make(of_classes(8, 50)),
    "smoke": lambda: make([None] * 1000),
    "cifar10-1": lambda: cifar10(600, 100),
    "cifar10-2": lambda: cifar10(50, 20),
    "cifar10-2-5000": lambda: cifar10(510, 20),
    "imagenet100": lambda: imagenet(200, 5_500),
    "nuswide21": lambda: nuswide(4_000),
    "nuswide81": lambda: nuswide(16_000),
}
SIZES = {  # queries, database, training images
    "paper": (100, 100, 400),
    "unseen": (50, 50, 300),
    "smoke": (128, 128, 256),
    "cifar10-1": (200, 1_200, 1_000),
    "cifar10-2": (40, 100, 100),
    "cifar10-2-5000": (40, 1_020, 1_000),
    "imagenet100": (5_000, 600, 390),
    "nuswide21": (300, 3_700, 1_500),
    "nuswide81": (5_000, 11_000, 10_000),
}
TOO_SMALL: dict[str, tuple[Dataset, str]] = {
    "paper": (make([None] * 5), "leaves no queries; the data set is too small"),
    "unseen": (make(of_classes(3, 9)), "leaves a quarter of the classes out; made up has 3"),
    "smoke": (make([None] * 384), "leaves no database images; the data set is too small"),
    "cifar10-1": (cifar10(590, 0), "class class0 has 490 images to choose from; the protocol needs 500"),
    "cifar10-2": (cifar10(50, 0), "leaves no queries"),
    "cifar10-2-5000": (cifar10(499, 20), "class class0 has 499 images to choose from; the protocol needs 500"),
    "imagenet100": (imagenet(129, 10), "class class0 has 129 images to choose from; the protocol needs 130"),
    "nuswide21": (nuswide(2_000), r"class c has \d+ images to choose from; the protocol needs 500"),
    "nuswide81": (nuswide(14_999), "has 14999 different images; the protocol needs at least 15,000"),
}


@pytest.fixture(scope="module", params=protocols.PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def rows(split: Split) -> list[list[int]]:
    return [part.tolist() for part in (split.query, split.database, split.train)]


def labels(dataset: Dataset, part: protocols.Rows) -> Counter[str]:
    """The number of rows with each label."""
    found: Counter[str] = Counter()
    for row in part:
        label = dataset.items[row].label
        found.update(label if isinstance(label, tuple) else [str(label)])
    return found


def test_every_protocol_is_tested() -> None:
    assert MADE.keys() == SIZES.keys() == TOO_SMALL.keys() == protocols.PROTOCOLS.keys()


def test_parts_have_their_sizes_and_no_query_is_known(protocol: str) -> None:
    dataset = MADE[protocol]()
    split = protocols.split(dataset, protocol, seed=0, read=read)
    query, database, train = rows(split)
    assert (len(query), len(database), len(train)) == SIZES[protocol]
    for part in (query, database, train):
        assert part == sorted(set(part))
        assert set(part) <= set(range(len(dataset)))
    assert not set(query) & (set(database) | set(train))
    if protocol in ("paper", "unseen", "smoke"):
        assert not set(database) & set(train)
    else:
        assert set(train) <= set(database)
    assert split.left_out == 0


def test_the_seed_decides_and_nothing_else(protocol: str) -> None:
    dataset = MADE[protocol]()
    first, again, other = (rows(protocols.split(dataset, protocol, seed=seed, read=read)) for seed in (0, 0, 1))
    assert first == again
    if protocol == "cifar10-2":
        assert first == other  # its split is official
    else:
        assert first != other


def test_too_small_a_data_set_is_reported(protocol: str) -> None:
    dataset, message = TOO_SMALL[protocol]
    with pytest.raises(DataError, match=message):
        protocols.split(dataset, protocol, seed=0, read=read)


def test_official_parts_stay_apart() -> None:
    for protocol in ("cifar10-2", "cifar10-2-5000", "imagenet100"):
        dataset = MADE[protocol]()
        split = protocols.split(dataset, protocol, seed=0, read=read)
        assert {dataset.parts[row] for row in split.query} == {"test"}
        assert {dataset.parts[row] for row in (*split.database, *split.train)} == {"train"}


@pytest.mark.parametrize(
    ("protocol", "query", "train"), [("cifar10-1", 100, 500), ("cifar10-2-5000", 20, 500), ("imagenet100", None, 130)]
)
def test_classes_are_drawn_evenly(protocol: str, query: int | None, train: int) -> None:
    dataset = MADE[protocol]()
    split = protocols.split(dataset, protocol, seed=3, read=read)
    assert set(labels(dataset, split.train).values()) == {train}
    if query is not None:
        assert set(labels(dataset, split.query).values()) == {query}


def test_of_several_labels_each_has_enough_and_no_image_counts_twice() -> None:
    dataset = MADE["nuswide21"]()
    split = protocols.split(dataset, "nuswide21", seed=0, read=read)
    for part, each in ((split.query, 100), (split.train, 500)):
        assert len(part) == 3 * each
        assert min(labels(dataset, part).values()) >= each


def test_images_without_a_label_are_searched_but_not_drawn() -> None:
    dataset = make([*of_classes(2, 600), None, ()])
    split = protocols.split(dataset, "cifar10-1", seed=0, read=read)
    assert {1_200, 1_201} <= set(split.database.tolist())
    assert not {1_200, 1_201} & {*split.query.tolist(), *split.train.tolist()}


# Copies


def test_copies_across_parts_are_excluded_and_the_test_image_stays() -> None:
    dataset = cifar10(510, 20)  # rows 0 to 1019 train, the others test

    def content(item: Item) -> bytes:
        return {"3": b"1020", "5": b"1021", "7": b"8", "1039": b"1038"}.get(item.path, read(item))

    split = protocols.split(dataset, "cifar10-2", seed=0, read=content)
    assert split.left_out == 4
    assert split.query.tolist() == [row for row in range(1020, 1060) if row != 1039]
    assert split.train.tolist() == [row for row in range(1020) if row not in (3, 5, 8)]


def test_no_content_is_on_both_sides_whatever_is_drawn(protocol: str) -> None:
    dataset = MADE[protocol]()

    def content(item: Item) -> bytes:
        """The first ten images are copies of the last."""
        return read(item) if int(item.path) >= 10 else str(len(dataset) - 1 - int(item.path)).encode()

    split = protocols.split(dataset, protocol, seed=0, read=content)
    query, database, train = ({content(dataset.items[row]) for row in part} for part in rows(split))
    assert not query & (database | train)
    assert split.left_out == 10


def test_first_of_each_prefers_test_images() -> None:
    parts = ["train", "train", "test", "train", "test"]
    assert protocols.first_of_each(dict(enumerate([b"a", b"b", b"a", b"b", b"a"])), parts).tolist() == [1, 2]
    assert protocols.first_of_each({}, []).tolist() == []


@pytest.mark.parametrize(
    ("query", "database", "train", "message"),
    [
        ([0], [1, 2], [3, 4], "1 queries are also in the database: such figures would mean nothing"),
        ([0, 3], [1], [3, 4], "1 queries are also in the training images"),
        ([], [1], [3], "leaves no queries"),
        ([0], [], [3], "leaves no database images"),
        ([0], [1], [], "leaves no training images"),
    ],
)
def test_what_is_drawn_is_checked_by_content(
    query: list[int], database: list[int], train: list[int], message: str
) -> None:
    digests = dict(enumerate([b"x", b"y", b"x", b"z", b"w"]))  # 0 and 2 are copies
    drawn = Split(np.array(train, np.int64), np.array(query, np.int64), np.array(database, np.int64))
    with pytest.raises(DataError, match=message):
        protocols.check(drawn, digests)


def test_of_a_huge_data_set_only_what_may_be_drawn_is_read() -> None:
    read_items: list[Item] = []

    def count(item: Item) -> bytes:
        read_items.append(item)
        return read(item)

    huge = make([None] * 100_000)
    found = protocols.split(huge, "paper", seed=0, read=count)
    assert len(read_items) == 60_000
    assert (len(found.train), len(found.query), len(found.database)) == (20_000, 5_000, 5_000)
    everything = np.concatenate([found.train, found.query, found.database])
    assert everything.mean() == pytest.approx(50_000, rel=0.02)  # uniformly from the whole data set
    assert rows(protocols.split(huge, "paper", seed=0, read=read)) == rows(found)


def test_an_unknown_protocol_is_named_with_those_there_are() -> None:
    with pytest.raises(DataError, match=r"no protocol 'cifar'; there are paper, unseen, smoke, cifar10-1, "):
        protocols.split(make([None] * 9), "cifar", seed=0, read=read)


@pytest.mark.parametrize("error", [ImageError("not an image"), FileNotFoundError(2, "No such file or directory")])
def test_an_image_that_cannot_be_read_is_named(error: Exception) -> None:
    def fail(item: Item) -> bytes:
        if item.path == "7":
            raise error
        return read(item)

    with pytest.raises(
        DataError, match=r"/data/7 cannot be read \((not an image|No such file or directory)\); repair it"
    ):
        protocols.split(make([None] * 9), "paper", seed=0, read=fail)


# Near-duplicates


def test_recompressed_copies_are_near_and_other_pictures_are_not(pictures: list[Image.Image]) -> None:
    distinct = pictures[:12]
    contents = [encoded(picture, "png") for picture in distinct[:10]]  # the database
    contents += [encoded(distinct[3], "jpg", quality=40), encoded(distinct[10], "jpg"), encoded(distinct[11], "png")]
    contents += [encoded(distinct[5].resize((48, 48)), "jpg"), encoded(Image.new("L", (32, 32), 90), "png")]
    contents += [encoded(Image.new("L", (32, 32), 90), "jpg")]  # flat like the one before, so not comparable
    dataset = make([None] * len(contents))
    split = Split(np.arange(1), np.array([10, 11, 12, 13, 15]), np.array([*range(10), 14]))
    near = protocols.near_duplicates(dataset, split, read=lambda item: contents[int(item.path)])
    assert near == 2  # rows 10 and 13


def test_near_duplicates_are_counted_in_blocks_as_in_one(
    pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [encoded(picture, "png") for picture in pictures[:8]]
    contents += [encoded(picture, "jpg", quality=60) for picture in pictures[:8]]
    split = Split(np.arange(1), np.arange(8, 16), np.arange(8))
    dataset = make([None] * 16)
    found = []
    for block in (1, 3, 100):
        monkeypatch.setattr(protocols, "BLOCK", block)
        found.append(protocols.near_duplicates(dataset, split, read=lambda item: contents[int(item.path)]))
    assert found == [8, 8, 8]


# The real one


def test_the_papers_protocol_on_cifar10(shared_data: Path) -> None:
    pytest.importorskip("pyarrow")
    if not (shared_data / "cifar10.parquet").exists():
        pytest.skip(f"{shared_data / 'cifar10.parquet'} is absent")
    dataset = datasets.load("cifar10", shared_data)
    split = protocols.split(dataset, "paper", seed=0, read=data.read_bytes)
    assert (len(split.train), len(split.database), len(split.query)) == (20_000, 5_000, 5_000)
    assert Counter(dataset.parts) == {"train": 50_000, "test": 10_000}
    assert all(1_700 < count < 2_300 for count in labels(dataset, split.train).values())  # drawn evenly


def test_classes_of_queries_are_unseen_in_training() -> None:
    for seed in range(3):
        dataset = make(of_classes(9, 20))
        found = protocols.split(dataset, "unseen", seed=seed, read=read)
        seen, query, database = (
            {dataset.items[row].label for row in rows} for rows in (found.train, found.query, found.database)
        )
        assert (len(seen), len(query | database)) == (7, 2)
        assert not seen & (query | database)
    with pytest.raises(DataError, match="each image of made up must have a single label"):
        protocols.split(nuswide(100), "unseen", seed=0, read=read)
