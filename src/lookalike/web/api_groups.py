"""Groups of images that look alike, and the map: both made in the background."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query

from lookalike.codes import MAX_BITS
from lookalike.database import Group
from lookalike.database.opening import AnyDatabase
from lookalike.web import maps, rows
from lookalike.web.jobs import Done, Report
from lookalike.web.problems import JsonResponse, Problem
from lookalike.web.schemas import Duplicates, Map, Progress, failures
from lookalike.web.server import Shared

router = APIRouter(prefix="/api", tags=["collection"])
WIDEST = 8  # a group's radius is at most this part of the bits: far more would be near than are copies
WORKING: dict[int | str, dict[str, Any]] = {202: {"model": Progress, "description": "It is being made; ask again."}}


class Groups(NamedTuple):
    """All groups of a database."""

    groups: list[Group]
    images: int


@router.get("/duplicates", responses={200: {"model": Duplicates}, **WORKING, **failures(422)})
async def duplicates(
    server: Shared,
    radius: Annotated[
        int | None, Query(ge=0, le=MAX_BITS, description="Bits; without it what is near-duplicate with the model.")
    ] = None,
    top: Annotated[int, Query(ge=1, le=200, description="How many groups at most.")] = 50,
    cursor: Annotated[str | None, Query(max_length=20, description="`next` of the page before.")] = None,
) -> JsonResponse:
    """Groups of images at most `radius` bits from the first of each, page by page."""
    start = _position(cursor)
    with server.collection.use() as database:
        bits = database.bits
        radius = database.duplicate_radius() if radius is None else radius
        if radius > bits // WIDEST:
            raise Problem(422, f"radius is {radius}; groups are made for up to {bits // WIDEST} of {bits} bits")
        found = await server.done(("duplicates", radius), lambda held, report: _groups(held, report, radius))
        if not isinstance(found, Done):
            return found
        groups: Groups = found.value
        chosen = groups.groups[start : start + top]
        records = await server.collection.run(database.records_of, [member.id for group in chosen for member in group])
    end = start + len(chosen)
    shown = [[rows.member(one, records[one.id]) for one in group if one.id in records] for group in chosen]
    return JsonResponse(
        {
            "groups": [{"images": members} for members in shown if len(members) > 1],
            "total": len(groups.groups),
            "images": groups.images,
            "radius": radius,
            "bits": bits,
            "revision": found.revision,
            "fresh": found.fresh,
            "next": str(end) if end < len(groups.groups) else None,
        }
    )


@router.get("/map", responses={200: {"model": Map}, **WORKING, **failures()})
async def map_(server: Shared) -> JsonResponse:
    """A place in the plane for each image: near codes lie together. Of many images, 20,000 are drawn."""
    found = await server.done("map", maps.make)
    if not isinstance(found, Done):
        return found
    return JsonResponse({**found.value, "revision": found.revision, "fresh": found.fresh})


def _groups(database: AnyDatabase, report: Report, radius: int) -> Groups:
    groups = database.duplicates(radius=radius, on_rows=report)
    return Groups(groups, sum(map(len, groups)))


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if re.fullmatch(r"[0-9]{1,15}", cursor) is None:
        raise Problem(422, f"cursor is {cursor!r}; pass the `next` of the page before, or none")
    return int(cursor)
