"""A store in Milvus: for collections too large for one machine, indexed and searched by several.

Any number of machines may write at once, as long as each indexes its own folders; there are no locks. An image's id is
derived from its path: the second of two candidates if another path has the first. Writing it again, even after a
crash, therefore replaces the same row.

A transaction's changes are written at its end, new rows before old ones are deleted. After an interruption, the next
run finishes that.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.core.mounts import Volume
from lookalike.data import Item, Label
from lookalike.hasher import Hasher
from lookalike.imaging.quality import LOW_INFORMATION
from lookalike.milvus import pictures
from lookalike.milvus.client import Address, MilvusServer, Row
from lookalike.milvus.engine import MilvusEngine
from lookalike.milvus.metadata import SUFFIX, CollectionMetadata, NoDecisions, SharedScanState
from lookalike.milvus.rows import (
    FIELDS,
    FINDABLE,
    INDEXED,
    PathEntry,
    below,
    candidate_ids,
    entry_of,
    from_text,
    is_findable,
    labels_of,
    passing,
    record_of,
    row_of,
    to_write,
)
from lookalike.search.hits import Hits
from lookalike.store.derived.code_array import CodeArray, Ids
from lookalike.store.folder import FolderStore
from lookalike.store.protocol import unsupported
from lookalike.store.records import Filter, ImportedCode, IndexOutcome, Record

FORMAT = 3  # 1 and 2: without thumbnails
WINDOW = 2048  # paths entries up at once
MAX_EQUAL = 1000  # maximum rows returned for one digest
ALL = ["code", *(field for field in FIELDS if field != "thumbnail")]


class MilvusStore:
    """Rows of images, and the model that made their codes. Several threads may read."""

    def __init__(self, server: MilvusServer) -> None:
        """Raises `DatabaseError` if the server has no such database."""
        self.location = str(server.address)
        self.folder: Path | None = None
        self._server, self._name = server, server.address.name
        self._about = self._read_about()
        self.bits = int(self._about["bits"])
        self._metadata = CollectionMetadata(server, self._name, self._about["model"])
        self._metadata.open()
        self._engine = MilvusEngine(self.bits, server)
        kept = pictures.FIELDS[self._about["lookalike"]]
        self.keeps_thumbnails = "thumbnail" in kept
        self._written = [*ALL, *kept]
        self.scan_state = SharedScanState(self._metadata)
        self.decisions = NoDecisions(self.location)
        self._names: Sequence[str] = ()
        self._next = 0  # index into `_names`, which are looked up in order
        self._window: dict[str, PathEntry] = {}
        self._claimed: dict[int, str] = {}  # paths by the ids assigned to them since then
        self._rows: dict[int, Row] = {}  # written at the end of the transaction
        self._changes: dict[int, Row] = {}
        self._gone: set[int] = set()

    @classmethod
    def open(cls, address: Address, *, create: bool = False, model: str | os.PathLike[str]) -> MilvusStore:
        """The store at an address; with `create`, a new one made with `model` if there is none."""
        server = MilvusServer(address)
        try:
            if create and server.description(address.name) is None:
                _make(server, Hasher.load(model))
            return cls(server)
        except BaseException:
            server.close()
            raise

    @classmethod
    def exists(cls, address: Address) -> bool:
        """Whether an address has a store. Raises `DatabaseError` if no server answers."""
        server = MilvusServer(address)
        try:
            return server.description(address.name) is not None
        finally:
            server.close()

    def local(self, feature: str = "this") -> FolderStore:
        raise unsupported(self.location, feature)

    def close(self) -> None:
        self._server.close()

    def is_current(self) -> bool:
        try:
            return self._read_about() == self._about
        except DatabaseError:
            return False

    @property
    def revision(self) -> int:
        return self._metadata.revision

    def get(self, key: str, default: str = "") -> str:
        return str(self._about.get(key, default))

    # The model

    def load_model(self) -> Hasher:
        hasher = Hasher(
            self._metadata.model(int(self._about["parts"])), path=f"{self.location} ({self._about['name']})"
        )
        if hasher.digest != self._about["model"]:
            raise DatabaseError(f"the model stored in {self.location} did not make its codes; index again")
        return hasher

    def check_model(self) -> None:
        """Does nothing: a collection's model never changes."""

    def take_model(self, hasher: Hasher, *, reindex: bool) -> None:
        if hasher.digest != self._about["model"]:
            raise DatabaseError(
                f"{self.location} holds codes of {self._about['name']}, but {hasher.path} is {hasher.name}. "
                "Pass the first model, or index into a database of another name"
            )

    # Codes

    def search(
        self, codes_NW: Codes, *, top: int | None, radius: int | None = None, only: Filter | None = None
    ) -> list[Hits]:
        return self._engine.search(codes_NW, top=top, radius=radius, where=passing(only))

    def code_array(self) -> CodeArray:
        blocks = list(self._engine.blocks(FINDABLE))
        none = (np.empty(0, np.int64), np.empty((0, self.bits // 8), np.uint8))
        ids, codes = zip(none, *blocks, strict=True)
        return CodeArray(np.concatenate(ids), np.concatenate(codes))

    def count(self) -> int:
        return self._server.count(self._name, FINDABLE)

    def passing_ids(self, only: Filter) -> Ids:
        return np.array([row["id"] for row in self._findable_rows(["id"], passing(only))], np.int64)

    def ids_by_name(self) -> Ids:
        named = sorted((row["path"], int(row["id"])) for row in self._findable_rows(["id", "path"]))
        return np.array([id_ for _, id_ in named], np.int64)

    def labels(self) -> dict[str, int]:
        rows = self._findable_rows(["id", "labels"], f"{FINDABLE} and array_length(labels) != 0")
        return dict(sorted(Counter(from_text(name) for row in rows for name in set(row["labels"])).items()))

    # Transactions

    @contextmanager
    def changing(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.expect([])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            yield
            self._write()
        finally:
            self._rows, self._changes, self._gone = {}, {}, set()

    def touch(self) -> None:
        self._metadata.touch()

    def counts(self) -> dict[str, int]:
        without = f'{FINDABLE} and thumbnail == ""' if self.keeps_thumbnails else FINDABLE
        return {
            "images": self._server.count(self._name, FINDABLE),
            "errors": self._server.count(self._name, 'error != "" and missing_since < 0'),
            "missing": self._server.count(self._name, "missing_since >= 0"),
            "labelled": self._server.count(self._name, f"{FINDABLE} and array_length(labels) != 0"),
            "without_thumbnail": self._server.count(self._name, without),
        }

    def undecodable(self) -> dict[int, bytes]:
        return {}

    def lacking_codes(self) -> list[Record]:
        return []

    def originals(self) -> frozenset[bytes]:
        return frozenset()

    def has_original(self, digest: bytes, length: int | None) -> bool:
        return False

    def keep_original(self, digest: bytes, content: bytes) -> None:
        raise unsupported(self.location, "originals")

    def forget_originals(self, digests: Iterable[bytes]) -> None:
        """Does nothing: originals are not kept."""

    def low_information(self) -> dict[int, bytes]:
        where = f"{FINDABLE} and quality >= 0 and quality < {LOW_INFORMATION}"
        return {int(row["id"]): bytes.fromhex(row["digest"]) for row in self._findable_rows(["id", "digest"], where)}

    # Single rows

    def expect(self, names: Sequence[str]) -> None:
        self._names, self._next, self._window = names, 0, {}

    def find(self, name: str) -> Record | None:
        return self._entry(name).record

    def records(self, ids: Sequence[int]) -> dict[int, Record]:
        return {int(row["id"]): record_of(row) for row in self._server.get(self._name, ids, ALL)}

    def names(self, ids: Sequence[int]) -> dict[int, str]:
        return {int(row["id"]): from_text(row["path"]) for row in self._server.get(self._name, ids, ["id", "path"])}

    def thumbnails(self, ids: Sequence[int]) -> dict[int, bytes]:
        return pictures.of_ids(self._server, self._name, ids) if self.keeps_thumbnails else {}

    def thumbnail_of(self, digest: bytes) -> bytes | None:
        return pictures.of_digest(self._server, self._name, digest) if self.keeps_thumbnails else None

    def lacks_thumbnail(self, id_: int) -> bool:
        return False  # in this format every image that was read has one; earlier formats have no field for it

    def all_records(self, where: str = "") -> Iterator[Record]:
        for page in self._server.pages(self._name, where, ALL):
            yield from map(record_of, page)

    def with_digest(self, digest: bytes) -> list[Record]:
        rows = self._server.first(self._name, f'digest == "{digest.hex()}"', ALL, limit=MAX_EQUAL)
        return [record_of(row) for row in rows if int(row["id"]) not in self._gone]

    def one_with_digest(self, digest: bytes, *, coded: bool = False) -> Record | None:
        where = f'digest == "{digest.hex()}"{" and error == " + chr(34) * 2 if coded else ""}'
        rows = self._server.first(self._name, where, ALL, limit=1)
        return record_of(rows[0]) if rows else None

    def on_volume(self, root: str, volume: int | None) -> Iterator[int]:
        return iter(self.below(root))

    def roots(self) -> list[str]:
        return sorted(self._metadata.roots())

    def any_below(self, name: str) -> bool:
        return bool(self._server.first(self._name, below(name), ["id"], limit=1))

    def below(self, name: str) -> list[int]:
        return [int(row["id"]) for page in self._server.pages(self._name, below(name), ["id"]) for row in page]

    # Changes, inside a transaction

    def write(self, outcome: IndexOutcome, *, row: int | None = None) -> int:
        id_ = self._claim(outcome.item.name, self._entry(outcome.item.name).id)
        self._metadata.add_root(outcome.item.root)
        self._rows[id_] = row_of(id_, outcome, bits=self.bits)
        if row is not None and row != id_:
            self._gone.add(row)
        return id_

    def bulk_import(self, root: str, rows: Iterable[ImportedCode]) -> int:
        named = {os.path.join(root, one.folder + one.name): one for one in rows}
        self._metadata.add_root(root)
        self._claimed, before = {}, len(self._rows)
        entries = self._entries(list(named))
        equal = [entry.id for name, entry in entries.items() if entry.record and entry.record.code == named[name].code]
        kept = self.thumbnails(equal) if equal else {}
        for name, entry in entries.items():
            one, known = named[name], entry.record
            if known is None or (known.code, known.label, known.missing_since) != (one.code, one.label, None):
                row = int(one.name) if one.folder.endswith("#") else None
                item = Item(root, one.folder + one.name, one.size or 0, -1, one.label, row)
                outcome = IndexOutcome(
                    item=item, code=one.code, width=one.width, height=one.height, thumbnail=kept.get(entry.id)
                )  # fmt: skip
                id_ = self._claim(name, entry.id)
                self._rows[id_] = row_of(id_, outcome, bits=self.bits)
        return len(self._rows) - before

    def set_label(self, id_: int, label: Label) -> None:
        self._changes.setdefault(id_, {}).update(labels_of(label))

    def set_seen(self, items: Iterable[tuple[int, Item]]) -> None:
        """Does nothing: file status is not stored."""

    def set_root(self, root: str, volume: Volume) -> None:
        """Does nothing: volumes are not stored."""

    def set_missing(self, ids: Iterable[int], *, missing: bool) -> None:
        since = int(time.time()) if missing else -1
        for id_ in ids:
            self._changes.setdefault(id_, {})["missing_since"] = since

    def delete(self, ids: Iterable[int]) -> None:
        self._gone.update(ids)

    def _read_about(self) -> dict[str, Any]:
        """The collection's description of itself. Raises `DatabaseError` if it is missing or not lookalike's."""
        if (text := self._server.description(self._name)) is None:
            names = self._server.names()
            there = sorted({one.split(SUFFIX)[0] for one in names if SUFFIX in one} & set(names))
            raise DatabaseError(
                f"There is no database at {self.location}{': there are ' + ', '.join(there) if there else ''}. "
                f"Make one with: lookalike index FOLDER --db {self.location}"
            )
        try:
            about: dict[str, Any] = json.loads(text)
            if about["lookalike"] > FORMAT:
                raise DatabaseError(f"{self.location} was made by a later version of lookalike. Upgrade lookalike")
        except (ValueError, KeyError, TypeError) as error:
            raise DatabaseError(f"the collection {self._name} is not a lookalike database; use another") from error
        return about

    def _findable_rows(self, fields: list[str], where: str = FINDABLE) -> Iterator[dict[str, Any]]:
        for page in self._server.pages(self._name, where, fields):
            yield from page

    def _write(self) -> None:
        changed = [id_ for id_ in self._changes if id_ not in self._rows]
        for row in self._server.get(self._name, changed, self._written) if changed else ():
            self._rows[int(row["id"])] = to_write(row)
        for id_, values in self._changes.items():
            if id_ in self._rows:
                self._rows[id_].update(values)
        for row in self._rows.values():
            row["found"] = is_findable(row)
        self._server.put(
            self._name, ({name: row[name] for name in ("id", *self._written)} for row in self._rows.values())
        )
        self._server.remove_ids(self._name, sorted(self._gone))

    def _entry(self, name: str) -> PathEntry:
        if name not in self._window:
            self._window = self._entries(self._upcoming(name))
            self._claimed = {id_: from_text(row["path"]) for id_, row in self._rows.items()}
        return self._window[name]

    def _upcoming(self, name: str) -> list[str]:
        """A path and those that will be looked up next."""
        for first in (self._next, 0):  # the names may be looked up a second time
            for at in range(first, len(self._names)):
                if self._names[at] == name:
                    self._next = at + WINDOW
                    return list(self._names[at : at + WINDOW])
        return [name]

    def _entries(self, names: Sequence[str]) -> dict[str, PathEntry]:
        ids = [id_ for name in names for id_ in candidate_ids(name)]
        known = self.records(ids)
        return {name: entry_of(name, known) for name in names}

    def _claim(self, name: str, id_: int) -> int:
        """The id, or a path's second one if the first was assigned to another path in this transaction."""
        first, second = candidate_ids(name)
        if id_ == first and self._claimed.get(first, name) != name:
            id_ = second
        self._claimed[id_] = name
        return id_


def _make(server: MilvusServer, hasher: Hasher) -> None:
    """Create an empty database: first its metadata, then the collection, whose description names the model."""
    name = server.address.name
    parts = CollectionMetadata(server, name, hasher.digest).make(Path(hasher.path).read_bytes())
    about = {"lookalike": FORMAT, "bits": hasher.bits, "model": hasher.digest, "name": hasher.name, "parts": parts}
    server.make(name, hasher.bits, FIELDS, description=json.dumps(about), indexed=INDEXED)
