"""NumPy files, `.npy` and `.npz`, with everything checked before it is trusted.

NumPy's own readers raise many kinds of errors for damaged files, advise unpickling them, and allocate whatever a header
claims.
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
ALWAYS_READ = 256 << 20  # bytes that any `.npz` file may unpack to
TIMES_LARGER = 20  # times its size that a larger file may unpack to


class Header(NamedTuple):
    """An array's header."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool

    @property
    def bytes(self) -> int:
        """Number of bytes that follow the header."""
        count = self.dtype.itemsize
        for side in self.shape:  # Python integers do not overflow
            count *= side
        return count


def open_array(path: Path) -> Array:
    """The array in a `.npy` file, memory-mapped. Raises `DataError`, naming the file."""
    try:
        with path.open("rb") as file:
            return _mapped(file)
    except Exception as error:  # NumPy and Python's tokenizer raise many kinds
        raise _refusal(error, path, ".npy", "numpy.save") from error


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """The arrays with these names that an `.npz` file has; reads nothing else. Raises `DataError`, naming the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            there = set(archive.namelist())
            members = {name: archive.getinfo(f"{name}.npy") for name in names if f"{name}.npy" in there}
            _check_claims(members.values(), path.stat().st_size)
            return {name: _member(archive, member) for name, member in members.items()}
    except Exception as error:  # NumPy, zip, zlib and Python's tokenizer raise many kinds
        raise _refusal(error, path, ".npz", "numpy.savez") from error


def array_names(path: Path) -> list[str]:
    """Names of all arrays in a readable `.npz` file."""
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
        raise ValueError(f"it unpacks to {claimed:,} bytes; at most {most:,} are allowed for its size")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        header = _header(file)
        if member.file_size < header.bytes:
            raise ValueError(f"{member.filename} has {member.file_size:,} bytes, fewer than its header says")
        data = file.read(header.bytes)
        if len(data) < header.bytes or file.read(1):  # read to the end, where the checksum is verified
            raise ValueError(f"{member.filename} does not have as many bytes as its header says")
    flat = np.frombuffer(data, header.dtype)
    return flat.reshape(header.shape, order="F" if header.is_fortran else "C")


def _header(file: IO[bytes]) -> Header:
    """The header of an array of numbers, texts or times. Raises `ValueError`."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"its format version is {version}; expected 1.0 to 3.0")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, is_fortran, dtype = read(file, max_header_size=MAX_HEADER)
    except ValueError as error:
        if "max_header_size" in str(error):  # NumPy's advice is to unpickle the file
            raise ValueError("its header is too long") from error
        raise
    if dtype.hasobject or dtype.kind not in "biufUM":
        raise ValueError(f"it has values of type {dtype}; expected numbers")
    if len(shape) > MAX_DIMENSIONS or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"its shape is {shape}")
    return Header(shape, dtype, is_fortran)


def _refusal(error: Exception, path: Path, kind: str, maker: str) -> DataError:
    """A one-line error about a file that could not be read."""
    if isinstance(error, MemoryError):
        return DataError(f"{path} does not fit into memory; divide it")
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(f"{path} is not a readable {kind} file ({reason}); create one with {maker}")
