"""Images in Parquet tables: the column `image` has encoded bytes, or a struct with a field `bytes`."""

from __future__ import annotations

import functools
import itertools
import os
import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

from lookalike.core.atomic import replacing
from lookalike.core.errors import DataError, ImageError, MissingExtra
from lookalike.core.mounts import Volume
from lookalike.data import tables
from lookalike.data.item import UNKNOWN, Item, Label
from lookalike.imaging.given import source_of

LABEL_COLUMNS = ("label_name", "labels", "label")  # the first one present is used
BLOCK = 65_536  # rows read at once
WRITTEN_TOGETHER = 256  # rows of a table that is written
MOST_REPEATED = 1 << 30  # bytes that a row group's images may expand to by repetition
TIMES_REPEATED = 100  # the same, as a multiple of the file's size
_ROW = re.compile(r"(.+\.parquet)#(\d+)", re.IGNORECASE | re.DOTALL)
_lock = threading.Lock()

Stamp = tuple[int, int | None]  # modification and change time of a file


def row_of(path: str) -> int | None:
    """The row number in a path such as `table.parquet#12`; None for other paths."""
    match = _ROW.fullmatch(path)
    return int(match[2]) if match else None


def is_row(path: Path) -> bool:
    """Whether a path names a table's row rather than a file."""
    return row_of(os.fspath(path)) is not None and not os.path.exists(path)


def rows(path: Path, volume: Volume = UNKNOWN) -> Iterator[Item]:
    """A table's items, in the order of its rows."""
    table = _open(os.fspath(path), _stamp(os.stat(path)))
    status = path.stat()
    for row, label in enumerate(_labels(table, path)):
        item = Item(os.fspath(path.parent), f"{path.name}#{row}", status.st_size, status.st_mtime_ns, label, row)
        yield item.seen(status, volume)


def row(path: Path, volume: Volume = UNKNOWN) -> Item:
    """The item of one row, named like `table.parquet#12`."""
    match = _ROW.fullmatch(os.fspath(path))
    file, number = (Path(match[1]), int(match[2])) if match else (path, 0)
    if not file.exists():
        raise DataError(f"{file} does not exist; name a folder, files or a Parquet file")
    items = list(rows(file, volume))
    if number >= len(items):
        raise DataError(f"{path}: the table has {len(items)} rows, counted from 0")
    return items[number]


def count(item: Item) -> int | None:
    """Number of rows in an item's table; None if it is unreadable."""
    try:
        return int(_open(item.file, _stamp(os.stat(item.file))).metadata.num_rows)
    except (OSError, DataError):
        return None


def write(path: Path, images: Iterable[Any]) -> None:
    """Write images that are not in files to a table, row by row: what `given.source_of` takes, or pairs with labels.

    Rows of Hugging Face data sets keep their label, by name if the data set names its classes. Raises `ImageError`
    for what is no image, and then leaves the path as it was.
    """
    try:
        import pyarrow
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Writing Parquet files needs pyarrow", "parquet") from error
    schema = pyarrow.schema([("image", pyarrow.binary()), ("label", pyarrow.string())])
    rows = map(functools.partial(_given, name_of=_namer(images)), images)
    with replacing(path) as aside, pq.ParquetWriter(aside, schema) as writer:
        while some := list(itertools.islice(rows, WRITTEN_TOGETHER)):
            writer.write_table(pyarrow.Table.from_pylist(some, schema))


def _given(one: Any, name_of: Callable[[Any], Any]) -> dict[str, bytes | str | None]:
    """The row of an image as a program has it."""
    label = None
    if isinstance(one, tuple) and len(one) == 2:
        one, label = one
    elif isinstance(one, Mapping):
        label = next((one[column] for column in LABEL_COLUMNS if one.get(column) is not None), None)
    try:
        source = source_of(one)
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise ImageError(f"{str(one)[:200]!r} is unreadable: {error}") from error
    return {"image": content, "label": None if label is None else str(name_of(label))}


def _namer(images: Any) -> Callable[[Any], Any]:
    """A function that names a data set's labels: by its classes, if it has any (`datasets.ClassLabel`)."""
    classes = getattr((getattr(images, "features", None) or {}).get("label"), "names", None)
    return lambda label: classes[label] if classes and isinstance(label, int) else label


def holds(item: Item) -> bool:
    """Whether an item's table has its row; False for an unreadable table."""
    return (item.row or 0) < (count(item) or 0)


