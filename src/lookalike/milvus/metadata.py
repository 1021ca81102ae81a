"""What is kept beside a collection in Milvus: the model that made its codes, its roots, and its revision.

They lie in a collection of their own, as texts of at most 64 kB, so that any machine can search by image with nothing
but the address.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

from lookalike.core.errors import DatabaseError
from lookalike.milvus.client import Row, Server
from lookalike.milvus.ids import candidates, from_text, to_text

SUFFIX, DIGITS = "_model_", 16  # of the name, and of the model's digest in it
FIELDS = {"kind": "text", "data": "text"}
PART = 48_000  # bytes of a model in a row; in base64 a third more
FETCHED = 64  # rows at a time
REVISION, FIRST_PART, FIRST_ROOT, FIRST_AROUND = 0, 1, 1 << 32, 1 << 60  # ids
NO_CODE = b"\0"  # every collection has vectors


class Beside:
    """The rows beside a collection whose codes a model of some digest has made."""

    def __init__(self, server: Server, name: str, digest: str) -> None:
        self._server, self._name = server, f"{name}{SUFFIX}{digest[:DIGITS]}"
        self._roots: set[str] | None = None

    def make(self, model: bytes) -> int:
        """Keep a model, unless it is kept already; in how many parts."""
        parts = [model[start : start + PART] for start in range(0, len(model), PART)]
        texts = enumerate((base64.b64encode(part).decode() for part in parts), start=FIRST_PART)
        if self._server.description(self._name) is None:
            self._server.make(self._name, 8, FIELDS, rows=(_row(id_, "model", text) for id_, text in texts))
        return len(parts)

    def open(self) -> None:
        """Have it loaded. Raises `DatabaseError` if it is absent."""
        if self._server.description(self._name) is None:
            raise DatabaseError(f"the collection {self._name}, which holds the model, is absent; index anew")
        self._server.load(self._name)

    def model(self, parts: int) -> bytes:
        """The model that `make` was given. Raises `DatabaseError` if a part of it is lost."""
        return b"".join(self._parts(parts))

    @property
    def revision(self) -> int:
        """A number that grows whenever the codes change, whoever changes them."""
        rows = list(self._server.get(self._name, [REVISION], ["data"]))
        return int(rows[0]["data"]) if rows else 0

    def touch(self) -> None:
        """Say that the codes have changed."""
        self._server.put(self._name, [_row(REVISION, "revision", str(time.time_ns()))])

    def roots(self) -> set[str]:
        """The folders that paths are relative to."""
        if self._roots is None:
            rows = self._server.first(self._name, 'kind == "root"', ["data"])
            self._roots = {from_text(str(row["data"])) for row in rows}
        return self._roots

    def add_root(self, root: str) -> None:
        """Keep a root."""
        if root not in self.roots():
            self._server.put(self._name, [_row(FIRST_ROOT + candidates(root)[0], "root", to_text(root))])
            self.roots().add(root)

    def around(self) -> list[str]:
        """What is kept of folders (see `shared_surroundings`), as JSON."""
        return [str(row["data"]) for row in self._server.first(self._name, 'kind == "around"', ["data"])]

    def set_around(self, folder: str, text: str) -> None:
        """Keep what there is to say of a folder."""
        self._server.put(self._name, [_row(FIRST_AROUND + candidates(folder)[0], "around", text)])

    def _parts(self, count: int) -> Iterator[bytes]:
        last = FIRST_PART + count
        for start in range(FIRST_PART, last, FETCHED):
            ids = range(start, min(start + FETCHED, last))
            rows = {int(row["id"]): row["data"] for row in self._server.get(self._name, ids, ["data"])}
            if len(rows) < len(ids):
                raise DatabaseError(f"the model in {self._name} has lost {len(ids) - len(rows)} parts; index anew")
            yield from (base64.b64decode(rows[id_]) for id_ in ids)


def _row(id_: int, kind: str, data: str) -> Row:
    return {"id": id_, "code": NO_CODE, "kind": kind, "data": data}
