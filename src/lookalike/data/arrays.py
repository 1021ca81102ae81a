"""Arrays in files of NumPy, `.npy` and `.npz`, of which nothing is believed before it is checked.

NumPy's own readers raise errors of many classes for files that are damaged, advise to unpickle them, and take as much
memory as a header claims.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import DataError

Array = npt.NDArray[Any]

MAX_HEADER = 10_000  # characters
MAX_DIMENSIONS = 4
ALWAYS_READ = 256 << 20  # bytes that an `.npz` file may become when it is unpacked, however small it is
TIMES_LARGER = 20  # than itself that a larger file may become


class Header(NamedTuple):
    """What an array's header says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool

    @property
    def bytes(self) -> int:
        """How many bytes follow the header."""
        count = self.dtype.itemsize
        for side in self.shape:  # as Python's integers, which do not overflow
            count *= side
        return count


def open_array(path: Path) -> Array:
    """The array in a `.npy` file, memory-mapped. Raises `DataError`, naming the file, for what is none."""
    try:
        with path.open("rb") as file:
            return _mapped(file)
    except Exception as error:  # of NumPy and Python's tokenizer, each with classes of its own
        raise _refusal(error, path, ".npy", "numpy.save") from error


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Those arrays of these names that an `.npz` file has, and nothing else of it. Raises `DataError`, naming it."""
    try:
        with zipfile.ZipFile(path) as archive:
            there = set(archive.namelist())
            members = {name: archive.getinfo(f"{name}.npy") for name in names if f"{name}.npy" in there}
            _check_claims(members.values(), path.stat().st_size)
            return {name: _member(archive, member) for name, member in members.items()}
    except Exception as error:  # of NumPy, zip, zlib and Python's tokenizer, each with classes of its own
        raise _refusal(error, path, ".npz", "numpy.savez") from error


def array_names(path: Path) -> list[str]:
    """The names of all arrays in an `.npz` file that can be read."""
    with zipfile.ZipFile(path) as archive:
        return sorted(name.removesuffix(".npy") for name in archive.namelist())


def _mapped(file: BinaryIO) -> Array:
    header = _header(file)
    start, size = file.tell(), os.fstat(file.fileno()).st_size
    if size - start < header.bytes:
        raise ValueError(f"it has {size:,} bytes, fewer than its header says")
    if not header.bytes:
        return np.empty(0, header.dtype).reshape(header.shape)
    return np.memmap(file, header.dtype, "r", start, header.shape, "F" if header.is_fortran else "C")


def _check_claims(members: Iterable[zipfile.ZipInfo], size: int) -> None:
    claimed, most = sum(member.file_size for member in members), max(ALWAYS_READ, TIMES_LARGER * size)
    if claimed > most:
        raise ValueError(f"unpacked it has {claimed:,} bytes; at most {most:,} are read of a file of its size")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        header = _header(file)
        if member.file_size < header.bytes:
            raise ValueError(f"{member.filename} has {member.file_size:,} bytes, fewer than its header says")
        data = file.read(header.bytes)
        if len(data) < header.bytes or file.read(1):  # to the end, where the checksum is compared
            raise ValueError(f"{member.filename} has not as many bytes as its header says")
    flat = np.frombuffer(data, header.dtype)
    return flat.reshape(header.shape, order="F" if header.is_fortran else "C")


def _header(file: IO[bytes]) -> Header:
    """The header of an array, whose values may be numbers, texts or times. Raises `ValueError`."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"it is of version {version}; 1.0 to 3.0 are read")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, is_fortran, dtype = read(file, max_header_size=MAX_HEADER)
    except ValueError as error:
        if "max_header_size" in str(error):  # NumPy's advice is to unpickle the file
            raise ValueError("its header is too long") from error
        raise
    if dtype.hasobject or dtype.kind not in "biufUM":
        raise ValueError(f"it holds {dtype}; expected numbers")
    if len(shape) > MAX_DIMENSIONS or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"its shape is {shape}")
    return Header(shape, dtype, is_fortran)


def _refusal(error: Exception, path: Path, kind: str, maker: str) -> DataError:
    """What is said, in one line that names the file, of an error while it was read."""
    if isinstance(error, MemoryError):
        return DataError(f"{path} does not fit into memory; divide it")
    said = getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(f"{path} is not a readable {kind} file ({said}); {maker} makes one")
