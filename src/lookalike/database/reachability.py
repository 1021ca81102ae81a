"""Reachability: which absent images are gone, and which are only out of reach.

An image is gone if its file is missing although its folder (or the nearest existing one above) can be listed, is on the
volume where the image was last seen, and that volume still has another known image. Anything else proves nothing: an
unplugged drive leaves an empty folder, too.
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
from lookalike.store.scan_state import Unreachable

NOT_THERE = "No such file or directory"
NOTHING_KNOWN = "none of the known images there exists"
WENT_AWAY = "what was there a moment ago has disappeared"
NO_TARGET = "a link to a missing file"
NO_TABLE = "no longer a readable table"
SEARCHED = 500  # rows read at a time when searching for one existing image


@dataclass
class Presence:
    """Ids of images by the state of their files."""

    here: set[int] = field(default_factory=set)
    back: set[int] = field(default_factory=set)  # those of `here` that are marked as missing
    gone: set[int] = field(default_factory=set)
    away: dict[int, tuple[str, str]] = field(default_factory=dict)  # out of reach: from where, and why
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # of `away`, unless already missing

    def _keep_away(self, record: Record, where: tuple[str, str]) -> None:
        """Record that an image is out of reach."""
        self.away[record.id] = where
        self.counts[where] += not record.missing_since

    def unreachable(self) -> list[Unreachable]:
        """Unreachable places, with their numbers of images."""
        return [Unreachable(path, why, count) for (path, why), count in sorted(self.counts.items())]


class Reachability:
    """The current state of a collection's folders."""

    def __init__(self, store: Store, mounts: Mounts | None = None) -> None:
        self._store, self._mounts = store, mounts or Mounts()
        self._folders: dict[str, str | None] = {}  # why each cannot be listed; None if it can
        self._volumes = {number: one.identity for number, one in store.scan_state.volumes().items()}
        self._proven: dict[tuple[str, int | None, str], str] = {}  # root, recorded volume, its identity → a file
        self._refuted: set[tuple[str, int | None, str]] = set()
        self._holding: dict[str, str] = {}  # folders with a known image's file somewhere below
        self._empty: set[str] = set()

    def saw(self, record: Record, item: Item) -> None:
        """Record an existing image."""
        now = item.volume.identity
        unchanged = (record.size, record.mtime_ns) == (item.size, item.mtime_ns)
        if unchanged or now == self._was_on(record):
            self._proven.setdefault((record.root, record.volume, now), item.file)
        folder = os.path.dirname(item.file)
        while folder not in self._holding and len(folder) >= len(record.root):
            self._holding[folder] = item.file
            folder = os.path.dirname(folder)

    def classify(self, records: Iterable[Record]) -> Presence:
        """The state of unseen images' files."""
        self._mounts = Mounts()  # hours may have passed
        self._folders.clear()
        presence, absent = Presence(), []
        for record in records:
            result = self.look(record)
            if result is None:
                absent.append(record)
            elif isinstance(result, Item):
                presence.here.add(record.id)
                if record.missing_since:
                    presence.back.add(record.id)
                self.saw(record, result)
            elif isinstance(result, str):
                presence.gone.add(record.id)
            else:
                presence._keep_away(record, result)
        self._classify_absent(absent, presence)
        return presence

    def _classify_absent(self, absent: Sequence[Record], presence: Presence) -> None:
        """Distinguish gone images from unreachable ones, among those whose files are missing."""
        skip = {record.id for record in absent}
        gone: dict[str, list[Record]] = {}  # by the evidence
        for record in absent:
            proof = self._why_gone(record, skip)
            if isinstance(proof, str):
                gone.setdefault(proof, []).append(record)
            else:
                presence._keep_away(record, proof)
        mounted = Mounts()
        for evidence, records in gone.items():
            if self._still_holds(evidence, mounted):
                presence.gone.update(record.id for record in records)
            else:
                for record in records:
                    presence._keep_away(record, (record.root, WENT_AWAY))

    def _still_holds(self, evidence: str, mounted: Mounts) -> bool:
        """Whether a file or folder is still where it was before the search for absent images."""
        folder = evidence if os.path.isdir(evidence) else os.path.dirname(evidence)
        return os.path.lexists(evidence) and mounted.of(folder) == self._mounts.of(folder)

    def has_moved(self, record: Record) -> bool:
        """Whether an image whose content was found in another file has left its old path.

        If its whole root or table is missing, but its last volume is mounted, it was moved together with that.
        """
        if self.look(record) not in (None, "") and not self._is_bare(record):
            return False
        if record.volume is None and self._is_bare(record):
            return True
        is_mounted = self._was_on(record) == self._mounts.of(self._nearest(record)).identity
        return is_mounted or isinstance(self._why_gone(record, {record.id}), str)

    def _is_bare(self, record: Record) -> bool:
        """Whether an image's root or table does not exist."""
        if self._state(record.root) == NOT_THERE:
            return True
        return record.row is not None and self.look(record) == (record.item.file, NOT_THERE)

    def look(self, record: Record) -> Item | tuple[str, str] | str | None:
        """The item of an existing image; where and why it is unreachable; None if its file is missing.

        An empty string if its table no longer has the row. A table that is missing as a whole may have been moved.
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
        """The file or folder that proves an absent image gone; or where and why it may still exist."""
        near = self._nearest(record)
        why = self._state(near)
        if why is not None:
            return near, why
        before = record.volume
        if before is None:
            return self._holding[near] if self._holds_known(near, skip) else (near, NOTHING_KNOWN)
        now, was = self._mounts.of(near).identity, self._was_on(record)
        if now == was and record.missing_since:  # it was already gone when more was there
            return near
        if self._is_proven(record.root, before, now, skip):
            return self._proven[record.root, before, now]
        if now == was:
            return record.root, NOTHING_KNOWN
        return near, f"its file system ({was}) is not mounted"

    def _was_on(self, record: Record) -> str | None:
        """The identity of the volume that an image was last seen on, if known."""
        if record.volume is None:
            return None
        if record.volume not in self._volumes:  # the volume was added since
            self._volumes = {number: one.identity for number, one in self._store.scan_state.volumes().items()}
        return self._volumes.get(record.volume)

    def _nearest(self, record: Record) -> str:
        """The nearest existing folder above an image, or its root."""
        folder = os.path.dirname(record.item.file)
        while self._state(folder) == NOT_THERE and len(folder) > len(record.root):
            folder = os.path.dirname(folder)
        return folder

    def _state(self, folder: str) -> str | None:
        """Why a folder cannot be listed; None if it can."""
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
        """Whether the recorded volume is the current one, proven by an image that still exists."""
        key = root, before, now
        if key not in self._proven and key not in self._refuted:
            self._search(self._store.on_volume(root, before), skip, lambda: key in self._proven)
            if key not in self._proven:
                self._refuted.add(key)
        return key in self._proven

    def _holds_known(self, folder: str, skip: set[int]) -> bool:
        """Whether a folder has a known image."""
        if folder not in self._holding and folder not in self._empty:
            self._search(self._store.below(folder), skip, lambda: folder in self._holding)
            if folder not in self._holding:
                self._empty.add(folder)
        return folder in self._holding

    def _search(self, ids: Iterable[int], skip: set[int], found: Callable[[], bool]) -> None:
        """Look at images until `found()` holds."""
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
