"""Groups of duplicates, and the map; both are computed in the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from lookalike.core.codes import MAX_BITS
from lookalike.core.errors import ConfigError
from lookalike.database import Database
from lookalike.duplicates.cleanup import best_copy
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.best_copy import Preference
from lookalike.duplicates.cleanup.inspection import Inspection
from lookalike.duplicates.decisions import State
from lookalike.duplicates.request import Strictness
from lookalike.duplicates.review import Context
from lookalike.duplicates.search import Comparison
from lookalike.web.api import rows
from lookalike.web.api.failures import failures
from lookalike.web.api.schemas import Duplicates, Map, Progress
from lookalike.web.http.problems import JsonResponse, Problem, cursor_number
from lookalike.web.state import maps, reviews
from lookalike.web.state.jobs import Done
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api", tags=["collection"])
WIDEST = 8  # the radius is at most 1/8 of the bits; beyond it, far more than copies match
WORKING: dict[int | str, dict[str, Any]] = {202: {"model": Progress, "description": "Still working; ask again."}}
PLAN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The plan.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/csv": {"schema": {"type": "string"}}},
    }
}


Radius = Annotated[
    int | None,
    Query(ge=0, le=MAX_BITS, description="Bits between the codes of candidates; without it, by strictness."),
]
Kinds = Annotated[
    Strictness,
    Query(description="strict: the same bytes or pixels; normal: edited copies, too; thorough: more candidates."),
]
Prefer = Annotated[
    list[Annotated[str, Field(max_length=4096)]] | None,
    Query(
        max_length=16,
        description="Rules for the best copy, applied in this order before the built-in ones: "
        f"{', '.join(best_copy.PREFERENCES)}. By default those of the server.",
    ),
]


@router.get("/duplicates", responses={200: {"model": Duplicates}, **WORKING, **failures(422)})
async def duplicates(
    server: Shared,
    strictness: Kinds = Strictness.NORMAL,
    radius: Radius = None,
    state: Annotated[State | None, Query(description="Only groups in this state.")] = None,
    top: Annotated[int, Query(ge=1, le=200, description="Approximate maximum number of groups.")] = 50,
    cursor: Annotated[str | None, Query(max_length=20, description="`next` of the previous page.")] = None,
    prefer: Prefer = None,
) -> JsonResponse:
    """Groups of copies of one picture, page by page."""
    start = cursor_number(cursor)
    with server.collection.use() as database:
        found = await _compared(server, database, strictness, radius)
        if not isinstance(found, Done):
            return found
        compared: Comparison = found.value
        read = await _pixels(server, compared)
        current = await server.collection.run(server.reviews.current, database, compared)
        page, following = reviews.page(current, start=start, top=top, state=state)
        groups = [entry.group for entry in page]
        records = await server.collection.run(database.records_of, [one.id for group in groups for one in group])
    inspected = Inspection(server.reviews.pixels, server.reviews.facts)
    context = Context(records, current.known, inspected, _preferences(server, prefer))
    shown = await server.collection.run(reviews.judged, database, groups, context)
    return JsonResponse(
        {
            "groups": [rows.group(one) for one in shown],
            "total": sum(current.counts.values()),
            "images": current.images,
            "states": current.counts,
            "pixels": isinstance(read, Done) and read.fresh,
            "radius": compared.radius,
            "bits": database.bits,
            "same_scene": len(compared.verified.scenes.first),
            "differing": compared.verified.rejected,
            "by_code": compared.verified.unverified,
            "revision": found.revision,
            "fresh": found.fresh,
            "next": None if following is None else str(following),
        }
    )


@router.get("/duplicates/plan", response_class=Response, responses={**PLAN, **WORKING, **failures(422)})
async def plan(
    server: Shared,
    strictness: Kinds = Strictness.NORMAL,
    radius: Radius = None,
    near: Annotated[bool, Query(description="Also remove edited copies.")] = False,
    prefer: Prefer = None,
    allow_metadata_loss: Annotated[
        bool, Query(description="Also remove the only copy with a date, place or camera.")
    ] = False,
    format_: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Response:
    """What to keep and what to remove of each group, as a file for `lookalike apply`. Changes nothing."""
    with server.collection.use() as database:
        found = await _compared(server, database, strictness, radius)
        if not isinstance(found, Done):
            return found
        read = await _pixels(server, found.value)
        if not isinstance(read, Done):
            return read
        table = format_ == "csv"
        options = plans.PlanOptions(
            include_edited=near, allow_metadata_loss=allow_metadata_loss, prefer=_preferences(server, prefer)
        )
        content = await server.collection.run(lambda: server.reviews.plan(database, found.value, options, table=table))
    headers = {"Content-Disposition": f'attachment; filename="plan.{format_}"'}
    return Response(content, media_type="text/csv" if table else "application/json", headers=headers)


@router.get("/map", responses={200: {"model": Map}, **WORKING, **failures()})
async def map_(server: Shared) -> JsonResponse:
    """A position in the plane for each image, with similar images close together. Large collections are sampled."""
    result = await server.done(maps.JOB)
    if not isinstance(result, Done):
        return result
    return JsonResponse({**result.value, "revision": result.revision, "fresh": result.fresh})


async def _compared(
    server: Server, database: Database, strictness: Strictness, radius: int | None
) -> Done | JsonResponse:
    """The groups, or the progress towards them. Raises `Problem` for too large a radius."""
    bits, wanted = database.bits, radius or 0
    if wanted > bits // WIDEST:
        raise Problem(422, f"radius is {wanted}; groups are made for up to {bits // WIDEST} of {bits} bits")
    return await server.done(reviews.comparing(strictness, radius))


async def _pixels(server: Server, groups: Comparison) -> Done | JsonResponse:
    """The state of the inspection that finds same pixels and the best copies, or its progress."""
    decoders = server.decoders
    read = server.decoding(decoders.pixels), server.decoding(decoders.evidence)
    inspection = await server.done(server.reviews.inspecting(groups, *read))
    if isinstance(inspection, Done):
        server.reviews.add(inspection.value)
    return inspection


def _preferences(server: Server, prefer: Sequence[str] | None) -> tuple[Preference, ...]:
    """The requested rules, or else those that the server was started with. Raises `Problem`."""
    try:
        return tuple(map(best_copy.preference, server.settings.prefer if prefer is None else prefer))
    except ConfigError as error:
        raise Problem(422, str(error).replace("--prefer", "prefer")) from None
