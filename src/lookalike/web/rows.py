"""Rows of the catalog as JSON."""

from __future__ import annotations

from typing import Any

from lookalike.database import Hit, Member
from lookalike.store.catalog import Record
from lookalike.web import thumbnails


def image(record: Record) -> dict[str, Any]:
    """What is said of any image."""
    label = record.label
    return {
        "id": record.id,
        "name": clean(record.path),
        "path": clean(record.name),
        "label": list(label) if isinstance(label, tuple) else label,
        "width": record.width,
        "height": record.height,
        "thumbnail": f"/api/images/{record.id}/thumbnail?v={thumbnails.version(record)}",
    }


def hit(found: Hit, record: Record) -> dict[str, Any]:
    """An image that a search found."""
    return {**image(record), "distance": found.distance, "bits": found.bits, "tier": found.tier}


def member(found: Member, record: Record) -> dict[str, Any]:
    """An image of a group."""
    return {**image(record), "distance": found.distance, "size": found.size}


def details(record: Record) -> dict[str, Any]:
    """All that is known of an image."""
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


def clean(name: str) -> str:
    r"""A name in Unicode; a byte that is no UTF-8 as \xff.

    >>> clean("caf\udce9.jpg")
    'caf\\xe9.jpg'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
