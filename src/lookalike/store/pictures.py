"""What the catalog keeps of how images look, so that they are verified without their files: thumbnails, and reliefs.

An index holds the ids of thumbnails, since looking for one in the table reads its pages, 2 kB an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lookalike.store.records import Outcome
from lookalike.store.session import Session

Kind = Literal["relief", "thumbnail"]
_THERE = "thumbnails INDEXED BY thumbnails_by_id"


def of_ids(session: Session, kind: Kind, ids: Sequence[int]) -> dict[int, bytes]:
    """What is kept of images, by id; those of which nothing is kept are left out."""
    return dict(session.among(f"SELECT id, {kind} FROM {kind}s WHERE id IN", [int(id_) for id_ in ids]))


def of_digest(session: Session, kind: Kind, digest: bytes) -> bytes | None:
    """What is kept of an image with these bytes, the newest."""
    sql = f"SELECT {kind} FROM files CROSS JOIN {kind}s USING (id) WHERE digest = ? ORDER BY id DESC LIMIT 1"
    row = session.row(sql, (digest,))
    return None if row is None else bytes(row[0])


def has_thumbnail(session: Session, id_: int) -> bool:
    """Whether an image has a thumbnail."""
    return session.row(f"SELECT 1 FROM {_THERE} WHERE id = ?", (id_,)) is not None


def count_thumbnails(session: Session) -> int:
    """How many of the images that can be found have a thumbnail."""
    lost = f"SELECT count(*) FROM images CROSS JOIN {_THERE} ON thumbnails.id = images.id WHERE"
    sql = (
        f"SELECT (SELECT count(*) FROM {_THERE}) - ({lost} code IS NULL)"
        f" - ({lost} missing_since IS NOT NULL AND code IS NOT NULL)"
    )
    return int(session.row(sql)[0])


def write(session: Session, id_: int, outcome: Outcome) -> None:
    """Record what an outcome says, inside a transaction."""
    kinds: tuple[tuple[Kind, bytes | None], ...] = (("relief", outcome.relief), ("thumbnail", outcome.thumbnail))
    for kind, content in kinds:
        if content is None:
            session.run(f"DELETE FROM {kind}s WHERE id = ?", (id_,))
        else:
            session.run(f"INSERT OR REPLACE INTO {kind}s VALUES (?, ?)", (id_, content))
