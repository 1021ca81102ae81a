r"""Codes that were made elsewhere, or on other machines: Parquet files and `.npy` arrays of them, read in blocks.

A Parquet file has a column `code` (binary, or lists of bytes) and a column `path`, and may have `label_name`, `labels`
(lists) or `label` (of several the first that a row has a value in; strings, integers or booleans), `width`, `height`
and `size` (bytes of the image). A `.npy` file is uint8 (N, W); its rows are named `codes.npy#12`, with its folder.

A path that is not UTF-8 cannot stand in a column of strings: there it is written with \xff for each such byte, to be
read by people, and the column `path_bytes` (binary, absent in other rows) has it as it is.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lookalike.core import display
from lookalike.core.atomic import replacing
from lookalike.core.codes import Codes
from lookalike.core.errors import DataError, MissingExtra
from lookalike.data import arrays, tables
from lookalike.data.item import Label
from lookalike.data.parquet import LABEL_COLUMNS

BLOCK = 65_536  # rows at a time
SIZES = ("width", "height", "size")
RAW_PATH = "path_bytes"
COLUMNS = ("code", "path", RAW_PATH, *LABEL_COLUMNS, *SIZES)


@dataclass(frozen=True, slots=True)
class Rows:
    """So many rows; `row` is the number of the first in its file where they have no paths of their own."""

    codes_NW: Codes
    paths: Sequence[str]
    labels: Sequence[Label]
    sizes: Sequence[tuple[int | None, ...]]  # width, height, size
    row: int | None


def count(path: Path) -> int:
    """How many rows a file has. Raises `DataError` if it is no file of codes."""
    return len(_array(path)) if path.suffix == ".npy" else int(_table(path).metadata.num_rows)


def read(path: Path, *, bits: int) -> Iterator[Rows]:
    """The rows of a file, in blocks. Raises `DataError` if they are no codes of so many bits, or a path comes twice."""
    yield from _of_array(path, bits) if path.suffix == ".npy" else _of_table(path, bits)


def write(path: Path, rows: Iterable[Rows]) -> int:
    """Write codes with what is known of them as Parquet, or as `.npy` the codes alone; how many."""
    with replacing(path) as aside:
        return _write_array(aside, rows) if path.suffix == ".npy" else _write_table(aside, rows)


def shards(path: Path) -> list[Path]:
    """The files of codes of a folder, by name; a file itself. Raises `DataError` if a folder has none."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in (".npy", ".parquet"))
    if not found:
        raise DataError(f"{path} has no .npy and no .parquet files; name files of codes, or a folder of them")
    return found


def check_name(path: Path) -> None:
    """Raise `DataError` unless a file's name says of which kind it is."""
    if path.suffix not in (".npy", ".parquet"):
        raise DataError(f"{path} is neither .npy nor .parquet; name a file of one of these kinds")


