"""CIFAR-10's official binary batches: pixels as they are, rows with names, damage said in words, indexing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike import data
from lookalike.core.errors import DataError, ImageError
from lookalike.data import cifar10
from lookalike.database import Database
from lookalike.imaging import decode

from .layouts import ROWS, batch, make_cifar10


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """A folder in the official layout with 4 images a batch."""
    return make_cifar10(tmp_path / cifar10.FOLDER)


def pixels(file: int, row: int) -> npt.NDArray[np.uint8]:
    """The pixels that the layout has in a row of a batch, (32, 32, 3)."""
    record = np.frombuffer(batch(file)[row * cifar10.RECORD :][: cifar10.RECORD], np.uint8)
    return record[1:].reshape(3, 32, 32).transpose(1, 2, 0)


def test_every_image_is_an_item_with_its_class(batches: Path) -> None:
    items = data.find(batches)
    assert [item.path for item in items] == [
        f"{name}#{row}" for name in (*cifar10.TRAIN, cifar10.TEST) for row in range(ROWS)
    ]
    assert [item.label for item in items[:ROWS]] == ["airplane", "automobile", "bird", "cat"]
    assert {item.root for item in items} == {os.fspath(batches)}
    assert [cifar10.part(item) for item in items] == ["train"] * 5 * ROWS + ["test"] * ROWS
    assert all(map(data.exists, items))


def test_pixels_are_those_of_the_batch(batches: Path) -> None:
    spec = decode.ImageSpec(side=32, colour=True)
    for number, item in enumerate(data.find(batches)):
        shown = decode.read(data.read_bytes(item), spec)
        assert np.array_equal(shown, pixels(number // ROWS, number % ROWS)), item.path


def test_without_the_names_classes_are_numbers(batches: Path) -> None:
    (batches / cifar10.NAMES).unlink()
    assert [item.label for item in data.find(batches)[:3]] == ["0", "1", "2"]


def test_a_row_is_named_with_its_number(batches: Path) -> None:
    items = data.find(batches)
    for name, number in (
        ("data_batch_1.bin#2", 2),
        ("data_batch_5.bin#0", 4 * ROWS),
        ("test_batch.bin#3", 5 * ROWS + 3),
    ):
        assert data.find(batches / name) == [items[number]]
    assert data.find([batches / "test_batch.bin#1", batches])[:2] == [items[5 * ROWS + 1], items[0]]


@pytest.mark.parametrize("row", [ROWS, 10**30])
def test_a_row_that_is_not_there_says_how_many_are(batches: Path, row: int) -> None:
    with pytest.raises(DataError, match=r"data_batch_1\.bin#\d+: the batch has 4 rows, counted from 0"):
        data.find(batches / f"data_batch_1.bin#{row}")


@pytest.mark.parametrize(
    "name", ["data_batch_6.bin#0", "data_batch_1.bin#", "data_batch_1.bin#x", "my_test_batch.bin#0"]
)
def test_other_names_are_no_rows(batches: Path, name: str) -> None:
    with pytest.raises(DataError, match="does not exist; name a folder"):
        data.find(batches / name)


def test_a_row_of_a_batch_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test_batch\.bin does not exist; name the folder cifar-10-batches-bin"):
        data.find(tmp_path / "test_batch.bin#0")


def test_a_file_of_that_name_is_a_file(tmp_path: Path, photo_bytes: list[bytes]) -> None:
    path = tmp_path / "data_batch_1.bin#3"
    path.write_bytes(photo_bytes[0])
    (item,) = data.find(path)
    assert item.row is None
    assert data.read_bytes(item) == photo_bytes[0]


def test_a_folder_without_all_batches_is_an_ordinary_folder(batches: Path) -> None:
    (batches / "data_batch_3.bin").unlink()
    assert not cifar10.is_here(batches)
    assert all(item.row is None for item in data.find(batches))


@pytest.mark.parametrize("size", [0, 1, cifar10.RECORD - 1, 2 * cifar10.RECORD + 5])
def test_a_damaged_batch_is_named_with_its_size(batches: Path, size: int) -> None:
    (batches / "data_batch_2.bin").write_bytes(bytes(size))
    message = rf"data_batch_2\.bin has {size} bytes; expected a multiple of 3073.*lookalike datasets get cifar10"
    for path in (batches, batches / "data_batch_2.bin#0"):
        with pytest.raises(DataError, match=message):
            data.find(path)


def test_a_class_out_of_range_is_named_with_its_record(batches: Path) -> None:
    content = bytearray(batch(3))
    content[2 * cifar10.RECORD] = 10
    (batches / "data_batch_4.bin").write_bytes(content)
    for path in (batches, batches / "data_batch_4.bin#2"):
        with pytest.raises(DataError, match=r"data_batch_4\.bin: record 2 is of class 10; expected one of 0 to 9"):
            data.find(path)


def test_a_batch_that_shrank_lacks_its_last_rows(batches: Path) -> None:
    items = data.find(batches)[:ROWS]
    (batches / "data_batch_1.bin").write_bytes(batch(0)[: 2 * cifar10.RECORD])
    assert [data.exists(item) for item in items] == [True, True, False, False]
    with pytest.raises(ImageError, match="shorter since it was listed"):
        data.read_bytes(items[3])
    (batches / "data_batch_1.bin").unlink()
    assert not any(map(data.exists, items))


def test_a_second_index_reads_nothing(batches: Path, model: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db", model=model) as database:
        first, second = database.index(batches), database.index(batches)
        assert (first.found, first.encoded, first.failed) == (6 * ROWS, 6 * ROWS, 0)
        assert (second.found, second.unchanged, second.missing) == (6 * ROWS, 6 * ROWS, 0)
        (item,) = data.find(batches / "data_batch_2.bin#1")
        hit = database.search(data.read_bytes(item), top=1)[0]
        assert (hit.path, hit.distance, hit.label) == (item.name, 0, "automobile")


def test_only_a_batch_that_changed_is_read_again(batches: Path, model: Path, tmp_path: Path) -> None:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(batches)
        (batches / "data_batch_1.bin").write_bytes(batch(7)[: 3 * cifar10.RECORD])
        report = database.index(batches)
        assert (report.found, report.encoded, report.unchanged, report.missing) == (6 * ROWS - 1, 3, 5 * ROWS, 1)
        assert len(database) == 6 * ROWS - 1
