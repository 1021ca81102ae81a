"""The bytes of an image as it was indexed: of its file, or of the original that the database keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.imaging.isolation.decoders import Decoders, ImageFile, Source
from lookalike.store import originals
from lookalike.store.records import Record


@contextmanager
def opened(record: Record, folder: Path, decoders: Decoders) -> Iterator[ImageFile | None]:
    """The image of a record; nothing if its file has changed or is gone and no original is kept in the folder."""
    with ExitStack() as stack:
        yield _open(record, folder, decoders, stack)


def _open(record: Record, folder: Path, decoders: Decoders, stack: ExitStack) -> ImageFile | None:
    for source in (partial(data.source, record.item), partial(_kept, record, folder)):
        with suppress(LookalikeError, OSError), ExitStack() as holding:
            image = holding.enter_context(decoders.opened(source()))
            if image.digest is not None and image.digest == record.digest:
                stack.push(holding.pop_all())
                return image
    return None


def _kept(record: Record, folder: Path) -> Source:
    return b"" if record.digest is None else originals.path(folder, record.digest)
