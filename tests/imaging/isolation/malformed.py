"""Malformed image files: collections of other projects, and mutations of them."""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

ARCHIVES = ("malformed_pillow.tar.gz", "malformed_pngsuite.tar.gz")
LARGEST = 300_000  # bytes of a file that is mutated
NUMBERS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\x00\x01\x00\x00", b"\xff\xff\xff\x7f")


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in an archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file is not None:
                yield member.name.replace("/", "_"), file.read()


def mutated(data: bytes, random_: random.Random) -> bytes:
    """The file with a few bytes changed, truncated, with a part repeated, or with an odd number in its header."""
    changed, size = bytearray(data), len(data)
    kind = random_.randrange(4)
    if kind == 0:
        for _ in range(random_.randint(1, 20)):
            changed[random_.randrange(size)] = random_.randrange(256)
    elif kind == 1:
        del changed[random_.randrange(10, size) :]
    elif kind == 2:
        start, at = random_.randrange(size), random_.randrange(size)
        changed[at:at] = data[start : start + random_.randint(1, 5000)]
    else:
        at = random_.randrange(min(200, size - 4))
        changed[at : at + 4] = random_.choice(NUMBERS)
    return bytes(changed)


def make(folder: Path, shared_data: Path, count: int) -> int:
    """Write the archives' files, and mutations up to a total number; return the number of files."""
    random_ = random.Random(0)
    found = [member for archive in ARCHIVES for member in members(shared_data / archive)]
    small = [content for _, content in found if 50 < len(content) < LARGEST]
    contents = [content for _, content in found]
    while len(contents) < count:
        contents.append(mutated(random_.choice(small), random_))
    for number, content in enumerate(contents):
        (folder / f"{number:04}").write_bytes(content)
    return len(contents)
