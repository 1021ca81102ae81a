"""Decisions about duplicates: make, list, undo. Only a server with `--write` stores them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from lookalike import answers
from lookalike.database import Database
from lookalike.store.decisions import Decision, Kind
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import KINDS, Rows
from lookalike.web.api.schemas import LARGEST_ID, Cursor, Limit, NewDecision, NewDecisions, Undone
from lookalike.web.http.problems import JsonResponse, Problem, cursor_number
from lookalike.web.state.server import Server, Shared, Writable

router = APIRouter(prefix="/api/v1/decisions", tags=["clean up"])
Stored = {kind: name for name, kind in KINDS.items()} | {"remove": Kind.KEEP}


@router.post("", status_code=201, responses={201: {"model": answers.Decisions}, **failures(422)})
async def decide(server: Writable, new: NewDecisions) -> JsonResponse:
    """Decide about duplicates. A decision applies to contents, so it survives renaming and moving files.

    All decisions are stored, or none. One that is in force already is returned, and not stored again.
    """

    def work(database: Database) -> answers.Decisions:
        made = database.decisions.make_all([_stored(one) for one in new.decisions])
        return _answers(server, database, made)

    return JsonResponse(await server.change(work), 201)


@router.get("", responses={200: {"model": answers.Page[answers.Decision]}, **failures(422)})
async def list_decisions(
    server: Shared,
    kind: Annotated[
        answers.Kind | None,
        Query(description="Only decisions of this kind; remove is stored as keep.", examples=["keep"]),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> JsonResponse:
    """The decisions, newest first, page by page."""
    before, wanted = cursor_number(cursor), None if kind is None else Stored[kind]

    def work(database: Database) -> answers.Page[answers.Decision]:
        listed = database.decisions.newest(before=before, top=limit + 1, kind=wanted)
        return answers.Page(
            items=_answers(server, database, listed[:limit]).items,
            total=database.decisions.count(wanted),
            next=str(listed[limit - 1].id) if len(listed) > limit else None,
        )

    return JsonResponse(await server.collection.read(work))


@router.post("/undo", responses={200: {"model": answers.Decisions}, **failures(404, 422)})
async def undo_decisions(server: Writable, undone: Undone) -> JsonResponse:
    """Undo decisions, all or none, and return them."""
    return JsonResponse(await server.change(_undo, server, undone.ids))


@router.delete("/{id}", responses={200: {"model": answers.Decision}, **failures(404, 422)})
async def undo_decision(
    server: Writable,
    id_: Annotated[int, Path(alias="id", ge=1, le=LARGEST_ID, description="The decision's id.", examples=[1])],
) -> JsonResponse:
    """Undo a decision, and return it."""
    found = await server.change(_undo, server, [id_])
    return JsonResponse(found.items[0])


def _undo(database: Database, server: Server, ids: list[int]) -> answers.Decisions:
    found = [database.decisions.find(id_) for id_ in ids]
    if None in found:
        raise Problem(404, f"there is no decision {ids[found.index(None)]}")
    shown = _answers(server, database, [one for one in found if one is not None])
    database.decisions.undo(*ids)
    return shown


def _stored(new: NewDecision) -> tuple[Kind, list[int], list[int]]:
    """Kind, images and choice of a decision, as it is stored."""
    chosen = [id_ for id_ in new.images if id_ not in set(new.chosen)] if new.kind == "remove" else new.chosen
    return Stored[new.kind], new.images, chosen


def _answers(server: Server, database: Database, made: list[Decision]) -> answers.Decisions:
    rows = Rows.of(server.settings, database)
    return answers.Decisions(items=[rows.decision(one, database.decisions.ids(one.images)) for one in made])
