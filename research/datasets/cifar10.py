"""CIFAR-10 in its official binary format, converted to a Parquet file.

A batch is 10,000 records of 3,073 bytes: the class, then 32×32 pixels of red, of green and of blue. Source: Krizhevsky,
"Learning multiple layers of features from tiny images", 2009, and https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from lookalike.core.atomic import replacing
from lookalike.core.errors import DataError

FOLDER = "cifar-10-batches-bin"
TABLE = "cifar10-binary.parquet"  # the converted data set
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # of the archive, from the data set's page
SIZE = 170_052_171  # of the archive, bytes
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
NAMES = "batches.meta.txt"
SIDE = 32
COUNT = 60_000  # images of the whole data set
RECORD = 1 + 3 * SIDE * SIDE  # bytes


def is_here(folder: Path) -> bool:
    """Whether a folder holds the official binary format."""
    return all((folder / name).is_file() for name in (*TRAIN, TEST))


def convert(folder: Path, table: Path) -> None:
    """Convert the batches of a folder to one Parquet file of PNG, label and split, training images first.

    Raises `DataError` if a batch is damaged.
    """
    rows = [row for file in (*TRAIN, TEST) for row in _rows(folder / file, _class_names(folder))]
    images, labels, splits = zip(*rows, strict=True)
    with replacing(table) as aside:
        pq.write_table(pa.table({"image": images, "label": labels, "split": splits}), aside, row_group_size=10_000)


def _rows(batch: Path, names: list[str]) -> Iterator[tuple[bytes, str, str]]:
    """Image, label and split of each record of a batch."""
    content = batch.read_bytes()
    if len(content) == 0 or len(content) % RECORD:
        raise DataError(
            f"{batch} has {len(content)} bytes; expected a multiple of {RECORD}. Remove {batch.parent} and fetch it "
            f"again: python -m research fetch cifar10 --data {batch.parent.parent}"
        )
    for number, record in enumerate(np.frombuffer(content, np.uint8).reshape(-1, RECORD)):
        if record[0] >= len(names):
            raise DataError(f"{batch}: record {number} is of class {record[0]}; expected one of 0 to {len(names) - 1}")
        png = io.BytesIO()
        Image.fromarray(record[1:].reshape(3, SIDE, SIDE).transpose(1, 2, 0)).save(png, "PNG")
        yield png.getvalue(), names[record[0]], "test" if batch.name == TEST else "train"


def _class_names(folder: Path) -> list[str]:
    path = folder / NAMES
    return path.read_text(encoding="ascii").split() if path.exists() else [str(number) for number in range(10)]
