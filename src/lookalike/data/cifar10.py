"""CIFAR-10 in its official binary form: the folder `cifar-10-batches-bin`.

An image is a row of a batch, and is named as one: `data_batch_1.bin#12`. A batch is 10,000 records of 3,073 bytes: the
class, then 32×32 pixels of red, of green and of blue. An image is given on as a PPM file, which holds the same pixels.
Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009, and
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lookalike.core.errors import DataError, ImageError
from lookalike.core.mounts import Volume
from lookalike.data.item import UNKNOWN, Item

FOLDER = "cifar-10-batches-bin"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of the archive, as the data set's page gives it
SIZE = 170_052_171  # bytes of the archive
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
NAMES = "batches.meta.txt"
SIDE = 32
COUNT = 60_000  # images of the whole data set
PIXELS = 3 * SIDE * SIDE
RECORD = 1 + PIXELS  # bytes
HEADER = f"P6 {SIDE} {SIDE} 255\n".encode()
_ROW = re.compile(r"((?:data_batch_[1-5]|test_batch)\.bin)#(\d+)")


def is_here(folder: Path) -> bool:
    """Whether a folder holds the official binary form."""
    return all(os.path.isfile(folder / name) for name in (*TRAIN, TEST))


def is_row(path: Path) -> bool:
    """Whether a path names a row of a batch, such as `data_batch_1.bin#12`, rather than a file."""
    return _ROW.fullmatch(path.name) is not None and not os.path.exists(path)


def rows(folder: Path, volume: Volume = UNKNOWN) -> Iterator[Item]:
    """The 60,000 items, those for training first. Raises `DataError` if a file is not as it should be."""
    names = _class_names(folder)
    for file in (*TRAIN, TEST):
        path = folder / file
        status, labels = path.stat(), _labels(path)
        for row, label in enumerate(labels):
            name = _class_name(names, path, row, label)
            item = Item(os.fspath(folder), f"{file}#{row}", status.st_size, status.st_mtime_ns, name, row)
            yield item.seen(status, volume)


def row(path: Path, volume: Volume = UNKNOWN) -> Item:
    """The item of one row, named as `data_batch_1.bin#12`. Raises `DataError` if there is no such batch or row."""
    match = _ROW.fullmatch(path.name)
    file, number = (path.with_name(match[1]), int(match[2])) if match else (path, 0)
    if not file.is_file():
        raise DataError(f"{file} does not exist; name the folder {FOLDER}, or a row of one of its batches")
    status, labels = file.stat(), _labels(file)
    if number >= len(labels):
        raise DataError(f"{path}: the batch has {len(labels)} rows, counted from 0")
    name = _class_name(_class_names(file.parent), file, number, labels[number])
    item = Item(os.fspath(file.parent), f"{file.name}#{number}", status.st_size, status.st_mtime_ns, name, number)
    return item.seen(status, volume)


def part(item: Item) -> str:
    """The official part of an item: `train` or `test`."""
    return "test" if item.path.startswith(TEST) else "train"


def read(item: Item) -> bytes:
    """The image of an item, as a PPM file."""
    with open(item.file, "rb") as file:
        file.seek((item.row or 0) * RECORD + 1)
        planes = file.read(PIXELS)
    if len(planes) != PIXELS:
        raise ImageError("the batch has become shorter since it was listed")
    pixels = bytearray(PIXELS)
    for channel in range(3):
        pixels[channel::3] = planes[channel * SIDE * SIDE : (channel + 1) * SIDE * SIDE]
    return HEADER + bytes(pixels)


def count(item: Item) -> int | None:
    """How many records the batch of an item has; nothing if it cannot be read."""
    try:
        return os.stat(item.file).st_size // RECORD
    except OSError:
        return None


def holds(item: Item) -> bool:
    """Whether the batch of an item has its record."""
    return (item.row or 0) < (count(item) or 0)


def _labels(batch: Path) -> bytes:
    """The class of each record of a batch, a byte each."""
    content = batch.read_bytes()
    if len(content) == 0 or len(content) % RECORD:
        raise DataError(
            f"{batch} has {len(content)} bytes; expected a multiple of {RECORD}. Remove {batch.parent} and fetch it "
            f"anew with: lookalike datasets get cifar10 --data {batch.parent.parent}"
        )
    return content[::RECORD]


def _class_name(names: list[str], batch: Path, row: int, label: int) -> str:
    if label >= len(names):
        raise DataError(f"{batch}: record {row} is of class {label}; expected one of 0 to {len(names) - 1}")
    return names[label]


def _class_names(folder: Path) -> list[str]:
    path = folder / NAMES
    if not path.exists():
        return [str(number) for number in range(10)]
    return path.read_text(encoding="ascii").split()
