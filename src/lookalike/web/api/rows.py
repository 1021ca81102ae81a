"""Rows of the catalog, reviews and decisions as answers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from lookalike import answers
from lookalike.answers import Relation
from lookalike.core.display import clean
from lookalike.database import Database, Hit
from lookalike.duplicates.decisions import State
from lookalike.duplicates.review import GroupImage, Review
from lookalike.store.decisions import Decision, Kind
from lookalike.store.records import Record
from lookalike.verification.verdict import Relation as Related
from lookalike.web.http.settings import Settings
from lookalike.web.state import thumbnails
from lookalike.web.state.surveys import in_words

RELATIONS: tuple[Relation, ...] = cast("tuple[Relation, ...]", tuple(map(str, Related)))
FOUND = ("relation", "edits", "done", "inliers", "agreement", "transform", "verified", "distance", "bits")  # of a hit
KINDS: dict[Kind, answers.Kind] = {Kind.KEEP: "keep", Kind.DIFFERENT: "not-duplicates", Kind.LATER: "skip"}
STATES: dict[State, answers.State] = {
    State.UNDECIDED: "undecided", State.DECIDED: "decided", State.LATER: "skipped",
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """Makes answers, with full paths unless they are hidden."""

    roots: Sequence[str] | None = None  # indexed folders, if paths are shown from these on only

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Rows:
        """The maker for a database, as the server's settings say."""
        return cls(database.store.roots() if settings.hide_paths else None)

    def path(self, full: str) -> str:
        """A path as it is shown."""
        if self.roots is not None:
            above = (
                [root for root in self.roots if os.path.commonpath([root, full]) == root] if os.path.isabs(full) else []
            )
            full = os.path.relpath(full, os.path.dirname(max(above, key=len))) if above else os.path.basename(full)
        return clean(full)

    def real(self, shown: str) -> str:
        """The path of a folder that may be given as it is shown."""
        for root in self.roots or ():
            name = os.path.basename(root)
            if shown == name or shown.startswith(f"{name}/"):
                return os.path.join(os.path.dirname(root), shown)
        return shown

    def text(self, message: str) -> str:
        """A message, with the paths in it as they are shown."""
        for root in self.roots or ():
            message = message.replace(f"{os.path.dirname(root)}{os.sep}", "")
        return clean(message)

    def image(self, record: Record) -> answers.Image:
        """An image."""
        return answers.Image(**self._image(record))

    def images(self, database: Database, ids: Sequence[int]) -> list[answers.Image]:
        """Images by id; those that have just been removed are omitted."""
        records = database.records_of(ids)
        return [self.image(records[id_]) for id_ in ids if id_ in records]

    def hit(self, found: Hit, record: Record, copies: Sequence[int] = ()) -> answers.Hit:
        """A search hit, with its relation to the query."""
        weighted = found.weighted_distance
        return answers.Hit(
            **self._image(record), **{name: getattr(found, name) for name in FOUND}, copies=tuple(copies),
            weighted_distance=None if weighted is None else round(weighted, 3),
        )  # fmt: skip

    def hits(self, found: Iterable[Hit], records: Any, *, fold: bool) -> list[answers.Hit]:
        """Search hits; with `fold`, those with the same bytes as an earlier one are among its copies."""
        first: dict[bytes, int] = {}
        copies: dict[int, list[int]] = {}
        shown = []
        for one in found:
            digest = records[one.id].digest if fold else None
            if digest is not None and first.setdefault(digest, one.id) != one.id:
                copies.setdefault(first[digest], []).append(one.id)
            else:
                shown.append(one)
        return [self.hit(one, records[one.id], copies.get(one.id, ())) for one in shown]

    def group(self, review: Review) -> answers.Group:
        """A group of copies."""
        staying = stays(review)
        images = [self._member(one, stays=one.record.id in staying) for one in review.images]
        return answers.Group(
            id=review.images[0].record.id, images=images, best=review.best, why=review.why, state=STATES[review.state],
            kept=sorted(review.kept), decision=None if review.decision is None else review.decision.id,
            freed=sum(one.size for one in images if one.action == "remove"),
        )  # fmt: skip

    def decision(self, made: Decision, ids: Sequence[int | None]) -> answers.Decision:
        """A decision; `ids` are its images' ids, if they still exist."""
        images = [
            answers.DecidedImage(id=id_, path=self.path(one.name), digest=one.digest.hex(), part=one.part)
            for id_, one in zip(ids, made.images, strict=True)
        ]
        return answers.Decision(id=made.id, kind=KINDS[made.kind], at=moment(made.at), images=images)

    def details(self, record: Record, **more: Any) -> answers.Details:
        """Everything known about an image."""
        return answers.Details(
            **self._image(record),
            code=None if record.code is None else record.code.hex(),
            root=self.path(record.root),
            size=length(record),
            format=record.format,
            animated=record.animated,
            error=None if record.error is None else in_words(record.error),
            missing=record.missing_since is not None,
            original=f"/api/v1/images/{record.id}/file",
            **more,
        )

    def _image(self, record: Record) -> dict[str, Any]:
        name = clean(record.path)
        return {
            "id": record.id,
            "name": name,
            "path": clean(record.name) if self.roots is None else f"{clean(os.path.basename(record.root))}/{name}",
            "folder": os.path.dirname(name),
            "label": record.label,
            "width": record.width,
            "height": record.height,
            "thumbnail": f"/api/v1/images/{record.id}/thumbnail?v={thumbnails.version(record)}",
        }

    def _member(self, one: GroupImage, *, stays: bool) -> answers.GroupImage:
        known = one.verdict
        return answers.GroupImage(
            **self._image(one.record), distance=one.member.distance, size=one.member.size, format=one.record.format,
            action="keep" if stays else "remove", tier=str(one.tier), loses=one.loses,
            relation=named(known.relation), words=one.words, edits=known.edits, agreement=known.agreement,
            inliers=known.inliers, verified=known.verified,
        )  # fmt: skip


def stays(review: Review) -> frozenset[int]:
    """Ids of a group's images that stay: as decided, all that are skipped, or else the best."""
    if review.state is State.LATER:
        return frozenset(one.record.id for one in review.images)
    return review.kept if review.state is State.DECIDED else frozenset({review.best})


def to_go(review: Review) -> list[GroupImage]:
    """A group's images that can go: as decided, none that are skipped, or else all but the best."""
    return [one for one in review.images if one.record.id not in stays(review)]


def loosest(review: Review) -> Relation:
    """The loosest relation of a group's images to its best one."""
    others = [one.verdict.relation for one in review.images if one.record.id != review.best]
    return RELATIONS[max((one.rank for one in others), default=0)]


def named(relation: Related) -> Relation:
    """A relation as answers name it."""
    return RELATIONS[relation.rank]


def counts(hits: Iterable[Hit]) -> dict[Relation, int]:
    """Number of hits by relation."""
    found = Counter(str(one.relation) for one in hits)
    return {relation: found[relation] for relation in RELATIONS}


def length(record: Record) -> int:
    """Bytes of an image's file, or of its row of a table."""
    return record.length if record.length is not None else max(record.size, 0)


def moment(at: float) -> str:
    """A time in seconds since 1970, as in `2026-05-01T10:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
