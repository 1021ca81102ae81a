"""Thumbnails, re-encoded from pixels so that no other content of a file gets out.

They are cached in memory up to a limit. Browsers revalidate their copies without the file being read.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from lookalike.database import Database
from lookalike.store.records import Record
from lookalike.web.state import files
from lookalike.web.state.collection import Collection
from lookalike.web.state.uploads import UploadDecoders

SIDES = (64, 128, 256, 512, 1024)  # pixels
USUAL = 256
BYTES = 128 << 20  # size of the cache
MAKING = "1"  # version of the encoding


def side_for(size: int) -> int:
    """The side in pixels of the thumbnail for a requested size."""
    return next((side for side in SIDES if side >= size), SIDES[-1])


def version(record: Record) -> str:
    """A version that changes with the image, in hexadecimal and dots."""
    if record.digest:
        return f"{MAKING}.{record.digest[:8].hex()}"
    return f"{MAKING}.{record.id:x}.{record.size:x}.{record.mtime_ns:x}"


class Thumbnails:
    """Makes and caches thumbnails."""

    def __init__(self, collection: Collection, decoders: UploadDecoders, *, most: int = BYTES) -> None:
        self._collection, self._decoders, self._most = collection, decoders, most
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._making: dict[tuple[str, int], asyncio.Task[bytes]] = {}
        self.size = 0  # bytes

    async def get(self, database: Database, record: Record, side: int) -> bytes:
        """A JPEG of an image, at most `side` pixels a side. Raises `Problem` if that is impossible."""
        key = (version(record), side)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._making:
            task = self._making[key] = asyncio.create_task(self._make(database, record, side))
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(self._making[key])  # several requests may wait for it

    async def _make(self, database: Database, record: Record, side: int) -> bytes:
        content = await self._collection.run(files.read, database.path, record)
        return await self._decoders.thumbnail(content, side)

    def _made(self, key: tuple[str, int], task: asyncio.Task[bytes]) -> None:
        del self._making[key]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[key] = task.result()
        self.size += len(task.result())
        while self.size > self._most:
            self.size -= len(self._kept.popitem(last=False)[1])
