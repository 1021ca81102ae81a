"""Directories of TIFF-like files, including sub-directories, read without decoding any pixels.

Libraries read all values that a directory claims to have. Here only requested values are read, offsets are checked
against the end of the file and counts are capped, so that a hostile file costs neither memory nor time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_DIRECTORIES = 64
MAX_ENTRIES = 1024  # of a directory
MAX_VALUES = 4096  # of a tag
SUB_DIRECTORIES = 330
MAGICS = (b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")  # TIFF, RW2, ORF

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 13: 4}  # bytes a value, by type
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 13: "I"}


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: its offset and those of its tags' values."""

    data: bytes
    order: str  # byte order, as in `struct`
    offset: int
    entries: dict[int, tuple[int, int, int]]  # type, count and offset of each tag's values

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The values of a tag, at most `MAX_VALUES`, two for each fraction; empty if absent or out of bounds."""
        kind, count, offset = self.entries.get(tag, (0, 0, 0))
        count = min(count, MAX_VALUES)
        if kind not in _SIZES or not 0 <= offset <= len(self.data) - count * _SIZES[kind]:
            return ()
        return struct.unpack_from(
            f"{self.order}{_CODES[kind] * count if kind == 5 else str(count) + _CODES[kind]}", self.data, offset
        )

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of a tag."""
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str:
        """A tag as text."""
        return bytes(value & 255 for value in self.numbers(tag)).split(b"\0")[0].decode("latin-1").strip()

    def fraction(self, tag: int, index: int) -> float | None:
        """A value of a tag that may contain fractions."""
        values = self.numbers(tag)
        if self.entries.get(tag, (0,))[0] != 5:
            return values[index] if index < len(values) else None
        top, bottom = values[2 * index : 2 * index + 2] or (0, 0)
        return top / bottom if bottom else None


def read(data: bytes, start: int = 0) -> list[Directory]:
    """All directories of the TIFF data that begin at `start`; sub-directories follow their parent."""
    if data[start : start + 4] not in MAGICS or len(data) < start + 8:
        return []
    data = data[start:] if start else data
    order = "<" if data.startswith(b"II") else ">"
    result: list[Directory] = []
    seen: set[int] = set()
    ahead = [int(struct.unpack_from(f"{order}I", data, 4)[0])]
    while ahead and len(result) < MAX_DIRECTORIES:
        offset = ahead.pop(0)
        if offset in seen or not 8 <= offset <= len(data) - 2:
            continue
        seen.add(offset)
        directory, following = _directory(data, order, offset)
        result.append(directory)
        ahead = [*directory.numbers(SUB_DIRECTORIES)[:MAX_DIRECTORIES], following, *ahead]
    return result


def alone(directory: Directory) -> bytes:
    """A TIFF file with this as its first directory."""
    magic = b"II*\0" if directory.order == "<" else b"MM\0*"
    return magic + struct.pack(f"{directory.order}I", directory.offset) + directory.data[8:]


def _directory(data: bytes, order: str, offset: int) -> tuple[Directory, int]:
    """The directory at an offset, and the offset of the next one."""
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    entries: dict[int, tuple[int, int, int]] = {}
    end = offset + 2 + 12 * count
    for at in range(offset + 2, min(offset + 2 + 12 * min(count, MAX_ENTRIES), len(data) - 11), 12):
        tag, kind, number, value = struct.unpack_from(f"{order}HHII", data, at)
        is_inside = number * _SIZES.get(kind, 9) <= 4
        entries.setdefault(tag, (kind, number, at + 8 if is_inside else value))
    following = struct.unpack_from(f"{order}I", data, end)[0] if end + 4 <= len(data) else 0
    return Directory(data, order, offset, entries), int(following)
