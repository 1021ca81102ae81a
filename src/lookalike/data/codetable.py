r"""Files of codes made elsewhere: Parquet tables and `.npy` arrays, read in blocks.

A Parquet file has a column `code` (binary, or lists of bytes) and a column `path`, and may have `label_name`, `labels`
(lists) or `label` (strings, integers or booleans; the first of them with a value counts), `width`, `height` and `size`
(bytes of the image). A `.npy` file is uint8 (N, W); its rows are named `codes.npy#12`, with its folder.

A path that is not UTF-8 cannot be stored in a column of strings: there it has a readable \xff escape for each such
byte, and the column `path_bytes` (binary, null in other rows) has the original.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import os
import re
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

BLOCK = 65_536  # rows read at once
SIZES = ("width", "height", "size")
RAW_PATH = "path_bytes"
COLUMNS = ("code", "path", RAW_PATH, *LABEL_COLUMNS, *SIZES)

_BYTES, _INTEGER, _TEXT, _LIST = "(large_)?binary", r"u?int\d+", "(large_)?string", "(large_|fixed_size_)?list<[^:]+: "
_LABEL = f"{_TEXT}|{_INTEGER}|bool|null"
KINDS = {  # Arrow's names of the types that a column may have, and what these are
    "code": (
        rf"{_BYTES}|fixed_size_binary\[\d+\]|{_LIST}{_INTEGER}( not null)?>(\[\d+\])?",
        "bytes, or lists of bytes",
    ),
    "path": (f"{_TEXT}|null", "strings"),
    RAW_PATH: (f"{_BYTES}|null", "bytes"),
    **dict.fromkeys(LABEL_COLUMNS, (rf"{_LABEL}|{_LIST}({_LABEL})( not null)?>(\[\d+\])?", "strings or integers")),
    **dict.fromkeys(SIZES, (f"{_INTEGER}|null", "integers")),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """A block of rows; `row` is the number of the first one in its file, if the rows have no paths of their own."""

    codes_NW: Codes
    paths: Sequence[str]
    labels: Sequence[Label]
    sizes: Sequence[tuple[int | None, ...]]  # width, height, size
    row: int | None


def count(path: Path) -> int:
    """Number of rows in a file. Raises `DataError` if it is not a file of codes."""
    return len(_array(path)) if path.suffix == ".npy" else int(_table(path).metadata.num_rows)


def read(path: Path, *, bits: int) -> Iterator[Rows]:
    """A file's rows, in blocks. Raises `DataError` if they are not codes of `bits` bits, or a path is repeated."""
    yield from _of_array(path, bits) if path.suffix == ".npy" else _of_table(path, bits)


def write(path: Path, rows: Iterable[Rows]) -> int:
    """Write codes and their metadata as Parquet, or codes alone as `.npy`; returns how many."""
    with replacing(path) as aside:
        return _write_array(aside, rows) if path.suffix == ".npy" else _write_table(aside, rows)


def shards(path: Path) -> list[Path]:
    """A folder's files of codes, by name, or the file itself. Raises `DataError` if a folder has none."""
    if not path.is_dir():
        return [path]
    result = sorted(file for file in path.iterdir() if file.suffix in (".npy", ".parquet"))
    if not result:
        raise DataError(f"{path} has no .npy or .parquet files; name files of codes, or a folder of them")
    return result


def check_name(path: Path) -> None:
    """Raise `DataError` unless a file's name tells its format."""
    if path.suffix not in (".npy", ".parquet"):
        raise DataError(f"{path} is neither .npy nor .parquet; choose one of these file types")


def raw_path(path: str) -> bytes | None:
    """The bytes of a path that is not UTF-8, for the column `path_bytes`; None for other paths."""
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
        raise DataError(f"{path}: the path {repeated} is repeated; every row needs its own path")
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
    """The path of each row, from its raw bytes if not UTF-8. Raises `DataError` for an impossible path."""
    result: Sequence[Any] = columns["path"]
    if RAW_PATH in columns:
        pairs = zip(result, columns[RAW_PATH], strict=True)
        result = [text if raw is None else os.fsdecode(raw) for text, raw in pairs]
    for path in result:
        if not path:
            raise DataError(f"{file}: a row has no path; every row needs one, as a string")
        if "\0" in path:
            raise DataError(f"{file}: the path {path!r} contains a zero byte, which a file name cannot")
    return result


def _check_sizes(column: Any, name: str, path: Path) -> None:
    """Raise `DataError` for a number that cannot be a size."""
    import pyarrow.compute

    if column.null_count == len(column):
        return
    least, most = pyarrow.compute.min_max(column).as_py().values()
    if least < 0 or most >= 2**63:
        raise DataError(f"{path}: a row has the {name} {least if least < 0 else most}; expected 0 to 2^63 - 1")


def _codes(column: Any, bits: int, path: Path) -> Codes:
    from pyarrow import types

    if types.is_fixed_size_binary(column.type) and column.type.byte_width * 8 == bits and not column.null_count:
        width, count = bits // 8, len(column)
        return np.frombuffer(column.buffers()[1], np.uint8, count * width, column.offset * width).reshape(count, width)
    values = column.to_pylist()
    if any(value is None or len(value) * 8 != bits for value in values):
        wrong = next(value for value in values if value is None or len(value) * 8 != bits)
        actual = "no code" if wrong is None else f"a code of {len(wrong) * 8} bits"
        raise DataError(f"{path}: a row has {actual}; the database has codes of {bits} bits")
    try:
        joined = b"".join(map(bytes, values))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: the column code does not contain bytes ({error})") from error
    return np.frombuffer(joined, np.uint8).reshape(len(values), bits // 8)


def _labels(columns: Sequence[list[Any]]) -> list[Label]:
    """The first value of each row that is not null."""
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
        raise DataError(f"{path} contains {array.dtype} of shape {array.shape}; expected uint8 of shape (N, bits / 8)")
    return array


def _table(path: Path) -> Any:
    table = tables.open_table(path, COLUMNS)
    there = table.schema_arrow.names
    if several := [name for name in COLUMNS if there.count(name) > 1]:
        raise DataError(f"{path} has several columns named {several[0]}; keep one of them")
    missing = [name for name in ("code", "path") if name not in there]
    if missing:
        raise DataError(f"{path} has no column {' and no column '.join(missing)}; its columns are: {', '.join(there)}")
    _check_kinds(table.schema_arrow, path)
    return table


def _check_kinds(schema: Any, path: Path) -> None:
    """Raise `DataError` unless the columns that are read have suitable types, however they are encoded."""
    for field in schema:
        pattern, expected = KINDS.get(field.name, (".*", ""))
        kind = re.sub(r"dictionary<values=(.*?), indices=\w+, ordered=\d>", r"\1", str(field.type))
        if not re.fullmatch(pattern, kind, re.DOTALL):
            raise DataError(f"{path}: the column {field.name} has type {kind}; expected {expected}")


def _check_width(kind: Any, bits: int, path: Path) -> None:
    """Raise `DataError` for a column of codes of another length, before any of it is read."""
    from pyarrow import types

    width = kind.byte_width if types.is_fixed_size_binary(kind) else bits // 8
    if width * 8 != bits:
        raise DataError(f"{path} has codes of {width * 8} bits; the database has codes of {bits} bits")


def _repeated(table: Any, file: Path) -> str | None:
    """A path that more than one row has; None if there is none. Keeps 8 bytes a row in memory."""
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
    """Write an array's header, whose size does not depend on the number of codes."""
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
