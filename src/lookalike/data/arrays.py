"""NumPy files from anyone, `.npy` and `.npz`: read or refused in one line, and never unpickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import CodeError, DataError

Array = npt.NDArray[Any]

FEWEST_BITS = 8  # columns of unpacked codes; fewer columns of 0 and 1 may be packed codes
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


def codes_of(array: Array, what: str) -> Array:
    """Packed codes, uint8 (N, K/8), of codes as other programs store them, padded with zeros to whole bytes.

    Besides packed codes these may be bits (N, K): 0 and 1, or -1 and 1, of any type. Raises `CodeError` for others.

    >>> codes_of(np.array([[-1.0, 1.0] * 6]), "the").tolist()
    [[85, 80]]
    """
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        return array  # refused later, by shape or type
    is_packed = array.dtype == np.uint8 and (array.shape[1] < FEWEST_BITS or bool((array > 1).any()))
    if is_packed or not array.size:
        return array
    if np.isin(array, (0, 1)).all() or np.isin(array, (-1, 1)).all():
        return np.packbits(array > 0, axis=1)
    raise CodeError(
        f"{what} codes are {array.dtype} with values such as {array.ravel()[0]:g}; they must be packed codes, uint8, "
        "or bits: 0 and 1, or -1 and 1. Threshold real values first"
    )


def labels_of(*groups: Array) -> list[Array]:
    """Labels as integers (N,) or booleans (N, C), of labels as other programs store them: names, or floats, too.

    >>> [one.tolist() for one in labels_of(np.array(["cat", "dog"]), np.array(["dog"]))]
    [[0, 1], [1]]
    >>> labels_of(np.array([[0.0, 1.0]]))[0].tolist()
    [[False, True]]
    """
    if all(one.dtype.kind == "U" and one.ndim == 1 for one in groups):
        numbers = np.unique(np.concatenate(groups), return_inverse=True)[1]
        return np.split(numbers, np.cumsum([len(one) for one in groups])[:-1])
    return [_whole(one) for one in groups]


def _whole(labels: Array) -> Array:
    """Floats as the integers or booleans that they stand for; others as they are, to be refused later."""
    if labels.dtype.kind == "f" and labels.ndim == 2 and np.isin(labels, (0, 1)).all():
        return labels.astype(bool)
    if labels.dtype.kind == "f" and labels.ndim == 1 and (np.abs(labels) < 1 << 53).all() and (labels % 1 == 0).all():
        return labels.astype(np.int64)
    return labels


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
