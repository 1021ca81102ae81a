"""Conversion of CIFAR-10's binary batches to a table: unchanged pixels, labels, splits, errors for damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lookalike import data
from lookalike.core.errors import DataError
from lookalike.imaging import decode
from research import datasets
from research.datasets import cifar10

from .layouts import ROWS, batch, make_cifar10


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """A folder in the official layout with 4 images a batch."""
    return make_cifar10(tmp_path / cifar10.FOLDER)


def pixels(file: int, row: int) -> npt.NDArray[np.uint8]:
    """The pixels of a row of a batch, (32, 32, 3)."""
    record = np.frombuffer(batch(file)[row * cifar10.RECORD :][: cifar10.RECORD], np.uint8)
    return record[1:].reshape(3, 32, 32).transpose(1, 2, 0)


def test_every_image_has_its_pixels_class_and_part(batches: Path) -> None:
    found = datasets.load("cifar10", batches.parent)
    assert found.title == f"{6 * ROWS} images of CIFAR-10"
    assert [item.label for item in found.items[:ROWS]] == ["airplane", "automobile", "bird", "cat"]
    assert list(found.parts) == ["train"] * 5 * ROWS + ["test"] * ROWS
    spec = decode.ImageSpec(side=32, colour=True)
    for number, item in enumerate(found.items):
        shown = decode.read(data.read_bytes(item), spec)
        assert np.array_equal(shown, pixels(number // ROWS, number % ROWS)), item.path


def test_it_is_converted_once(batches: Path) -> None:
    first = datasets.load("cifar10", batches.parent)
    for file in batches.iterdir():
        file.unlink()
    assert datasets.load("cifar10", batches.parent) == first


def test_without_the_names_classes_are_numbers(batches: Path) -> None:
    (batches / cifar10.NAMES).unlink()
    assert [item.label for item in datasets.load("cifar10", batches.parent).items[:3]] == ["0", "1", "2"]


def test_a_folder_without_all_batches_is_not_the_data_set(batches: Path) -> None:
    (batches / "data_batch_3.bin").unlink()
    assert not cifar10.is_here(batches)
    with pytest.raises(DataError, match="python -m research fetch cifar10"):
        datasets.load("cifar10", batches.parent)


@pytest.mark.parametrize("size", [0, 1, cifar10.RECORD - 1, 2 * cifar10.RECORD + 5])
def test_a_damaged_batch_is_named_with_its_size(batches: Path, size: int) -> None:
    (batches / "data_batch_2.bin").write_bytes(bytes(size))
    message = rf"data_batch_2\.bin has {size} bytes; expected a multiple of 3073.*python -m research fetch cifar10"
    with pytest.raises(DataError, match=message):
        datasets.load("cifar10", batches.parent)
    assert not (batches.parent / cifar10.TABLE).exists()


def test_a_class_out_of_range_is_named_with_its_record(batches: Path) -> None:
    content = bytearray(batch(3))
    content[2 * cifar10.RECORD] = 10
    (batches / "data_batch_4.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_4\.bin: record 2 is of class 10; expected one of 0 to 9"):
        datasets.load("cifar10", batches.parent)
