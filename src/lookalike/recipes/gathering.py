"""Images of several data sets in one table, to be trained on.

Only rows of the split `train` are taken, where a file has splits, so that the others can measure a model. Photographs
may also be taken in parts, since a collection holds details as well as scenes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from lookalike.core.errors import DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Rows of a Parquet file."""

    file: str
    rows: int | None = None  # at most, drawn
    parts: int = 0  # random ones of each image, besides the whole
    thirds: bool = False  # whether every third row is kept for measuring, where a file has no splits


def gather(sources: Sequence[Source], folder: Path, table: Path, *, seed: int, resume: bool = False) -> int:
    """Write the images of all sources to one table; how many. With `resume` one that is there stays as it is."""
    if resume and table.exists():
        return int(pq.read_metadata(table).num_rows)
    random = np.random.default_rng(seed)
    images = [image for source in sources for image in _images(source, folder, random)]
    pq.write_table(pa.table({"image": pa.array(images, pa.binary())}), table, row_group_size=2000)
    return len(images)


def kept(source: Source, folder: Path) -> npt.NDArray[np.int64]:
    """The rows of a source that no training sees."""
    table = pq.ParquetFile(folder / source.file)
    if "split" in table.schema_arrow.names:
        return np.flatnonzero(np.array(table.read(["split"]).column("split").to_pylist()) != "train")
    return np.arange(0, table.metadata.num_rows if source.thirds else 0, 3)


def _images(source: Source, folder: Path, random: np.random.Generator) -> Iterator[bytes]:
    if not (folder / source.file).exists():
        raise DataError(f"{folder} has no {source.file}; name the folder of the data sets")
    table = pq.read_table(folder / source.file, columns=["image"])
    rows = np.setdiff1d(np.arange(table.num_rows), kept(source, folder))
    for row in np.sort(random.permutation(rows)[: source.rows]):
        data = table.column("image")[int(row)].as_py()
        yield data
        for _ in range(source.parts):
            yield _part(data, random)


def _part(data: bytes, random: np.random.Generator) -> bytes:
    """A random part of a photograph, 40 to 65 % of each side: of more it would be a copy."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = (int(side * random.uniform(0.4, 0.65)) for side in image.size)
    left, top = int(random.integers(image.width - width + 1)), int(random.integers(image.height - height + 1))
    out = io.BytesIO()
    image.crop((left, top, left + width, top + height)).save(out, "JPEG", quality=95)
    return out.getvalue()
