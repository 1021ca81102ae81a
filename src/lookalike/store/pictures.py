"""Thumbnails in the catalog, used to verify images without reading their files.

Existence checks use an index of ids, because the table itself has pages of 2 kB an image.
"""

from __future__ import annotations

from collections.abc import Sequence

from lookalike.store.records import IndexOutcome
from lookalike.store.session import Session

_THERE = "thumbnails INDEXED BY thumbnails_by_id"


def of_ids(session: Session, ids: Sequence[int]) -> dict[int, bytes]:
    """Thumbnails by id; images without one are omitted."""
    return dict(session.among("SELECT id, thumbnail FROM thumbnails WHERE id IN", [int(id_) for id_ in ids]))


def of_digest(session: Session, digest: bytes) -> bytes | None:
    """The newest thumbnail of an image with this digest; None if there is none."""
    sql = "SELECT thumbnail FROM files CROSS JOIN thumbnails USING (id) WHERE digest = ? ORDER BY id DESC LIMIT 1"
    row = session.row(sql, (digest,))
    return None if row is None else bytes(row[0])


def has_thumbnail(session: Session, id_: int) -> bool:
    """Whether an image has a thumbnail."""
    return session.row(f"SELECT 1 FROM {_THERE} WHERE id = ?", (id_,)) is not None


def count_thumbnails(session: Session) -> int:
    """Number of findable images that have a thumbnail."""
    lost = f"SELECT count(*) FROM images CROSS JOIN {_THERE} ON thumbnails.id = images.id WHERE"
    sql = (
        f"SELECT (SELECT count(*) FROM {_THERE}) - ({lost} code IS NULL)"
        f" - ({lost} missing_since IS NOT NULL AND code IS NOT NULL)"
    )
    return int(session.row(sql)[0])


def write(session: Session, id_: int, outcome: IndexOutcome) -> None:
    """Store an outcome's thumbnail, inside a transaction."""
    if outcome.thumbnail is None:
        session.run("DELETE FROM thumbnails WHERE id = ?", (id_,))
    else:
        session.run("INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", (id_, outcome.thumbnail))
