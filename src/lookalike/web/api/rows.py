"""Rows of the catalog as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lookalike.core.display import clean
from lookalike.database import Hit
from lookalike.duplicates.review import GroupImage, Review
from lookalike.store.decisions import Decision
from lookalike.store.records import Record
from lookalike.web.state import thumbnails

FOUND = ("relation", "edits", "done", "inliers", "agreement", "transform", "verified", "distance", "bits")  # of a hit


def image(record: Record, path: str = "") -> dict[str, Any]:
    """An image; `path` is its full path, if already known."""
    label = record.label
    return {
        "id": record.id,
        "name": clean(record.path),
        "path": clean(path or record.name),
        "label": list(label) if isinstance(label, tuple) else label,
        "width": record.width,
        "height": record.height,
        "thumbnail": f"/api/images/{record.id}/thumbnail?v={thumbnails.version(record)}",
    }


def hit(found: Hit, record: Record) -> dict[str, Any]:
    """A search hit, with its relation to the query."""
    values = {**image(record, found.path), **{name: getattr(found, name) for name in FOUND}}
    weighted = found.weighted_distance
    return values if weighted is None else {**values, "weighted_distance": round(weighted, 3)}


def group(review: Review) -> dict[str, Any]:
    """A group of duplicates."""
    return {
        "images": [_member(one) for one in review.images],
        "best": review.best,
        "why": review.why,
        "state": review.state,
        "kept": sorted(review.kept),
        "decision": None if review.decision is None else review.decision.id,
    }


def _member(one: GroupImage) -> dict[str, Any]:
    about = {"distance": one.member.distance, "size": one.member.size, "tier": one.tier, "loses": list(one.loses)}
    about |= {"relation": one.verdict.relation, "words": one.words, "edits": list(one.verdict.edits)}
    about |= {"agreement": one.verdict.agreement, "inliers": one.verdict.inliers, "verified": one.verdict.verified}
    return {**image(one.record), **about}


def decision(made: Decision, ids: Sequence[int | None]) -> dict[str, Any]:
    """A decision; `ids` are its images' ids, if they still exist."""
    images = [
        {"id": id_, "path": clean(one.name), "digest": one.digest.hex(), "part": one.part}
        for id_, one in zip(ids, made.images, strict=True)
    ]
    at = datetime.fromtimestamp(made.at, UTC).isoformat().replace("+00:00", "Z")
    return {"id": made.id, "kind": made.kind, "at": at, "images": images}


def details(record: Record) -> dict[str, Any]:
    """Everything known about an image."""
    return {
        **image(record),
        "code": None if record.code is None else record.code.hex(),
        "root": clean(record.root),
        "size": record.length if record.length is not None else max(record.size, 0),
        "format": record.format,
        "animated": record.animated,
        "error": record.error,
        "missing": record.missing_since is not None,
        "original": f"/api/images/{record.id}/original",
    }
