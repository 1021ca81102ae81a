"""Thumbnails in Milvus, by which images are verified without their files."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from lookalike.milvus.client import Row, Server
from lookalike.store.records import Outcome

FIELDS = {1: (), 2: ("relief",), 3: ("thumbnail",)}  # by format; reliefs are read no more


def of_ids(server: Server, name: str, ids: Sequence[int]) -> dict[int, bytes]:
    """The thumbnails of images, by id; those that have none are left out."""
    rows = server.get(name, ids, ["id", "thumbnail"])
    return {int(row["id"]): base64.b64decode(row["thumbnail"]) for row in rows if row["thumbnail"]}


def of_digest(server: Server, name: str, digest: bytes) -> bytes | None:
    """The thumbnail of an image with these bytes."""
    rows = server.first(name, f'digest == "{digest.hex()}" and thumbnail != ""', ["id", "thumbnail"], limit=1)
    return base64.b64decode(rows[0]["thumbnail"]) if rows else None


def fields_of(outcome: Outcome) -> Row:
    """The fields of an outcome."""
    return {"relief": "", "thumbnail": base64.b64encode(outcome.thumbnail or b"").decode()}