def raw_path(path: str) -> bytes | None:
    """The bytes of a path that is not UTF-8, for the column `path_bytes`; nothing of others."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return None


def _of_array(path: Path, bits: int) -> Iterator[Rows]:
    array = _array(path)
    if array.shape[1] * 8 != bits:
        raise DataError(f"{path} has codes of {array.shape[1] * 8} bits; the database has {bits}")
    for start in range(0, len(array), BLOCK):
        codes_NW = np.ascontiguousarray(array[start : start + BLOCK])
        names = [f"{os.path.abspath(path)}#{row}" for row in range(start, start + len(codes_NW))]
        yield Rows(codes_NW, names, [None] * len(names), [(None, None, None)] * len(names), start)


def _of_table(path: Path, bits: int) -> Iterator[Rows]:
    table = _table(path)
    there = table.schema_arrow.names
    _check_width(table.schema_arrow.field("code").type, bits, path)
    if repeated := _repeated(table, path):
        raise DataError(f"{path}: the path {repeated} is there twice; every row must have a path of its own")
    given = [name for name in LABEL_COLUMNS if name in there]
    wanted = ["code", *(name for name in ("path", RAW_PATH, *given, *SIZES) if name in there)]
    for batch in tables.batches(table, path, wanted, BLOCK):
        columns = {name: tables.values(batch.column(name), path) for name in wanted[1:]}
        codes_NW = _codes(batch.column("code"), bits, path)
        for name in (name for name in SIZES if name in columns):
            _check_sizes(batch.column(name), name, path)
        labels = _labels([columns[name] for name in given])
        sizes = zip(*(columns.get(name, [None] * len(codes_NW)) for name in SIZES), strict=True)
        yield Rows(codes_NW, _paths(columns, path), labels or [None] * len(codes_NW), list(sizes), None)


def _paths(columns: Mapping[str, Sequence[Any]], file: Path) -> Sequence[str]:
    """The path of each row, raw where it is not UTF-8. Raises `DataError` for one that no file can have."""
    found: Sequence[Any] = columns["path"]
    if RAW_PATH in columns:
        pairs = zip(found, columns[RAW_PATH], strict=True)
        found = [text if raw is None else os.fsdecode(raw) for text, raw in pairs]
    for path in found:
        if not path:
            raise DataError(f"{file}: a row has no path; every row must have one, as a string")
        if "\0" in path:
            raise DataError(f"{file}: the path {path!r} has a zero byte, which no file has in its name")
    return found


def _check_sizes(column: Any, name: str, path: Path) -> None:
    """Raise `DataError` for a number that is no size."""
    import pyarrow.compute

    if column.null_count == len(column):
        return
    least, most = pyarrow.compute.min_max(column).as_py().values()
    if least < 0 or most >= 2**63:
        raise DataError(f"{path}: a row has {least if least < 0 else most} as {name}; expected 0 to 2^63 - 1")


def _codes(column: Any, bits: int, path: Path) -> Codes:
    from pyarrow import types

    if types.is_fixed_size_binary(column.type) and column.type.byte_width * 8 == bits and not column.null_count:
        width, count = bits // 8, len(column)
        return np.frombuffer(column.buffers()[1], np.uint8, count * width, column.offset * width).reshape(count, width)
    values = column.to_pylist()
    if any(value is None or len(value) * 8 != bits for value in values):
        wrong = next(value for value in values if value is None or len(value) * 8 != bits)
        found = "no code" if wrong is None else f"a code of {len(wrong) * 8} bits"
        raise DataError(f"{path}: a row has {found}; the database has codes of {bits} bits")
    try:
        joined = b"".join(map(bytes, values))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: the column code holds no bytes ({error})") from error
    return np.frombuffer(joined, np.uint8).reshape(len(values), bits // 8)


def _labels(columns: Sequence[list[Any]]) -> list[Label]:
    """Of each row the first value that there is."""
    if len(columns) == 1 and all(type(value) is str for value in columns[0]):
        return columns[0]
    return [_label(values) for values in zip(*columns, strict=True)]


def _label(values: Sequence[Any]) -> Label:
    value = next((value for value in values if value is not None), None)
    if isinstance(value, list):
        return tuple(map(str, value)) or None
    return None if value is None else str(value)


def _array(path: Path) -> Any:
    array = arrays.open_array(path)
    if array.dtype != np.uint8 or array.ndim != 2:
        raise DataError(f"{path} holds {array.dtype} of shape {array.shape}; codes are uint8 of shape (N, bits / 8)")
    return array


def _table(path: Path) -> Any:
    table = tables.open_table(path, COLUMNS)
    there = table.schema_arrow.names
    if several := [name for name in COLUMNS if there.count(name) > 1]:
        raise DataError(f"{path} has more than one column {several[0]}; keep one of them")
    missing = [name for name in ("code", "path") if name not in there]
    if missing:
        raise DataError(f"{path} has no column {' and no column '.join(missing)}; its columns are: {', '.join(there)}")
    _check_kinds(table.schema_arrow, path)
    return table


def _check_kinds(schema: Any, path: Path) -> None:
    """Raise `DataError` unless the columns that are read have values of kinds that make sense in them."""
    from lookalike.data import kinds

    wanted = {
        "code": (kinds.is_code, "bytes, or lists of bytes"),
        "path": (kinds.is_path, "strings"),
        RAW_PATH: (kinds.is_bytes, "bytes"),
        **dict.fromkeys(LABEL_COLUMNS, (kinds.is_label, "strings or integers")),
        **dict.fromkeys(SIZES, (kinds.is_size, "integers")),
    }
    for field in schema:
        if field.name in wanted:
            fits, expected = wanted[field.name]
            if not fits(field.type):
                kind = kinds.plain(field.type)
                raise DataError(f"{path}: the column {field.name} holds {kind}; expected {expected}")


def _check_width(kind: Any, bits: int, path: Path) -> None:
    """Raise `DataError` for a column of codes whose type has another length, before any of it is read."""
    from pyarrow import types

    width = kind.byte_width if types.is_fixed_size_binary(kind) else bits // 8
    if width * 8 != bits:
        raise DataError(f"{path} has codes of {width * 8} bits; the database has codes of {bits} bits")


def _repeated(table: Any, file: Path) -> str | None:
    """A path that more than one row has, if there is one; keeps 8 bytes of each row."""
    columns = [name for name in ("path", RAW_PATH) if name in table.schema_arrow.names]

    def paths() -> Iterator[Sequence[str]]:
        for batch in tables.batches(table, file, columns, BLOCK):
            yield _paths({name: tables.values(batch.column(name), file) for name in columns}, file)

    hashes = np.sort(np.concatenate([np.empty(0, np.int64), *(np.array([*map(hash, block)]) for block in paths())]))
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    seen: set[str] = set()
    for path in (path for block in paths() for path in block if hash(path) in suspects) if suspects else ():
        if path in seen:
            return display.printable(path)
        seen.add(path)
    return None


def _write_array(path: Path, rows: Iterable[Rows]) -> int:
    count, width = 0, 0
    with path.open("wb") as file:
        _write_head(file, count, width)
        for block in rows:
            file.write(block.codes_NW.tobytes())
            count, width = count + len(block.codes_NW), block.codes_NW.shape[1]
        file.seek(0)
        _write_head(file, count, width)
    return count


def _write_head(file: BinaryIO, count: int, width: int) -> None:
    """The head of an array, which has as many bytes for any number of codes."""
    head = {"descr": "|u1", "fortran_order": False, "shape": (count, width)}
    np.lib.format.write_array_header_1_0(file, head)


def _write_table(path: Path, rows: Iterable[Rows]) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtra("Writing Parquet files needs pyarrow", "parquet") from error
    kinds = {"code": pa.binary(), "path": pa.string(), "label": pa.string(), "labels": pa.list_(pa.string())}
    schema = pa.schema([*kinds.items(), *((name, pa.int64()) for name in SIZES), (RAW_PATH, pa.binary())])
    total = 0
    with pq.ParquetWriter(path, schema) as writer:
        for block in rows:
            single = [None if isinstance(one, tuple) else one for one in block.labels]
            several = [list(one) if isinstance(one, tuple) else None for one in block.labels]
            columns: list[list[Any]] = [
                [code.tobytes() for code in block.codes_NW],
                [display.clean(path) for path in block.paths],
                single,
                several,
            ]
            columns += [list(column) for column in zip(*block.sizes, strict=True)]
            columns.append([raw_path(path) for path in block.paths])
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema))
            total += len(block.codes_NW)
    return total
