"""The directories of a TIFF-like file, sub-directories among them: what is in the file, before any of it is decoded.

Libraries read all values of a directory, however many it claims. Here nothing is read but what is asked for, each
offset is held against the end of the file, and counts are capped, so that a hostile file takes no memory and no time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_DIRECTORIES = 64
MAX_ENTRIES = 1024  # of a directory
MAX_VALUES = 4096  # of a tag
SUB_DIRECTORIES = 330
MAGICS = (b"II*\0", b"MM\0*", b"IIU\0", b"IIRO", b"IIRS", b"MMOR")  # TIFF, RW2, ORF

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 13: 4}  # of values, in bytes, by their type
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 13: "I"}


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: where it is, and where the values of its tags are."""

    data: bytes
    order: str  # of bytes, as `struct` writes it
    offset: int
    entries: dict[int, tuple[int, int, int]]  # type, count and place of each tag's values

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The values of a tag, at most `MAX_VALUES`, two for each fraction; none if it is absent or leads nowhere."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        count = min(count, MAX_VALUES)
        if kind not in _SIZES or not 0 <= place <= len(self.data) - count * _SIZES[kind]:
            return ()
        return struct.unpack_from(
            f"{self.order}{_CODES[kind] * count if kind == 5 else str(count) + _CODES[kind]}", self.data, place
        )

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of a tag."""
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str:
        """A tag as text."""
        return bytes(value & 255 for value in self.numbers(tag)).split(b"\0")[0].decode("latin-1").strip()

    def fraction(self, tag: int, index: int) -> float | None:
        """A value of a tag that may hold fractions."""
        values = self.numbers(tag)
        if self.entries.get(tag, (0,))[0] != 5:
            return values[index] if index < len(values) else None
        top, bottom = values[2 * index : 2 * index + 2] or (0, 0)
        return top / bottom if bottom else None


def read(data: bytes, start: int = 0) -> list[Directory]:
    """All directories of the file that begins at `start`, the first one first; sub-directories follow their own."""
    if data[start : start + 4] not in MAGICS or len(data) < start + 8:
        return []
    data = data[start:] if start else data
    order = "<" if data.startswith(b"II") else ">"
    found: list[Directory] = []
    seen: set[int] = set()
    ahead = [int(struct.unpack_from(f"{order}I", data, 4)[0])]
    while ahead and len(found) < MAX_DIRECTORIES:
        place = ahead.pop(0)
        if place in seen or not 8 <= place <= len(data) - 2:
            continue
        seen.add(place)
        directory, following = _directory(data, order, place)
        found.append(directory)
        ahead = [*directory.numbers(SUB_DIRECTORIES)[:MAX_DIRECTORIES], following, *ahead]
    return found


def alone(directory: Directory) -> bytes:
    """A TIFF file whose first directory is this one."""
    magic = b"II*\0" if directory.order == "<" else b"MM\0*"
    return magic + struct.pack(f"{directory.order}I", directory.offset) + directory.data[8:]


def _directory(data: bytes, order: str, place: int) -> tuple[Directory, int]:
    """The directory at a place, and where the next one is."""
    (count,) = struct.unpack_from(f"{order}H", data, place)
    entries: dict[int, tuple[int, int, int]] = {}
    end = place + 2 + 12 * count
    for at in range(place + 2, min(place + 2 + 12 * min(count, MAX_ENTRIES), len(data) - 11), 12):
        tag, kind, number, offset = struct.unpack_from(f"{order}HHII", data, at)
        is_inside = number * _SIZES.get(kind, 9) <= 4
        entries.setdefault(tag, (kind, number, at + 8 if is_inside else offset))
    following = struct.unpack_from(f"{order}I", data, end)[0] if end + 4 <= len(data) else 0
    return Directory(data, order, place, entries), int(following)
