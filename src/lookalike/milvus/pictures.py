"""Thumbnails in Milvus, used to verify images without reading their files."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from lookalike.milvus.client import MilvusServer, Row
from lookalike.store.records import IndexOutcome

FIELDS = {1: (), 2: ("relief",), 3: ("thumbnail",)}  # by format; reliefs are no longer read


def of_ids(server: MilvusServer, name: str, ids: Sequence[int]) -> dict[int, bytes]:
    """Thumbnails by id; images without one are omitted."""
    rows = server.get(name, ids, ["id", "thumbnail"])
    return {int(row["id"]): base64.b64decode(row["thumbnail"]) for row in rows if row["thumbnail"]}


def of_digest(server: MilvusServer, name: str, digest: bytes) -> bytes | None:
    """A thumbnail of an image with this digest; None if there is none."""
    rows = server.first(name, f'digest == "{digest.hex()}" and thumbnail != ""', ["id", "thumbnail"], limit=1)
    return base64.b64decode(rows[0]["thumbnail"]) if rows else None


def fields_of(outcome: IndexOutcome) -> Row:
    """An outcome's thumbnail fields."""
    return {"relief": "", "thumbnail": base64.b64encode(outcome.thumbnail or b"").decode()}
