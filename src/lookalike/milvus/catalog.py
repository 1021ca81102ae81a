"""A collection in Milvus that holds what is known of images, row by row, as a catalog does.

An image has one of two ids that are made from its path: the second only if another path has the first. So whoever
writes it again, also after having been killed, writes it in the same place.

What changes in a transaction is written at its end, new rows before old ones go: what is cut off there is done by the
next run. Milvus keeps no locks; machines that index different folders do not meet.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from lookalike.core.errors import DatabaseError
from lookalike.core.mounts import Volume
from lookalike.data import Item, Label
from lookalike.imaging.quality import PLAIN
from lookalike.milvus.client import Row, Server
from lookalike.milvus.ids import FOUND, below, candidates, from_text
from lookalike.milvus.metadata import Beside
from lookalike.milvus.rows import FIELDS, RELIEF, found, labels_of, record_of, relief_of, row_of, whole
from lookalike.milvus.surroundings import SharedSurroundings
from lookalike.store.catalog import Outcome, Record, Taken

WINDOW = 2048  # paths looked up at once
COPIES = 1000  # rows of equal images at most that are told
ALL = ["code", *(field for field in FIELDS if field != RELIEF)]


class Seen(NamedTuple):
    """What is known of a path: its row, if there is one, and the id that it has or gets."""

    record: Record | None
    id: int


class Collection:
    """The rows of images. Reading may be done by several threads."""

    def __init__(self, server: Server, name: str, beside: Beside, *, bits: int, reliefs: bool = True) -> None:
        """`reliefs`: whether its rows have that field."""
        self._server, self.name, self._beside, self._bits = server, name, beside, bits
        self._written = [*ALL, RELIEF] if reliefs else ALL
        self.surroundings = SharedSurroundings(beside)
        self._names: Sequence[str] = ()
        self._next = 0  # of the names, which are asked for in this order
        self._window: dict[str, Seen] = {}
        self._claimed: dict[int, str] = {}  # paths by the ids that they were given since
        self._rows: dict[int, Row] = {}  # to be written at the end of the transaction
        self._changes: dict[int, Row] = {}
        self._gone: set[int] = set()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is changed inside is written at the end, if that is reached."""
        try:
            yield
            self._write()
        finally:
            self._rows, self._changes, self._gone = {}, {}, set()

    def touch(self) -> None:
        """Say that the codes have changed."""
        self._beside.touch()

    def counts(self) -> dict[str, int]:
        """Numbers of rows: with a code that can be found, with an error, missing, and labelled."""
        return {
            "images": self._server.count(self.name, FOUND),
            "errors": self._server.count(self.name, 'error != "" and missing_since < 0'),
            "missing": self._server.count(self.name, "missing_since >= 0"),
            "labelled": self._server.count(self.name, f"{FOUND} and array_length(labels) != 0"),
        }

    def plain(self) -> dict[int, bytes]:
        """The images that can be found and show too little, by id, each with its digest."""
        where = f"{FOUND} and quality >= 0 and quality < {PLAIN}"
        pages = self._server.pages(self.name, where, ["id", "digest"])
        return {int(row["id"]): bytes.fromhex(row["digest"]) for page in pages for row in page}

    # Single rows

    def expect(self, names: Sequence[str]) -> None:
        """Say which paths will be asked for, in their order, so that many are looked up at once."""
        self._names, self._next, self._window = names, 0, {}

    def find(self, name: str) -> Record | None:
        """The row of an image's path."""
        return self._seen(name).record

    def records(self, ids: Sequence[int]) -> dict[int, Record]:
        """The rows of ids."""
        return {int(row["id"]): record_of(row) for row in self._server.get(self.name, ids, ALL)}

    def undecodable(self) -> dict[int, bytes]:
        """Files that cannot be decoded are not kept here."""
        return {}

    def names(self, ids: Sequence[int]) -> dict[int, str]:
        """The paths of ids."""
        return {int(row["id"]): from_text(row["path"]) for row in self._server.get(self.name, ids, ["id", "path"])}

    def reliefs(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The reliefs of ids (see `registration`); of images that have none, nothing."""
        if not self.keeps_reliefs:
            return {}
        rows = self._server.get(self.name, ids, ["id", RELIEF])
        return {int(row["id"]): relief for row in rows if (relief := relief_of(row))}

    @property
    def keeps_reliefs(self) -> bool:
        """Whether its rows have that field."""
        return RELIEF in self._written

    def relief_of(self, digest: bytes) -> bytes | None:
        """The relief of an image of these bytes, if one is known."""
        if not self.keeps_reliefs:
            return None
        where = f'digest == "{digest.hex()}" and {RELIEF} != ""'
        rows = self._server.first(self.name, where, ["id", RELIEF], limit=1)
        return relief_of(rows[0]) if rows else None

    def all_records(self, where: str = "") -> Iterator[Record]:
        """All rows, or those that an expression holds for, by id."""
        for page in self._server.pages(self.name, where, ALL):
            yield from map(record_of, page)

    def with_digest(self, digest: bytes) -> list[Record]:
        """Rows of images with the same bytes."""
        where = f'digest == "{digest.hex()}"'
        rows = self._server.first(self.name, where, ALL, limit=COPIES)
        return [record_of(row) for row in rows if int(row["id"]) not in self._gone]

    def one_with_digest(self, digest: bytes, *, coded: bool = False) -> Record | None:
        """A row of an image with these bytes; with `coded`, of one that has a code."""
        where = f'digest == "{digest.hex()}"{" and error == " + chr(34) * 2 if coded else ""}'
        rows = self._server.first(self.name, where, ALL, limit=1)
        return record_of(rows[0]) if rows else None

    def on_volume(self, root: str, volume: int | None) -> Iterator[int]:
        """Ids of the images of a root: no volumes are kept."""
        return iter(self.below(root))

    def roots(self) -> list[str]:
        """The folders that paths are relative to."""
        return sorted(self._beside.roots())

    def any_below(self, name: str) -> bool:
        """Whether there are images of a path."""
        return bool(self._server.first(self.name, below(name), ["id"], limit=1))

    def below(self, name: str) -> list[int]:
        """Ids of the images of a path: itself, all below it if it is a folder, all rows if it is a table."""
        return [int(row["id"]) for page in self._server.pages(self.name, below(name), ["id"]) for row in page]

    # Changes, inside a transaction

    def write(self, outcome: Outcome, *, row: int | None = None) -> int:
        """Record an outcome, in place of the row with that id if one is given; the row's id."""
        id_ = self._claim(outcome.item.name, self._seen(outcome.item.name).id)
        self._beside.add_root(outcome.item.root)
        self._rows[id_] = row_of(id_, outcome, bits=self._bits)
        if row is not None and row != id_:
            self._gone.add(row)
        return id_

    def take(self, root: str, rows: Iterable[Taken]) -> int:
        """Record codes that were made elsewhere, with paths relative to the root; how many changed."""
        named = {os.path.join(root, one.folder + one.name): one for one in rows}
        self._beside.add_root(root)
        self._claimed, before = {}, len(self._rows)
        looked = self._look(list(named))
        equal = [seen.id for name, seen in looked.items() if seen.record and seen.record.code == named[name].code]
        reliefs = self.reliefs(equal) if equal else {}
        for name, seen in looked.items():
            one, known = named[name], seen.record
            if known is None or (known.code, known.label, known.missing_since) != (one.code, one.label, None):
                row = int(one.name) if one.folder.endswith("#") else None
                item = Item(root, one.folder + one.name, one.size or 0, -1, one.label, row)
                outcome = Outcome(
                    item=item, code=one.code, width=one.width, height=one.height, relief=reliefs.get(seen.id)
                )
                id_ = self._claim(name, seen.id)
                self._rows[id_] = row_of(id_, outcome, bits=self._bits)
        return len(self._rows) - before

    def set_label(self, id_: int, label: Label) -> None:
        """Store another label."""
        self._changes.setdefault(id_, {}).update(labels_of(label))

    def set_seen(self, items: Iterable[tuple[int, Item]]) -> None:
        """Nothing: what the system says of files is not kept."""

    def set_root(self, root: str, volume: Volume) -> None:
        """Nothing: no volumes are kept."""

    def set_missing(self, ids: Iterable[int], *, missing: bool) -> None:
        """Mark images whose files are gone, or are back."""
        since = int(time.time()) if missing else -1
        for id_ in ids:
            self._changes.setdefault(id_, {})["missing_since"] = since

    def delete(self, ids: Iterable[int]) -> None:
        """Forget images."""
        self._gone.update(ids)

    def _write(self) -> None:
        changed = [id_ for id_ in self._changes if id_ not in self._rows]
        for row in self._server.get(self.name, changed, self._written) if changed else ():
            self._rows[int(row["id"])] = whole(row)
        for id_, values in self._changes.items():
            if id_ in self._rows:
                self._rows[id_].update(values)
        for row in self._rows.values():
            row["found"] = found(row)
        self._server.put(
            self.name, ({name: row[name] for name in ("id", *self._written)} for row in self._rows.values())
        )
        self._server.remove_ids(self.name, sorted(self._gone))

    def _seen(self, name: str) -> Seen:
        if name not in self._window:
            self._window = self._look(self._following(name))
            self._claimed = {id_: from_text(row["path"]) for id_, row in self._rows.items()}
        return self._window[name]

    def _following(self, name: str) -> list[str]:
        """A path and those that will be asked for next."""
        for first in (self._next, 0):  # they may be gone through again
            for at in range(first, len(self._names)):
                if self._names[at] == name:
                    self._next = at + WINDOW
                    return list(self._names[at : at + WINDOW])
        return [name]

    def _look(self, names: Sequence[str]) -> dict[str, Seen]:
        ids = [id_ for name in names for id_ in candidates(name)]
        known = self.records(ids)
        return {name: _place(name, known) for name in names}

    def _claim(self, name: str, id_: int) -> int:
        """The id, or the second of a path if another path was given the first a moment ago."""
        first, second = candidates(name)
        if id_ == first and self._claimed.get(first, name) != name:
            id_ = second
        self._claimed[id_] = name
        return id_


def _place(name: str, known: dict[int, Record]) -> Seen:
    """The row of a path among the rows of its candidates, and its id."""
    ids = candidates(name)
    for id_ in ids:
        if id_ in known and known[id_].name == name:
            return Seen(known[id_], id_)
    for id_ in ids:
        if id_ not in known:
            return Seen(None, id_)
    raise DatabaseError(f"{name} has the same number as two other images; rename it")
