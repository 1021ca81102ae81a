"""Forgetting images whose files are gone; those that are only out of reach stay."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.database.reachability import Judged, Reachability
from lookalike.store import originals as kept
from lookalike.store.catalog import Catalog, Record
from lookalike.store.surroundings import Unreachable

NAMED = 5  # images of a root that are named


@dataclass
class RootLoss:
    """What is gone of one root."""

    root: str
    known: int = 0  # images of the root in the database
    gone: int = 0
    names: list[str] = field(default_factory=list)  # some of those that are gone

    @property
    def share(self) -> float:
        """Share of the root's images that are gone, 0 to 1."""
        return self.gone / self.known if self.known else 0.0


@dataclass
class Losses:
    """What is gone, and what is only out of reach."""

    ids: list[int]  # of the images that are gone
    roots: list[RootLoss]  # of which some are gone
    unreachable: list[Unreachable]


def losses(catalog: Catalog) -> tuple[Losses, Judged]:
    """What is gone of all that the catalog holds. Changes nothing."""
    judged = Reachability(catalog).judge(catalog.all_records())
    by_root: dict[str, RootLoss] = {}
    for record in catalog.all_records():
        loss = by_root.setdefault(record.root, RootLoss(record.root))
        loss.known += 1
        if record.id in judged.gone:
            loss.gone += 1
            if len(loss.names) < NAMED:
                loss.names.append(record.name)
    gone = [loss for _, loss in sorted(by_root.items()) if loss.gone]
    return Losses(sorted(judged.gone), gone, judged.places()), judged


def prune(catalog: Catalog, folder: Path | None, only: Collection[int] | None, *, originals: bool) -> int:
    """Forget the images that are gone, or those of `only` that are; how many."""
    found, judged = losses(catalog)
    ids = found.ids if only is None else sorted(judged.gone & set(only))
    with catalog.transaction():
        catalog.set_missing(sorted(judged.back), missing=False)
        catalog.surroundings.set_unreachable(found.unreachable, within=["/"])
        catalog.delete(ids)
        catalog.touch()
        if originals and folder is not None:
            forget_originals(catalog, catalog.originals())
    if folder is not None:
        drop_originals(catalog, folder)
    return len(ids)


def remove(catalog: Catalog, folder: Path, records: Collection[Record], *, originals: bool) -> None:
    """Forget images that a person names. Their originals go where the files are there, or if they may go at all."""
    going = [record for record in records if originals or os.path.exists(record.item.file)]
    with catalog.transaction():
        catalog.delete([record.id for record in records])
        catalog.touch()
        forget_originals(catalog, {record.digest for record in going if record.digest is not None})
    drop_originals(catalog, folder)


def forget_originals(catalog: Catalog, digests: Iterable[bytes]) -> None:
    """Record that those of the originals that no image has are not kept any more, inside a transaction."""
    catalog.forget_originals([digest for digest in digests if catalog.one_with_digest(digest) is None])


def drop_originals(catalog: Catalog, folder: Path) -> None:
    """Delete the originals of which nothing says that they are kept: what came of `forget_originals`, or of a kill."""
    if catalog.lost_after:  # rows that they belong to may be among what was lost
        return
    recorded = catalog.originals()
    for digest in kept.digests(folder):
        if digest not in recorded and catalog.one_with_digest(digest) is None:
            kept.drop(folder, digest)
