"""A process that reads a Parquet file first: `python -m lookalike.data.table_trial PATH MEMORY SECONDS COLUMN…`.

Some damaged files end the process that opens them, since Arrow's own errors are not caught everywhere. That happens
here, with so many bytes of memory and seconds of the processor. The last line on stdout is one object of JSON: empty if
the file can be read, else with the `error`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lookalike.core import confinement
from lookalike.core.errors import DataError, LookalikeError
from lookalike.data import tables

ROWS = 1024  # at a time
IMAGES = 64  # … of images


def main(path: str, memory: int, seconds: int, columns: Sequence[str]) -> None:
    """Say whether some columns of a file can be read."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    import pyarrow.compute
    import pyarrow.parquet

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # which gives memory back, and keeps none in reserve
    pyarrow.set_cpu_count(1)
    confinement.confine(memory, seconds)
    said = {}
    try:
        check(Path(path), columns)
    except LookalikeError as error:
        said = {"error": str(error)}
    json.dump(said, answers)
    answers.flush()
    os._exit(0)


def check(path: Path, columns: Sequence[str]) -> None:
    """Raise `DataError` unless those of the columns that a file has can be read to their end.

    Images are told one by one when they are read, so that damaged ones do not spoil others.
    """
    table = tables.opened(path)
    there = table.schema_arrow.names
    for name in (name for name in columns if there.count(name) == 1):  # others are refused by name
        if name == "image":
            _try_images(table)
            continue
        for batch in tables.batches(table, path, [name], ROWS):
            tables.values(batch.column(0), path)


def _try_images(table: Any) -> None:
    for group in range(table.num_row_groups):
        try:
            for _ in table.iter_batches(IMAGES, row_groups=[group], columns=["image"]):
                pass
        except MemoryError as error:
            raise DataError("needs too much memory for its images; it is damaged, or made to do that") from error
        except Exception:  # of pyarrow's own; said again of each image that is in the group
            continue


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
