"""Parquet files with everything checked before it is trusted; every error names the file, on one line.

A few bytes of Parquet may stand for any number of values, through runs and dictionaries. So the number of values a row
is limited, texts stay dictionaries until their lengths are known, and rows are read in blocks.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lookalike.core.confinement import run_confined
from lookalike.core.errors import DataError, LookalikeError, MissingExtra

MEMORY = 1 << 30  # bytes allowed in a trial, plus the file's size
SECONDS = 30  # CPU seconds allowed, plus one for each `BYTES_A_SECOND` of the file
BYTES_A_SECOND = 20 << 20
MAX_VALUES = 1024  # a row in a column of lists, on average
SOME_VALUES = 1_000_000  # allowed in any row group
MAX_TEXT = 4096  # bytes of a path or label: the longest path on Linux
SOME_BYTES = 256 << 20  # allowed in any column of a row group
TIMES_LARGER = 100  # unpacked size allowed, as a multiple of the packed size
DICTIONARY = 1 << 30  # bytes of a dictionary in one group; Arrow uses up to twice as much memory


def open_table(path: Path, columns: Sequence[str]) -> Any:
    """A Parquet file, with some columns tried in another process first (`table_trial`); texts are dictionaries.

    Raises `DataError` if it is unreadable, or `MissingExtra` without pyarrow.
    """
    _pyarrow()
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} is not a readable Parquet file ({reason}); name one") from error
    if wrong := _try(path, status.st_size, status.st_mtime_ns, tuple(columns)):
        raise DataError(wrong if wrong.startswith(str(path)) else f"{path} {wrong}")
    return opened(path)


def opened(path: Path) -> Any:
    """A Parquet file with texts read as dictionaries, without a trial in another process."""
    parquet, table = _pyarrow(), None
    with naming(path):
        table = parquet.ParquetFile(os.fspath(path), memory_map=True)
        if repeating := _repeating(table):
            table = parquet.ParquetFile(os.fspath(path), memory_map=True, read_dictionary=repeating)
    return table


@functools.lru_cache(maxsize=64)
def _try(path: Path, size: int, mtime_ns: int, columns: tuple[str, ...]) -> str:
    """Why a file is unreadable; empty if it is readable. Cached as long as the file does not change."""
    memory, seconds = MEMORY + size, SECONDS + size // BYTES_A_SECOND
    arguments = [os.fspath(path), str(memory), str(seconds), *columns]
    return run_confined("lookalike.data.table_trial", arguments, data=b"", memory=memory, seconds=seconds)


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("Reading Parquet files needs pyarrow", "parquet") from error
    return parquet


def batches(table: Any, path: Path, columns: Sequence[str], rows: int, *, longest: int = MAX_TEXT) -> Iterator[Any]:
    """Record batches of some columns, with texts and bytes of at most `longest` bytes. Raises `DataError`."""
    with naming(path):
        check_claims(table, columns)
        iterator = table.iter_batches(rows, columns=list(columns))
    while True:
        with naming(path):
            batch = next(iterator, None)
            if batch is not None:
                batch = _checked(batch, path, longest)
        if batch is None:
            return
        yield batch


def values(column: Any, path: Path) -> list[Any]:
    """A column's values as Python objects. Raises `DataError` for text that is not UTF-8."""
    with naming(path):
        result: list[Any] = column.to_pylist()
    return result


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn any reading error into a `DataError` that names the file."""
    try:
        yield
    except LookalikeError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{path} has text that is not UTF-8 ({error.reason}); save it again as UTF-8") from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory; write it with smaller row groups") from error
    except Exception as error:  # pyarrow raises many kinds
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is not a readable Parquet file ({reason}); it is damaged, or not Parquet") from error


def _each_leaf(table: Any) -> Iterator[tuple[int, str]]:
    """Number and path of each leaf column, such as `labels.list.element`."""
    schema = table.metadata.schema
    for number in range(len(schema)):
        yield number, schema.column(number).path


def _repeating(table: Any) -> list[str]:
    """The columns with dictionaries that Arrow can keep as such.

    It cannot for columns in structs, and for several columns of one name.
    """
    import pyarrow

    repeating = []
    groups = [table.metadata.row_group(at) for at in range(table.num_row_groups)]
    named = Counter(leaf for _, leaf in _each_leaf(table))
    for number, leaf in _each_leaf(table):
        of_bytes = table.metadata.schema.column(number).physical_type == "BYTE_ARRAY"
        if not of_bytes or named[leaf] > 1:
            continue
        parts = [group.column(number) for group in groups]
        sizes = [part.total_uncompressed_size for part in parts if part.has_dictionary_page]
        in_struct = pyarrow.types.is_struct(table.schema_arrow.field(leaf.split(".")[0]).type)
        if sizes and max(sizes) < DICTIONARY and not in_struct:
            repeating.append(leaf)
    return repeating


def check_claims(table: Any, columns: Sequence[str]) -> None:
    """Raise `ValueError` for a column that claims implausibly many values or bytes."""
    for at in range(table.num_row_groups):
        group = table.metadata.row_group(at)
        for number, leaf in _each_leaf(table):
            if leaf.split(".")[0] not in columns:
                continue
            part = group.column(number)
            if part.num_values > max(SOME_VALUES, MAX_VALUES * group.num_rows):
                raise ValueError(f"{group.num_rows:,} rows have {part.num_values:,} values in {leaf}")
            if part.total_uncompressed_size > max(SOME_BYTES, TIMES_LARGER * part.total_compressed_size):
                raise ValueError(
                    f"the column {leaf} expands to {part.total_uncompressed_size:,} bytes from "
                    f"{part.total_compressed_size:,}"
                )


def _checked(batch: Any, path: Path, longest: int) -> Any:
    """A batch with its dictionaries decoded, after checking their lengths."""
    import pyarrow

    batch.validate(full=True)
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        _check_lengths(column, name, path, longest)
        columns.append(column.dictionary_decode() if isinstance(column, pyarrow.DictionaryArray) else column)
    return pyarrow.record_batch(columns, names=batch.schema.names)


def _check_lengths(column: Any, name: str, path: Path, longest: int) -> None:
    from pyarrow import compute, types

    inner, texts = _innermost(column), (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    if any(is_kind(inner.type) for is_kind in texts):
        length = compute.max(compute.binary_length(inner)).as_py() or 0
        if length > longest:
            raise DataError(f"{path}: the column {name} has a value of {length:,} bytes; expected at most {longest:,}")


def _innermost(column: Any) -> Any:
    """The distinct values of a column of lists, dictionaries, or dictionaries in lists."""
    from pyarrow import types

    while True:
        if types.is_dictionary(column.type):
            column = column.dictionary
        elif types.is_list(column.type) or types.is_large_list(column.type) or types.is_fixed_size_list(column.type):
            column = column.values
        else:
            return column
