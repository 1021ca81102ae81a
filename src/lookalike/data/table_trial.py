"""Trial of a Parquet file in its own process: `python -m lookalike.data.table_trial PATH MEMORY SECONDS COLUMN…`.

Some damaged files crash the process that opens them, because Arrow does not catch all of its errors. That happens here,
within these limits of memory (bytes) and CPU time. The last line on stdout is a JSON object: empty if the file is
readable, otherwise with the `error`.
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

ROWS = 1024  # read at once
IMAGES = 64  # the same, for images


def main(path: str, memory: int, seconds: int, columns: Sequence[str]) -> None:
    """Report whether some columns of a file are readable."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever libraries print is not an answer
    import pyarrow.compute
    import pyarrow.parquet

    pyarrow.set_memory_pool(pyarrow.system_memory_pool())  # returns memory, and keeps no reserve
    pyarrow.set_cpu_count(1)
    confinement.confine(memory, seconds)
    result = {}
    try:
        check(Path(path), columns)
    except LookalikeError as error:
        result = {"error": str(error)}
    json.dump(result, answers)
    answers.flush()
    os._exit(0)


def check(path: Path, columns: Sequence[str]) -> None:
    """Raise `DataError` unless the file's columns with these names can be read to the end.

    Damaged images are not reported here but individually when they are read, so that they do not affect others.
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
        except Exception:  # pyarrow's; reported again for each image in the group
            continue


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
