"""What a collection keeps of how images look, so that they are verified without their files; see `store.pictures`."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from lookalike.milvus.client import Row, Server
from lookalike.store.records import Outcome

FIELDS = ("relief", "thumbnail")  # read where they are asked for; a collection of format n has the first n - 1


def of_ids(server: Server, name: str, field: str, ids: Sequence[int]) -> dict[int, bytes]:
    """What is kept of images, by id; those of which nothing is kept are left out."""
    rows = server.get(name, ids, ["id", field])
    return {int(row["id"]): base64.b64decode(row[field]) for row in rows if row[field]}


def of_digest(server: Server, name: str, field: str, digest: bytes) -> bytes | None:
    """What is kept of an image with these bytes."""
    rows = server.first(name, f'digest == "{digest.hex()}" and {field} != ""', ["id", field], limit=1)
    return base64.b64decode(rows[0][field]) if rows else None


def fields_of(outcome: Outcome) -> Row:
    """The fields of an outcome."""
    return {field: base64.b64encode(getattr(outcome, field) or b"").decode() for field in FIELDS}
