"""Originals kept inside a database: one file for each content, named by its digest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.core import atomic
from lookalike.core.errors import LookalikeError
from lookalike.imaging.files import content_digest
from lookalike.store.records import Record

if TYPE_CHECKING:
    from lookalike.imaging.isolation.decoders import Decoders, ImageFile, Source

FOLDER = "originals"


def path(database: Path, digest: bytes) -> Path:
    """The path of the original with that digest, whether it exists or not."""
    name = digest.hex()
    return database / FOLDER / name[:2] / name[2:]


def keep(database: Path, digest: bytes, content: bytes) -> None:
    """Store an image's bytes, once; a damaged file in its target is replaced."""
    target = path(database, digest)
    if has(database, digest, len(content)) and target.read_bytes() == content:
        return
    if not target.parent.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.flush_folder(target.parents[1])
    with atomic.replacing(target, within=database / FOLDER) as temporary:
        temporary.write_bytes(content)


def has(database: Path, digest: bytes, length: int | None) -> bool:
    """Whether an original exists, with this length in bytes if known. Does not read it."""
    try:
        status = path(database, digest).stat()
    except OSError:
        return False
    return length is None or status.st_size == length


def digests(database: Path) -> Iterator[bytes]:
    """Digests of all originals."""
    for target in _files(database):
        name = target.parent.name + target.name
        if re.fullmatch(r"[0-9a-f]{32}", name):
            yield bytes.fromhex(name)


def _files(database: Path) -> list[Path]:
    """All files in the folder of originals, including foreign ones."""
    return sorted((database / FOLDER).glob("??/*"))


def temporary(database: Path) -> list[Path]:
    """Temporary files of killed processes."""
    return [path for path in (database / FOLDER).glob(".*.tmp") if atomic.is_temporary(path)]


def drop_temporary(database: Path) -> list[Path]:
    """Delete temporary files that earlier versions left next to the originals; returns them."""
    leftovers = [path for path in _files(database) if path.name.startswith("tmp") and path.name.endswith(".tmp")]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def is_intact(database: Path, digest: bytes) -> bool:
    """Whether an original's content matches its name."""
    try:
        return content_digest(path(database, digest).read_bytes()) == digest
    except OSError:
        return False


def drop(database: Path, digest: bytes) -> None:
    """Delete an original that no row refers to."""
    path(database, digest).unlink(missing_ok=True)


@contextmanager
def opened(record: Record, folder: Path, decoders: Decoders) -> Iterator[ImageFile | None]:
    """A record's image; None if its file is gone or changed and no original is kept in the folder."""
    with ExitStack() as stack:
        yield _open(record, folder, decoders, stack)


def _open(record: Record, folder: Path, decoders: Decoders, stack: ExitStack) -> ImageFile | None:
    from lookalike import data

    for source in (partial(data.source, record.item), partial(_kept, record, folder)):
        with suppress(LookalikeError, OSError), ExitStack() as holding:
            image = holding.enter_context(decoders.opened(source()))
            if image.digest is not None and image.digest == record.digest:
                stack.push(holding.pop_all())
                return image
    return None


def _kept(record: Record, folder: Path) -> Source:
    return b"" if record.digest is None else path(folder, record.digest)