def column(path: Path, name: str) -> list[Any]:
    """The values of a table's column; empty if there is no such column."""
    table = _open(os.fspath(path), _stamp(os.stat(path)))
    if name not in table.schema_arrow.names:
        return []
    batches = tables.batches(table, path, [name], BLOCK)
    return [value for batch in batches for value in tables.values(batch.column(0), path)]


def read(item: Item) -> bytes:
    """The encoded image in an item's row. Raises `ImageError` if the table is now unreadable or shorter."""
    try:
        value = _value(item)
    except (DataError, IndexError, OSError) as error:
        raise ImageError(f"the table has changed since it was listed ({error})") from error
    data = value.get("bytes") if isinstance(value, dict) else value
    if not data:
        raise ImageError("the row has no image")
    return bytes(data)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns


def _value(item: Item) -> Any:
    row = item.row or 0
    starts = _starts(_open(item.file, (item.mtime_ns, item.ctime_ns)))
    group = bisect_right(starts, row) - 1
    with _lock:  # threads request neighbouring rows: let one of them read the group
        column = _images(item.file, (item.mtime_ns, item.ctime_ns), group)
    if isinstance(column, DataError):
        raise column
    return column[row - starts[group]].as_py()


@functools.lru_cache(maxsize=4)
def _open(file: str, stamp: Stamp) -> Any:  # the times are part of the key, so a changed file is reopened
    table = tables.open_table(Path(file), ("image", *LABEL_COLUMNS))
    with tables.naming(Path(file)):
        tables.check_claims(table, ["image"])
    if "image" not in table.schema_arrow.names:
        names = ", ".join(table.schema_arrow.names)
        raise DataError(f"{file} has no column `image` with encoded images; its columns are: {names}")
    kind = table.schema_arrow.field("image").type
    if not _is_binary(kind):
        raise DataError(f"{file}: its column `image` has type {kind}; expected encoded images (binary)")
    return table


def _is_binary(kind: Any) -> bool:
    """Whether a column's values are bytes, structs with bytes in a field `bytes`, or null."""
    import pyarrow.types as types

    if types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at < 0 or _is_binary(kind.field(at).type)
    if types.is_dictionary(kind):
        return _is_binary(kind.value_type)
    return bool(
        types.is_null(kind) or types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    )


@functools.lru_cache(maxsize=2)
def _images(file: str, stamp: Stamp, group: int) -> Any:
    """The images of a row group; or the error (cached, too) if they are unreadable."""
    table = _open(file, stamp)
    try:
        with tables.naming(Path(file)):
            column = table.read_row_group(group, columns=["image"]).column(0)
            _check_repeats(column, os.path.getsize(file))
            return column
    except DataError as error:
        return error


def _check_repeats(column: Any, size: int) -> None:
    """Raise `ValueError` if a few images, repeated by a dictionary, expand to far more than the file's size."""
    from pyarrow import compute, types

    if not types.is_dictionary(column.type):
        return
    for chunk in column.chunks:
        lengths = compute.binary_length(chunk.dictionary)
        total = compute.sum(compute.take(lengths, chunk.indices)).as_py() or 0
        if total > max(MOST_REPEATED, TIMES_REPEATED * size):
            raise ValueError(f"its images expand to {total:,} bytes, by repeating some of them")


def _starts(table: Any) -> list[int]:
    """The first row of each row group."""
    sizes = [table.metadata.row_group(i).num_rows for i in range(table.num_row_groups)]
    return [0, *accumulate(sizes)][:-1]


def _labels(table: Any, path: Path) -> Iterator[Label]:
    names = [name for name in LABEL_COLUMNS if name in table.schema_arrow.names]
    if not names:
        yield from [None] * table.metadata.num_rows
        return
    for batch in tables.batches(table, path, names[:1], BLOCK):
        for value in tables.values(batch.column(0), path):
            try:
                yield _label(value, names[0])
            except DataError as error:
                raise DataError(f"{path}: {error}") from error


def _label(value: Any, column: str) -> Label:
    """One class or several tags; None if the table has neither."""
    if isinstance(value, list):
        return tuple(name for one in value if (name := _name(one, column)) is not None) or None
    return _name(value, column)


def _name(value: Any, column: str) -> str | None:
    """A label's name: text, or an integer, which other programs write as 3.0 if some labels are missing."""
    if value is None or value == "" or value != value:  # the last is NaN
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int):
        return str(value)
    raise DataError(
        f"the column `{column}` holds {value!r}; expected a label, as text or an integer, or a list of them. Rename "
        "the column if it has no labels"
    )
