"""Metadata of a collection in Milvus: the model, roots, revision and scan state.

They are in a collection of their own, as texts of at most 64 kB, so that any machine can search by image with only the
address. Each folder has its own row, so that machines do not conflict. Volumes are not stored, because the file system
of an image differs from machine to machine.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lookalike.core.errors import DatabaseError
from lookalike.core.mounts import Volume
from lookalike.data import Rule
from lookalike.milvus.client import MilvusServer, Row
from lookalike.milvus.rows import candidate_ids, from_text, to_text
from lookalike.store.decisions import Decided, Decision, Decisions, Kind
from lookalike.store.protocol import unsupported
from lookalike.store.scan_state import ScanState, Unreachable

SUFFIX, DIGITS = "_model_", 16  # of the collection's name, and of the model's digest in it
FIELDS = {"kind": "text", "data": "text"}
PART = 48_000  # bytes of a model in a row; base64 adds a third
FETCHED = 64  # rows read at once
REVISION, FIRST_PART, FIRST_ROOT, FIRST_AROUND = 0, 1, 1 << 32, 1 << 60  # ids
NO_CODE = b"\0"  # every collection needs vectors
LISTED = 100  # unreachable places stored for a folder


class CollectionMetadata:
    """Rows that describe a collection with codes of one model."""

    def __init__(self, server: MilvusServer, name: str, digest: str) -> None:
        self._server, self._name = server, f"{name}{SUFFIX}{digest[:DIGITS]}"
        self._roots: set[str] | None = None

    def make(self, model: bytes) -> int:
        """Store a model, unless it is stored already; returns the number of parts."""
        parts = [model[start : start + PART] for start in range(0, len(model), PART)]
        texts = enumerate((base64.b64encode(part).decode() for part in parts), start=FIRST_PART)
        if self._server.description(self._name) is None:
            self._server.make(self._name, 8, FIELDS, rows=(_row(id_, "model", text) for id_, text in texts))
        return len(parts)

    def open(self) -> None:
        """Load the collection. Raises `DatabaseError` if it is missing."""
        if self._server.description(self._name) is None:
            raise DatabaseError(f"the collection {self._name}, which has the model, is missing; index again")
        self._server.load(self._name)

    def model(self, parts: int) -> bytes:
        """The stored model. Raises `DatabaseError` if a part is lost."""
        return b"".join(self._parts(parts))

    @property
    def revision(self) -> int:
        """A number that grows with every change of the codes, by any process."""
        rows = list(self._server.get(self._name, [REVISION], ["data"]))
        return int(rows[0]["data"]) if rows else 0

    def touch(self) -> None:
        """Record that the codes have changed."""
        self._server.put(self._name, [_row(REVISION, "revision", str(time.time_ns()))])

    def roots(self) -> set[str]:
        """Folders that paths are relative to."""
        if self._roots is None:
            rows = self._server.first(self._name, 'kind == "root"', ["data"])
            self._roots = {from_text(str(row["data"])) for row in rows}
        return self._roots

    def add_root(self, root: str) -> None:
        """Store a root."""
        if root not in self.roots():
            self._server.put(self._name, [_row(FIRST_ROOT + candidate_ids(root)[0], "root", to_text(root))])
            self.roots().add(root)

    def around(self) -> list[str]:
        """Stored facts about folders (see `SharedScanState`), as JSON."""
        return [str(row["data"]) for row in self._server.first(self._name, 'kind == "around"', ["data"])]

    def set_around(self, folder: str, text: str) -> None:
        """Store facts about a folder."""
        self._server.put(self._name, [_row(FIRST_AROUND + candidate_ids(folder)[0], "around", text)])

    def _parts(self, count: int) -> Iterator[bytes]:
        last = FIRST_PART + count
        for start in range(FIRST_PART, last, FETCHED):
            ids = range(start, min(start + FETCHED, last))
            rows = {int(row["id"]): row["data"] for row in self._server.get(self._name, ids, ["data"])}
            if len(rows) < len(ids):
                raise DatabaseError(f"the model in {self._name} has lost {len(ids) - len(rows)} parts; index again")
            yield from (base64.b64decode(rows[id_]) for id_ in ids)


def _row(id_: int, kind: str, data: str) -> Row:
    return {"id": id_, "code": NO_CODE, "kind": kind, "data": data}


class SharedScanState(ScanState):
    """Rules, left-out files and unreachable folders."""

    def __init__(self, metadata: CollectionMetadata) -> None:
        self._metadata = metadata

    def forget(self) -> None:
        """Does nothing: there is no cache."""

    def volume(self, volume: Volume) -> int | None:
        """None: volumes are not stored."""

    def known_volume(self, volume: Volume) -> int | None:
        """None: volumes are not stored."""

    def volumes(self) -> dict[int, Volume]:
        """Empty: volumes are not stored."""
        return {}

    def root_volumes(self) -> dict[str, Volume]:
        """Empty: volumes are not stored."""
        return {}

    def rules(self) -> list[Rule]:
        """Rules that exclude files from folders, or include them anyway."""
        return [
            Rule(folder, from_text(glob), include)
            for folder, about in self._read().items()
            for glob, include in sorted(about.get("rules", {}).items())
        ]

    def add_rules(self, rules: Iterable[Rule]) -> None:
        """Store rules, replacing those with the same glob."""
        for rule in rules:
            about = self._read().get(rule.folder, {})
            self._keep(rule.folder, about, rules={**about.get("rules", {}), to_text(rule.glob): rule.include})

    def left_out(self) -> dict[str, dict[str, int]]:
        """Numbers of files left out of each folder at the last indexing, by kind."""
        return {folder: about["left_out"] for folder, about in self._read().items() if about.get("left_out")}

    def set_left_out(self, folder: str, counts: Mapping[str, int]) -> None:
        """Store how many files were left out of a folder, by kind, replacing the counts of it and its sub-folders."""
        for other, about in self._within(folder).items():
            self._keep(other, about, left_out={})
        self._keep(folder, self._read().get(folder, {}), left_out=dict(counts))

    def unreachable(self) -> list[Unreachable]:
        """What was unreachable at the last scan."""
        places = [place for about in self._read().values() for place in about.get("unreachable", [])]
        return sorted({path: Unreachable(from_text(path), why, images) for path, why, images in places}.values())

    def set_unreachable(self, places: Iterable[Unreachable], *, within: Iterable[str]) -> None:
        """Store what was unreachable, replacing earlier findings at and below the paths `within`."""
        scopes = list(within)
        for scope in scopes:
            for folder, about in self._within(scope).items():
                self._keep(folder, about, unreachable=[])
        of: dict[str, list[list[object]]] = {}
        for path, why, images in places:
            above = [scope for scope in scopes if path == scope or path.startswith(scope.rstrip("/") + "/")]
            of.setdefault(max(above, key=len, default=path), []).append([to_text(path), why, images])
        for folder, entries in of.items():
            self._keep(folder, self._read().get(folder, {}), unreachable=entries[:LISTED])

    def _read(self) -> dict[str, dict[str, Any]]:
        known = [json.loads(text) for text in self._metadata.around()]
        return {
            from_text(about.pop("folder")): about for about in sorted(known, key=lambda about: str(about["folder"]))
        }

    def _within(self, scope: str) -> dict[str, dict[str, Any]]:
        below = scope.rstrip("/") + "/"
        return {folder: about for folder, about in self._read().items() if folder == scope or folder.startswith(below)}

    def _keep(self, folder: str, about: dict[str, Any], **changes: object) -> None:
        if any((about.get(name) or None) != (value or None) for name, value in changes.items()):
            self._metadata.set_around(folder, json.dumps({"folder": to_text(folder), **about, **changes}))


class NoDecisions(Decisions):
    """Decisions of a store that cannot keep any."""

    version = 0

    def __init__(self, place: str) -> None:
        self._place = place

    def count(self, kind: Kind | None = None) -> int:
        return 0

    def all(self) -> list[Decision]:
        return []

    def page(self, *, before: int | None = None, top: int = -1, kind: Kind | None = None) -> list[Decision]:
        return []

    def find(self, id_: int) -> Decision | None:
        return None

    def add(self, kind: Kind, images: Sequence[Decided]) -> Decision:
        raise unsupported(self._place, "decisions")
