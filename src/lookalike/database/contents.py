"""The bytes of an image as it was indexed: of its file, or of the original that the database keeps."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

from lookalike import data
from lookalike.errors import LookalikeError
from lookalike.store import originals
from lookalike.store.records import Record


def as_indexed(record: Record, folder: Path) -> bytes | None:
    """The encoded image; nothing if its file has changed or is gone and no original is kept in the folder."""
    for read in (partial(data.read_bytes, record.item), partial(_kept, record, folder)):
        with suppress(LookalikeError, OSError):
            content = read()
            if data.content_digest(content) == record.digest:
                return content
    return None


def _kept(record: Record, folder: Path) -> bytes:
    return b"" if record.digest is None else originals.path(folder, record.digest).read_bytes()
