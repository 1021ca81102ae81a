"""NumPy files from anyone, `.npy` and `.npz`: read or refused in one line, and never unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import DataError

Array = npt.NDArray[Any]

ALWAYS_READ = 256 << 20  # bytes that any `.npz` file may unpack to
TIMES_LARGER = 20  # times its size that a larger file may unpack to


def open_array(path: Path) -> Array:
    """The array in a `.npy` file, memory-mapped. Raises `DataError`, naming the file."""
    try:
        return _checked(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # NumPy and Python's tokenizer raise many kinds
        raise _refusal(error, path, ".npy", "numpy.save") from error


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """The arrays with these names that an `.npz` file has; reads nothing else. Raises `DataError`, naming the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
            there = [name for name in names if name in members]
            claimed = sum(members[name].file_size for name in there)
            most = max(ALWAYS_READ, TIMES_LARGER * path.stat().st_size)
            if claimed > most:
                raise DataError(f"it unpacks to {claimed:,} bytes; at most {most:,} are allowed for its size")
            return {name: _member(archive, members[name]) for name in there}
    except Exception as error:  # NumPy, zip, zlib and Python's tokenizer raise many kinds
        raise _refusal(error, path, ".npz", "numpy.savez") from error


def array_names(path: Path) -> list[str]:
    """Names of all arrays in a readable `.npz` file."""
    with zipfile.ZipFile(path) as archive:
        return sorted(name.removesuffix(".npy") for name in archive.namelist())


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        array = _checked(np.lib.format.read_array(file, allow_pickle=False))
        file.read()  # to the end, where the checksum is verified
        return array


def _checked(array: Array) -> Array:
    if array.dtype.hasobject or array.dtype.kind not in "biufUM":
        raise DataError(f"it has values of type {array.dtype}; expected numbers")
    return array


def _refusal(error: Exception, path: Path, kind: str, maker: str) -> DataError:
    """A one-line error about a file that could not be read; NumPy's own words advise to unpickle it."""
    if isinstance(error, MemoryError):
        return DataError(f"{path} does not fit into memory; divide it")
    reason = str(error) if isinstance(error, DataError) else getattr(error, "strerror", None) or "damaged"
    return DataError(f"{path} is not a readable {kind} file ({reason}); create one with {maker}")
