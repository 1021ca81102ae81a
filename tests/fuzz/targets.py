"""Fuzz targets: functions of untrusted bytes, which may raise only their documented errors.

`python -m tests.fuzz TARGET` lets Atheris search for bytes that raise another error; the inputs it keeps are replayed
by `test_corpus.py`.
"""

from __future__ import annotations

import functools
import io
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from lookalike.core.errors import DatabaseError, DataError, ImageError, LookalikeError, ModelError
from lookalike.data import arrays, codetable, table_trial
from lookalike.duplicates.cleanup import plan_file
from lookalike.duplicates.cleanup import undo_log as undolog
from lookalike.hasher import trial
from lookalike.imaging import decode, thumbnails
from lookalike.imaging.decode import ImageSpec
from lookalike.store.derived import codefile

PIXELS = 1_000_000
LONGEST = 1 << 16  # maximum bytes of an input


def image(data: bytes) -> None:
    """Decoding of an image, with and without thumbnails."""
    with suppress(ImageError):
        found = decode.decode(data, ImageSpec(), max_pixels=PIXELS)
        assert found.array.shape == (128, 128)
        assert found.array.dtype == np.uint8
        seen = decode.decode(data, ImageSpec(), max_pixels=PIXELS, with_thumbnail=True)
        assert (seen.array == found.array).all()
        assert seen.thumbnail is not None
        assert 1 <= len(thumbnails.unpack(seen.thumbnail)) <= 4


def model(data: bytes) -> None:
    """Checking of a model file, which is not run."""
    with suppress(ModelError):
        trial.check("model", data, run=False)


def code_file(data: bytes) -> None:
    """Reading of `codes.bin`: header, ids and codes."""
    path = _written(data, "codes.bin")
    with suppress(DatabaseError):
        header, ids, codes_NW = codefile.read(path)
        assert len(ids) == len(codes_NW) == header.count


def npy(data: bytes) -> None:
    """Reading of a `.npy` file."""
    with suppress(DataError):
        arrays.open_array(_written(data, "codes.npy")).tobytes()  # reads all values


def npz(data: bytes) -> None:
    """Reading of an `.npz` file."""
    with suppress(DataError):
        arrays.read_arrays(_written(data, "codes.npz"), ("codes", "labels"))


def parquet(data: bytes) -> None:
    """Reading of a Parquet file's pages; footers are not mutated, as Arrow may crash on them."""
    body, footer = _table()
    path = _written((data + body[len(data) :])[: len(body)] + footer, "codes.parquet")
    with suppress(DataError):
        table_trial.check(path, ("code", "path", "label"))
        for rows in codetable._of_table(path, 64):
            assert len(rows.paths) == len(rows.codes_NW)


def plan_json(data: bytes) -> None:
    """Reading of a plan as JSON."""
    with suppress(LookalikeError):
        plan_file.read(_written(data, "plan.json"))


def plan_csv(data: bytes) -> None:
    """Reading of a plan as a table."""
    with suppress(LookalikeError):
        plan_file.read(_written(data, "plan.csv"))


def undo_log(data: bytes) -> None:
    """Reading of an undo log."""
    with suppress(LookalikeError):
        undolog.read(_written(data, "undo.log"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (image, model, code_file, npy, npz, parquet, plan_json, plan_csv, undo_log)
}  # fmt: skip


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="lookalike-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def _written(data: bytes, name: str) -> Path:
    path = Path(_folder().name, name)
    path.write_bytes(data)
    return path


@functools.cache
def _table() -> tuple[bytes, bytes]:
    """A small Parquet file of codes without its footer, and the footer."""
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    columns = {
        "code": [bytes([row] * 8) for row in range(20)],
        "path": [f"a/{row}.jpg" for row in range(20)],
        "label": list("abcd") * 5,
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    whole = out.getvalue()
    end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    return whole[:end], whole[end:]
