"""Only training rows are gathered, always the same ones."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lookalike.core.errors import DataError
from research import builtin_models as default
from research.builtin_models import Source, gather, kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set with splits and one without; the colour of each image encodes its row."""
    images = []
    for row in range(9):
        out = io.BytesIO()
        Image.new("RGB", (40, 30), (row, row, row)).save(out, "PNG")
        images.append(out.getvalue())
    split = ["train", "val", "train"] * 3
    pq.write_table(pa.table({"image": images, "split": split}), tmp_path / "split.parquet")
    pq.write_table(pa.table({"image": images}), tmp_path / "whole.parquet")
    return tmp_path


def gathered(folder: Path, *sources: Source, seed: int = 0) -> list[tuple[int, tuple[int, int]]]:
    """The row and size of each image."""
    count = gather(sources, folder, folder / "table.parquet", seed=seed)
    images = [Image.open(io.BytesIO(data.as_py())) for data in pq.read_table(folder / "table.parquet").column("image")]
    assert count == len(images)
    return [(int(np.asarray(image)[0, 0, 0]), image.size) for image in images]


def test_rows_kept_for_measuring_are_excluded(folder: Path) -> None:
    split, whole, thirds = (
        Source(file="split.parquet"), Source(file="whole.parquet"), Source(file="whole.parquet", thirds=True),
    )  # fmt: skip
    assert kept(split, folder).tolist() == [1, 4, 7]
    assert kept(whole, folder).tolist() == []
    assert kept(thirds, folder).tolist() == [0, 3, 6]
    rows = [row for row, _ in gathered(folder, split, whole, thirds)]
    assert rows == [0, 2, 3, 5, 6, 8, *range(9), 1, 2, 4, 5, 7, 8]


def test_parts_of_photographs_are_gathered_too(folder: Path) -> None:
    found = gathered(folder, Source(file="whole.parquet", rows=4, parts=2))
    assert len(found) == 12
    assert [size for _, size in found[::3]] == [(40, 30)] * 4
    assert all(16 <= width <= 26 and 12 <= height <= 19 for _, (width, height) in found[1::3] + found[2::3])
    assert found == gathered(folder, Source(file="whole.parquet", rows=4, parts=2))
    assert found != gathered(folder, Source(file="whole.parquet", rows=4, parts=2), seed=1)


def test_a_recipe_without_its_data_says_which(tmp_path: Path) -> None:
    recipe = default.default()
    with pytest.raises(DataError, match=r"has no tiny_imagenet\.parquet; name the folder of the data sets"):
        gather(recipe.sources, tmp_path, tmp_path / "table.parquet", seed=0)


def test_a_table_to_resume_with_stays_as_it_is(folder: Path) -> None:
    sources, table = [Source(file="whole.parquet")], folder / "table.parquet"
    assert gather(sources, folder, table, seed=0, resume=True) == 9  # none exists yet
    before = table.read_bytes()
    assert gather([], folder, table, seed=1, resume=True) == 9
    assert table.read_bytes() == before
