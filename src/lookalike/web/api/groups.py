"""Groups of copies and plans for them, and the map; all are computed in the background."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from lookalike import answers
from lookalike.core.codes import MAX_BITS
from lookalike.core.errors import ConfigError
from lookalike.database import Database
from lookalike.duplicates.cleanup import best_copy, plan_file
from lookalike.duplicates.cleanup import plan as plans
from lookalike.duplicates.cleanup.best_copy import Preference
from lookalike.duplicates.request import Strictness
from lookalike.duplicates.review import Review
from lookalike.duplicates.search import Comparison
from lookalike.web.api import paging
from lookalike.web.api.failures import WORKING, failures
from lookalike.web.api.rows import RELATIONS, STATES, Rows, loosest, to_go
from lookalike.web.api.schemas import Cursor, Limit
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import maps, reviews
from lookalike.web.state.jobs import Done
from lookalike.web.state.reviews import GroupEntry, ReviewState
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api/v1")
WIDEST = 8  # the radius is at most 1/8 of the bits; beyond it, far more than copies match
PLAN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The plan.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/csv": {"schema": {"type": "string"}}},
    }
}


Radius = Annotated[
    int | None,
    Query(
        ge=0, le=MAX_BITS, description="Bits between the codes of candidates; without it, by strictness.", examples=[8]
    ),
]
Kinds = Annotated[
    Strictness,
    Query(
        description="strict: the same bytes or pixels; normal: edited copies, too; thorough: more candidates.",
        examples=["normal"],
    ),
]
Prefer = Annotated[
    list[Annotated[str, Field(max_length=4096)]] | None,
    Query(
        max_length=16,
        description="Rules for the best copy, applied in this order before the built-in ones: "
        f"{', '.join(best_copy.PREFERENCES)}. By default those of the server.",
        examples=[["oldest"]],
    ),
]


class Wanted(NamedTuple):
    """Which groups are listed."""

    state: answers.State | None
    relation: str | None
    limit: int
    cursor: str | None

    def holds(self, entry: GroupEntry, review: Review | None) -> bool:
        """Whether a group is among them."""
        if self.state not in (None, STATES[entry.state]):
            return False
        return self.relation is None or (review is not None and loosest(review) == self.relation)


async def _wanted(
    state: Annotated[
        answers.State | None, Query(description="Only groups in this state.", examples=["undecided"])
    ] = None,
    relation: Annotated[
        Literal["exact", "same-pixels", "edited"] | None,
        Query(description="Only groups whose loosest relation to the best copy is this.", examples=["exact"]),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Wanted:
    return Wanted(state, relation, limit, cursor)


@router.get("/groups", tags=["clean up"], responses={200: {"model": answers.Groups}, **WORKING, **failures(422)})
async def list_groups(
    server: Shared,
    strictness: Kinds = Strictness.NORMAL,
    radius: Radius = None,
    prefer: Prefer = None,
    wanted: Wanted = Depends(_wanted),
) -> JsonResponse:
    """Groups of copies of one picture, page by page.

    Until the files of all groups have been read (`pixels`), the best copies are preliminary.
    """
    rules = preferences(server, prefer)
    with server.collection.use() as database:
        found = await compared(server, database, strictness, radius)
        if not isinstance(found, Done):
            return found
        read = await inspected(server, found.value)
        if wanted.relation is not None and not isinstance(read, Done):
            return read
        current = await server.collection.run(server.reviews.current, database, found.value)
        whole = (
            await server.collection.run(server.reviews.all, database, found.value, rules)
            if isinstance(read, Done)
            else None
        )
        known = Known(found, current, whole, isinstance(read, Done) and read.fresh)
        return JsonResponse(await server.collection.run(_page, server, database, known, rules, wanted))


class Known(NamedTuple):
    """What is known of all groups."""

    found: Done
    current: ReviewState
    reviews: list[Review] | None  # of all groups, once their files were read
    fresh: bool


def _page(
    server: Server, database: Database, known: Known, rules: Sequence[Preference], wanted: Wanted
) -> answers.Groups:
    compared: Comparison = known.found.value
    entries, firsts = known.current.entries, [entry.group[0].id for entry in known.current.entries]
    reviewed = {review.images[0].record.id: review for review in known.reviews or ()}
    start = paging.position(wanted.cursor, firsts)
    fitting = [at for at in range(start, len(entries)) if wanted.holds(entries[at], reviewed.get(firsts[at]))]
    shown, rest = fitting[: wanted.limit], fitting[wanted.limit :]
    if known.reviews is None:
        reviews = server.reviews.preliminary(database, known.current, [entries[at].group for at in shown], rules)
    else:
        reviews = [reviewed[firsts[at]] for at in shown if firsts[at] in reviewed]
    rows = Rows.of(server.settings, database)
    return answers.Groups(
        items=[rows.group(one) for one in reviews],
        total=len(entries) if start == 0 and len(fitting) == len(entries) else sum(
            wanted.holds(entry, reviewed.get(first)) for entry, first in zip(entries, firsts, strict=True)
        ),
        next=paging.after(shown[-1] + 1, firsts) if rest else None,
        images=known.current.images,
        states={STATES[state]: count for state, count in known.current.counts.items()},
        **_totals(known),
        pixels=known.fresh,
        radius=compared.radius,
        bits=database.bits,
        same_scene=len(compared.verified.scenes.first),
        differing=compared.verified.rejected,
        by_code=compared.verified.unverified,
        revision=known.found.revision,
        fresh=known.found.fresh,
    )  # fmt: skip


def _totals(known: Known) -> dict[str, Any]:
    """How many files can go, their bytes, and the groups by relation; estimated until all files were read."""
    if known.reviews is None:
        sizes = [sorted(one.size for one in entry.group)[:-1] for entry in known.current.entries]
        return {"removable": sum(map(len, sizes)), "freed": sum(map(sum, sizes)), "relations": {}}
    going = [to_go(review) for review in known.reviews]
    relations = Counter(loosest(review) for review in known.reviews)
    return {
        "removable": sum(map(len, going)),
        "freed": sum(one.member.size for some in going for one in some),
        "relations": {relation: relations[relation] for relation in RELATIONS if relations[relation]},
    }


@router.get("/plan", tags=["clean up"], response_class=Response, responses={**PLAN, **WORKING, **failures(422)})
async def download_plan(
    server: Shared,
    strictness: Kinds = Strictness.NORMAL,
    radius: Radius = None,
    prefer: Prefer = None,
    include_edited: Annotated[bool, Query(description="Also remove edited copies.", examples=[True])] = False,
    allow_metadata_loss: Annotated[
        bool, Query(description="Also remove the only copy with a date, place or camera.", examples=[False])
    ] = False,
    format_: Annotated[
        Literal["json", "csv"], Query(alias="format", description="Of the file.", examples=["csv"])
    ] = "json",
) -> Response:
    """What to keep and what to remove of each group, as a file for `lookalike apply`. Changes nothing."""
    check_shown(server)
    options = plans.PlanOptions(
        include_edited=include_edited, allow_metadata_loss=allow_metadata_loss, prefer=preferences(server, prefer)
    )
    with server.collection.use() as database:
        found = await reviewed(server, database, strictness, radius, options.prefer)
        if isinstance(found, JsonResponse):
            return found
        plan = await server.collection.run(
            lambda: plans.make(
                found.reviews or (), options, database=str(database.path), radius=found.found.value.radius,
                bits=database.bits,
            )
        )  # fmt: skip
    return plan_response(plan, format_)


def check_shown(server: Server) -> None:
    """Raise `Problem` if paths, of which plans consist, are hidden."""
    if server.settings.hide_paths:
        raise Problem(403, "this server hides paths, and a plan consists of them")


def plan_response(plan: plans.Plan, format_: str) -> Response:
    """A plan as a file."""
    text = plan_file.to_csv(plan) if format_ == "csv" else plan_file.to_json(plan)
    headers = {"Content-Disposition": f'attachment; filename="plan.{format_}"'}
    media_type = "text/csv" if format_ == "csv" else "application/json"
    return Response(text.encode("utf-8", "surrogateescape"), media_type=media_type, headers=headers)


@router.get("/map", tags=["images"], responses={200: {"model": answers.Map}, **WORKING, **failures()})
async def get_map(server: Shared) -> JsonResponse:
    """A position in the plane for each image, with similar images close together. Large collections are sampled."""
    result = await server.done(maps.JOB)
    if not isinstance(result, Done):
        return result
    return JsonResponse(answers.Map(**result.value, revision=result.revision, fresh=result.fresh))


async def reviewed(
    server: Server, database: Database, strictness: Strictness, radius: int | None, rules: tuple[Preference, ...]
) -> Known | JsonResponse:
    """All groups with their reviews, or the progress towards them."""
    found = await compared(server, database, strictness, radius)
    if not isinstance(found, Done):
        return found
    read = await inspected(server, found.value)
    if not isinstance(read, Done):
        return read
    current = await server.collection.run(server.reviews.current, database, found.value)
    return Known(
        found, current, await server.collection.run(server.reviews.all, database, found.value, rules), read.fresh
    )


async def compared(
    server: Server, database: Database, strictness: Strictness, radius: int | None
) -> Done | JsonResponse:
    """The groups, or the progress towards them. Raises `Problem` for too large a radius."""
    bits, wanted = database.bits, radius or 0
    if wanted > bits // WIDEST:
        raise Problem(422, f"radius is {wanted}; groups are made for up to {bits // WIDEST} of {bits} bits")
    return await server.done(reviews.comparing(strictness, radius))


async def inspected(server: Server, groups: Comparison) -> Done | JsonResponse:
    """The state of the inspection that finds same pixels and the best copies, or its progress."""
    decoders = server.decoders
    read = server.decoding(decoders.pixels), server.decoding(decoders.evidence)
    inspection = await server.done(server.reviews.inspecting(groups, *read))
    if isinstance(inspection, Done):
        server.reviews.add(inspection.value)
    return inspection


def preferences(server: Server, prefer: Sequence[str] | None) -> tuple[Preference, ...]:
    """The requested rules, or else those that the server was started with. Raises `Problem`."""
    try:
        return tuple(map(best_copy.preference, server.settings.prefer if prefer is None else prefer))
    except ConfigError as error:
        raise Problem(422, str(error).replace("--prefer", "prefer")) from None
