"""Which images are gone, and which are only out of reach.

An image is gone if its file is not there although its folder, or the nearest above it that exists, can be listed, lies
on the volume on which the image was seen last, and that volume still holds another image that is known. Everything else
says nothing of the image: a drive that is not plugged in leaves an empty folder, too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from lookalike.core.mounts import Mounts
from lookalike.data import Item, parquet
from lookalike.store.protocol import Store
from lookalike.store.records import Record
from lookalike.store.surroundings import Unreachable

NOT_THERE = "No such file or directory"
NOTHING_KNOWN = "none of the images that are known there is there"
WENT_AWAY = "what was there a moment ago is there no more"
NO_TARGET = "a link to a file that is not there"
NO_TABLE = "not a readable table any more"
SEARCHED = 500  # rows at a time where one image that is there is looked for


@dataclass
class Judged:
    """What became of images."""

    here: set[int] = field(default_factory=set)
    back: set[int] = field(default_factory=set)  # of these, the ones that are marked as missing
    gone: set[int] = field(default_factory=set)
    away: dict[int, tuple[str, str]] = field(default_factory=dict)  # out of reach: where that begins, and why
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # of these, without what was missing before

    def keep_away(self, record: Record, where: tuple[str, str]) -> None:
        """Note that an image is out of reach."""
        self.away[record.id] = where
        self.counts[where] += not record.missing_since

    def places(self) -> list[Unreachable]:
        """What is out of reach, with the number of images."""
        return [Unreachable(path, why, count) for (path, why), count in sorted(self.counts.items())]


class Reachability:
    """What is known of a collection's folders at the moment."""

    def __init__(self, store: Store, mounts: Mounts | None = None) -> None:
        self._store, self._mounts = store, mounts or Mounts()
        self._folders: dict[str, str | None] = {}  # why one cannot be listed; nothing if it can
        self._volumes = {number: one.identity for number, one in store.surroundings.volumes().items()}
        self._proven: dict[tuple[str, int | None, str], str] = {}  # root, volume as recorded, its identity now: a file
        self._refuted: set[tuple[str, int | None, str]] = set()
        self._holding: dict[str, str] = {}  # folders that hold a file of an image that is known, somewhere below
        self._empty: set[str] = set()

    def saw(self, record: Record, item: Item) -> None:
        """Take note of an image that is there."""
        now = item.volume.identity
        unchanged = (record.size, record.mtime_ns) == (item.size, item.mtime_ns)
        if unchanged or now == self._was_on(record):
            self._proven.setdefault((record.root, record.volume, now), item.file)
        folder = os.path.dirname(item.file)
        while folder not in self._holding and len(folder) >= len(record.root):
            self._holding[folder] = item.file
            folder = os.path.dirname(folder)

    def judge(self, records: Iterable[Record]) -> Judged:
        """What became of images, which were not seen."""
        self._mounts = Mounts()  # hours may have passed
        self._folders.clear()
        judged, absent = Judged(), []
        for record in records:
            found = self.look(record)
            if found is None:
                absent.append(record)
            elif isinstance(found, Item):
                judged.here.add(record.id)
                if record.missing_since:
                    judged.back.add(record.id)
                self.saw(record, found)
            elif isinstance(found, str):
                judged.gone.add(record.id)
            else:
                judged.keep_away(record, found)
        self._judge_absent(absent, judged)
        return judged

    def _judge_absent(self, absent: Sequence[Record], judged: Judged) -> None:
        """Tell what is gone from what is out of reach, of images that are not there."""
        skip = {record.id for record in absent}
        gone: dict[str, list[Record]] = {}  # by what says so
        for record in absent:
            says = self._why_gone(record, skip)
            if isinstance(says, str):
                gone.setdefault(says, []).append(record)
            else:
                judged.keep_away(record, says)
        mounted = Mounts()
        for evidence, records in gone.items():
            if self._still_holds(evidence, mounted):
                judged.gone.update(record.id for record in records)
            else:
                for record in records:
                    judged.keep_away(record, (record.root, WENT_AWAY))

    def _still_holds(self, evidence: str, mounted: Mounts) -> bool:
        """Whether a file or folder is still where it was before the absent images were looked for."""
        folder = evidence if os.path.isdir(evidence) else os.path.dirname(evidence)
        return os.path.lexists(evidence) and mounted.of(folder) == self._mounts.of(folder)

    def has_moved(self, record: Record) -> bool:
        """Whether an image whose bytes were found in another file is not where it was any more.

        Where its whole root or table is gone, but the volume is there on which it was seen, it was moved with that.
        """
        if self.look(record) not in (None, "") and not self._is_bare(record):
            return False
        if record.volume is None and self._is_bare(record):
            return True
        is_mounted = self._was_on(record) == self._mounts.of(self._nearest(record)).identity
        return is_mounted or isinstance(self._why_gone(record, {record.id}), str)

    def _is_bare(self, record: Record) -> bool:
        """Whether the root or the table of an image does not exist."""
        if self._state(record.root) == NOT_THERE:
            return True
        return record.row is not None and self.look(record) == (record.item.file, NOT_THERE)

    def look(self, record: Record) -> Item | tuple[str, str] | str | None:
        """The item of an image that is there; where and why it cannot be reached; nothing if it is not there.

        An empty text for a row that its table has no more. A whole table that is not there may have been moved.
        """
        file = record.item.file
        folder = os.path.dirname(file)
        if (why := self._state(record.root)) is not None and not os.access(folder, os.X_OK):
            return record.root, why
        if self._state(folder) == NOT_THERE:
            return None if record.row is None else (file, NOT_THERE)
        try:
            status = os.stat(file)
        except (FileNotFoundError, NotADirectoryError):
            absent = None if record.row is None else (file, NOT_THERE)
            return (file, NO_TARGET) if os.path.lexists(file) else absent
        except OSError as error:
            return folder if self._state(folder) is not None else file, error.strerror or str(error)
        if record.row is not None:
            rows = parquet.count(record.item)
            if rows is None:
                return file, NO_TABLE
            if record.row >= rows:
                return ""
        item = replace(record.item, size=status.st_size, mtime_ns=status.st_mtime_ns)
        return item.seen(status, self._mounts.of(folder))

    def _why_gone(self, record: Record, skip: set[int]) -> str | tuple[str, str]:
        """The file or folder by which an image that is not there is gone; else where and why it may still exist."""
        near = self._nearest(record)
        why = self._state(near)
        if why is not None:
            return near, why
        before = record.volume
        if before is None:
            return self._holding[near] if self._holds_known(near, skip) else (near, NOTHING_KNOWN)
        now, was = self._mounts.of(near).identity, self._was_on(record)
        if now == was and record.missing_since:  # it was gone when more was there
            return near
        if self._is_proven(record.root, before, now, skip):
            return self._proven[record.root, before, now]
        if now == was:
            return record.root, NOTHING_KNOWN
        return near, f"the file system that held it ({was}) is not mounted here"

    def _was_on(self, record: Record) -> str | None:
        """The identity of the volume on which an image was seen last, if that is known."""
        if record.volume is None:
            return None
        if record.volume not in self._volumes:  # it was found since
            self._volumes = {number: one.identity for number, one in self._store.surroundings.volumes().items()}
        return self._volumes.get(record.volume)

    def _nearest(self, record: Record) -> str:
        """The nearest folder above an image that exists, or its root."""
        folder = os.path.dirname(record.item.file)
        while self._state(folder) == NOT_THERE and len(folder) > len(record.root):
            folder = os.path.dirname(folder)
        return folder

    def _state(self, folder: str) -> str | None:
        """Why a folder cannot be listed; nothing if it can."""
        if folder not in self._folders:
            try:
                with os.scandir(folder) as entries:
                    next(entries, None)
                self._folders[folder] = None
            except (FileNotFoundError, NotADirectoryError):
                self._folders[folder] = NOT_THERE
            except OSError as error:
                self._folders[folder] = error.strerror or str(error)
        return self._folders[folder]

    def _is_proven(self, root: str, before: int, now: str, skip: set[int]) -> bool:
        """Whether a volume, as it was recorded, is the one that is there now: an image of it is still there."""
        key = root, before, now
        if key not in self._proven and key not in self._refuted:
            self._search(self._store.on_volume(root, before), skip, lambda: key in self._proven)
            if key not in self._proven:
                self._refuted.add(key)
        return key in self._proven

    def _holds_known(self, folder: str, skip: set[int]) -> bool:
        """Whether a folder holds an image that is known."""
        if folder not in self._holding and folder not in self._empty:
            self._search(self._store.below(folder), skip, lambda: folder in self._holding)
            if folder not in self._holding:
                self._empty.add(folder)
        return folder in self._holding

    def _search(self, ids: Iterable[int], skip: set[int], found: Callable[[], bool]) -> None:
        """Look for images until what was wanted is found."""
        for batch in _batches((id_ for id_ in ids if id_ not in skip), SEARCHED):
            for record in self._store.records(batch).values():
                item = self.look(record)
                if isinstance(item, Item):
                    self.saw(record, item)
                    if found():
                        return


def _batches(ids: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(ids)
    while batch := list(islice(rest, size)):
        yield batch
