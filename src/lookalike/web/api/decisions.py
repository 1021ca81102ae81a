"""Decisions about duplicates: make, list, undo. Only a server with `--write` stores them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from lookalike.database import Database
from lookalike.store.decisions import Decision as Made
from lookalike.store.decisions import Kind
from lookalike.web.api import rows
from lookalike.web.api.failures import failures
from lookalike.web.api.schemas import LARGEST_ID, Decision, Decisions, NewDecision
from lookalike.web.http.problems import JsonResponse, Problem, cursor_number
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api/decisions", tags=["decisions"])
READ_ONLY = "this server is read-only; to store decisions, restart it with --write"


async def _writable(server: Shared) -> Server:
    """The server, if it may store decisions. Raises `Problem`."""
    if not server.settings.write:
        raise Problem(403, READ_ONLY)
    return server


Writable = Annotated[Server, Depends(_writable)]


@router.post("", status_code=201, responses={201: {"model": Decision}, **failures(422)})
async def decide(server: Writable, new: NewDecision) -> JsonResponse:
    """Decide about duplicates. A decision applies to contents, so it survives renaming and moving files."""

    def work(database: Database) -> dict[str, Any]:
        return _row(database, database.decisions.make(new.kind, new.images, chosen=new.chosen))

    return JsonResponse(await server.collection.read(work), 201)


@router.get("", responses={200: {"model": Decisions}, **failures(422)})
async def decisions(
    server: Shared,
    kind: Annotated[Kind | None, Query(description="Only decisions of this kind.")] = None,
    top: Annotated[int, Query(ge=1, le=1000, description="Maximum number of decisions.")] = 100,
    cursor: Annotated[str | None, Query(max_length=20, description="`next` of the previous page.")] = None,
) -> JsonResponse:
    """The decisions, newest first, page by page."""
    before = cursor_number(cursor)

    def work(database: Database) -> dict[str, Any]:
        listed = database.decisions.newest(before=before, top=top + 1, kind=kind)
        shown = [_row(database, one) for one in listed[:top]]
        following = str(listed[top - 1].id) if len(listed) > top else None
        return {"decisions": shown, "total": database.decisions.count(kind), "next": following}

    return JsonResponse(await server.collection.read(work))


@router.delete("/{id}", responses={200: {"model": Decision}, **failures(404, 422)})
async def undo(
    server: Writable, id_: Annotated[int, Path(alias="id", ge=1, le=LARGEST_ID, description="The decision's id.")]
) -> JsonResponse:
    """Undo a decision, and return it."""

    def work(database: Database) -> dict[str, Any]:
        if database.decisions.find(id_) is None:
            raise Problem(404, f"there is no decision {id_}")
        return _row(database, database.decisions.undo(id_))

    return JsonResponse(await server.collection.read(work))


def _row(database: Database, made: Made) -> dict[str, Any]:
    return rows.decision(made, database.decisions.ids(made.images))
