"""Plans that are carried out by the server, with `--write --trash FOLDER`, and their history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from lookalike import answers
from lookalike.core.progress import Progress
from lookalike.database import Database
from lookalike.duplicates.cleanup import plan_file
from lookalike.duplicates.cleanup.plan import Action, Plan, PlanOptions
from lookalike.duplicates.request import Strictness
from lookalike.web.api import paging
from lookalike.web.api.failures import WORKING, failures
from lookalike.web.api.groups import Known, check_shown, plan_response, preferences, reviewed
from lookalike.web.api.rows import Rows, moment
from lookalike.web.api.schemas import Cursor, Id, Limit, described
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import plans, tasks
from lookalike.web.state.plans import Files
from lookalike.web.state.server import Server, Shared, Writable

router = APIRouter(prefix="/api/v1", tags=["clean up"])
SAMPLE, REFUSED = 20, 200  # files shown of a plan
STARTED: dict[int | str, dict[str, Any]] = {202: {"model": answers.Job, "description": "A job was started."}}
PlanId = Annotated[
    str, InPath(alias="id", pattern=tasks.ID, description="The plan's id.", examples=["20260501-100000-3f2a1b"])
]


class NewPlan(BaseModel):
    """What a plan may remove."""

    model_config = ConfigDict(extra="forbid")

    strictness: Annotated[Strictness, described("As of groups.", "normal")] = Strictness.NORMAL
    relations: Annotated[
        list[Literal["exact", "same-pixels", "edited"]],
        described(
            "Which copies are removed in undecided groups; none: only what was decided.", ["exact"], max_length=3
        ),
    ] = ["exact", "same-pixels"]
    groups: Annotated[list[Id] | None, described("Ids of groups; null: all.", [1], max_length=100_000)] = None
    prefer: Annotated[
        list[Annotated[str, Field(max_length=4096)]] | None,
        described("Rules, as of groups.", ["oldest"], max_length=16),
    ] = None
    allow_metadata_loss: Annotated[
        bool, described("Also remove the only copy with a date, place or camera.", False)
    ] = False


class Confirmed(BaseModel):
    """What a dry run found."""

    model_config = ConfigDict(extra="forbid")

    count: Annotated[int, described("`count` of the plan.", 213, ge=0, le=1 << 53)]
    bytes: Annotated[int, described("`bytes` of the plan.", 1_200_000_000, ge=0, le=1 << 62)]


@router.post("/plans", status_code=201, responses={201: {"model": answers.Plan}, **WORKING, **failures(409, 422)})
async def make_plan(server: Writable, new: NewPlan) -> JsonResponse:
    """Make a plan, and start its dry run, which reads every file. Moves nothing."""
    trash, rules = _trash(server), preferences(server, new.prefer)
    options = PlanOptions(
        include_edited="edited" in new.relations, allow_metadata_loss=new.allow_metadata_loss, prefer=rules
    )
    with server.collection.use() as database:
        found = await reviewed(server, database, new.strictness, None, rules)
        if isinstance(found, JsonResponse):
            return found
        return JsonResponse(await server.collection.run(_make, server, database, found, new, options, trash), 201)


def _make(
    server: Server, database: Database, found: Known, new: NewPlan, options: PlanOptions, trash: Path
) -> answers.Plan:
    chosen = None if new.groups is None else set(new.groups)
    some = [one for one in found.reviews or () if chosen is None or one.images[0].record.id in chosen]
    plan = plans.make(some, new.relations, options, database)
    id_ = tasks.new_id()
    files = Files.of(database, id_)
    files.plan.parent.mkdir(exist_ok=True)
    plan_file.write(files.plan, plan)
    work = _later(plans.check, id_, trash)
    job = server.tasks.start("check", id_, work)
    files.note(spared=plan.spared, decisions=database.decisions.version, trash=str(trash), job=job.id)
    return _answer(server, database, plan, files)


@router.get("/plans/{id}", responses={200: {"model": answers.Plan}, **failures(404, 422)})
async def get_plan(server: Shared, id_: PlanId) -> JsonResponse:
    """A plan, and its dry run once that is over."""

    def work(database: Database) -> answers.Plan:
        files, plan = _found(database, id_)
        return _answer(server, database, plan, files)

    return JsonResponse(await server.collection.read(work))


@router.get("/plans/{id}/files", responses={200: {"model": answers.Page[answers.PlanFile]}, **failures(404, 422)})
async def list_plan_files(server: Shared, id_: PlanId, limit: Limit = 100, cursor: Cursor = None) -> JsonResponse:
    """The files of a plan, group by group."""

    def work(database: Database) -> answers.Page[answers.PlanFile]:
        rows = Rows.of(server.settings, database)
        return paging.page(_files(rows, _found(database, id_)[1]), cursor, limit)

    return JsonResponse(await server.collection.read(work))


@router.get("/plans/{id}/file", response_class=Response, responses={**failures(404, 422)})
async def download_plan_file(
    server: Shared,
    id_: PlanId,
    format_: Annotated[
        Literal["json", "csv"], Query(alias="format", description="Of the file.", examples=["csv"])
    ] = "json",
) -> Response:
    """A plan as a file for `lookalike apply`."""
    check_shown(server)
    plan = (await server.collection.read(_found, id_))[1]
    return await server.collection.run(plan_response, plan, format_)


@router.post("/plans/{id}/apply", status_code=202, responses={**STARTED, **failures(404, 409, 422)})
async def apply_plan(server: Writable, id_: PlanId, confirmed: Confirmed) -> JsonResponse:
    """Move a plan's files into the trash, if its dry run found just this. After an interruption, resumes."""
    trash = _trash(server)

    def work(database: Database) -> answers.Job:
        files, plan = _found(database, id_)
        noted = files.noted()
        _check_idle(server, id_)
        if (checked := noted.get("checked")) is None:
            raise Problem(409, "the dry run of this plan is not over, or failed; wait for its job, or make a new plan")
        if (checked["count"], checked["bytes"]) != (confirmed.count, confirmed.bytes):
            raise Problem(
                409, f"the dry run found {checked['count']} files with {checked['bytes']} bytes; confirm these"
            )
        if noted.get("decisions") != database.decisions.version and "at" not in noted:
            raise Problem(409, "decisions have changed since the plan was made; make a new one")
        if why := plans.changed(plan, files):
            raise Problem(409, f"{Rows.of(server.settings, database).text(why)} since the dry run; make a new plan")
        if "at" not in noted:
            files.note(at=moment(time.time()), trash=str(trash))
        return server.tasks.start("apply", id_, _later(plans.carry_out, id_, trash))

    return JsonResponse(await server.collection.read(work), 202)


@router.get("/runs", responses={200: {"model": answers.Page[answers.Run]}, **failures(422)})
async def list_runs(server: Shared, limit: Limit = 100, cursor: Cursor = None) -> JsonResponse:
    """The plans that were carried out, newest first, and what is in the trash now."""

    def work(database: Database) -> answers.Page[answers.Run]:
        found = plans.runs(database, server.tasks.all()) if database.store.folder else []
        rows = Rows.of(server.settings, database)
        return paging.page([replace(run, trash=rows.path(run.trash)) for run in found], cursor, limit)

    return JsonResponse(await server.collection.read(work))


@router.get("/runs/{id}/files", responses={200: {"model": answers.Page[answers.RunFile]}, **failures(404, 422)})
async def list_run_files(server: Shared, id_: PlanId, limit: Limit = 100, cursor: Cursor = None) -> JsonResponse:
    """The files that were moved, and where each is now."""

    def work(database: Database) -> answers.Page[answers.RunFile]:
        rows = Rows.of(server.settings, database)
        moved = plans.moved(_found(database, id_)[0])
        items = [
            answers.RunFile(path=rows.path(one.path), to=rows.path(one.to), size=one.size, in_trash=in_trash)
            for one, in_trash in moved
        ]
        return paging.page(items, cursor, limit)

    return JsonResponse(await server.collection.read(work))


@router.post("/runs/{id}/undo", status_code=202, responses={**STARTED, **failures(404, 409, 422)})
async def undo_run(server: Writable, id_: PlanId) -> JsonResponse:
    """Move the files of a plan back to where they were."""

    def work(database: Database) -> answers.Job:
        files, _ = _found(database, id_)
        _check_idle(server, id_)
        if not plans.moved(files):
            raise Problem(404, f"the plan {id_} was not carried out")
        return server.tasks.start(
            "undo", id_, lambda later, progress: plans.undo(later, Files.of(later, id_), progress)
        )

    return JsonResponse(await server.collection.read(work), 202)


def _later(
    do: Callable[[Database, Files, Path, Progress], dict[str, Any]], id_: str, trash: Path
) -> Callable[[Database, Progress], dict[str, Any]]:
    """The work of a job on a plan."""

    def work(database: Database, progress: Progress) -> dict[str, Any]:
        return do(database, Files.of(database, id_), trash, progress)

    return work


def _check_idle(server: Server, id_: str) -> None:
    """Raise `Problem` while a job about a plan runs."""
    job = server.tasks.last_about(id_)
    if job is not None and not job.is_over:
        raise Problem(409, f"the job {job.id} ({job.kind}) of this plan is not over; wait for it, or stop it")


def _trash(server: Server) -> Path:
    """The trash folder. Raises `Problem` without one."""
    if server.settings.trash is None:
        raise Problem(403, "this server has no trash; to move files, restart it with --write --trash FOLDER")
    return server.settings.trash


def _found(database: Database, id_: str) -> tuple[Files, Plan]:
    """A plan's files, and the plan. Raises `Problem` if there is none."""
    files = None if database.store.folder is None else Files.of(database, id_)
    if files is None or not files.plan.exists():
        raise Problem(404, f"there is no plan {id_}")
    return files, plan_file.read(files.plan)


def _answer(server: Server, database: Database, plan: Plan, files: Files) -> answers.Plan:
    rows, noted = Rows.of(server.settings, database), files.noted()
    checked = noted.get("checked")
    found = checked or {
        "count": len(plan.removals), "bytes": sum(one.size for one in plan.removals),
        "companions": sum(len(one.companions) for one in plan.removals), "refused": [],
    }  # fmt: skip
    refused = [answers.Refused(path=rows.path(one["path"]), why=rows.text(one["why"])) for one in found["refused"]]
    return answers.Plan(
        id=files.plan.stem, groups=len(plan.groups), count=found["count"], bytes=found["bytes"],
        companions=found["companions"], spared=noted.get("spared", 0), trash=rows.path(noted.get("trash", "")),
        checked=checked is not None, job=noted.get("job", ""), refused=refused[:REFUSED],
        sample=[one for one in _files(rows, plan) if one.action == "remove"][:SAMPLE],
    )  # fmt: skip


def _files(rows: Rows, plan: Plan) -> list[answers.PlanFile]:
    return [
        answers.PlanFile(
            group=number, path=rows.path(one.path), action="keep" if one.action is Action.KEEP else "remove",
            size=one.size, tier=one.tier, why=one.why, loses=one.loses, companions=one.companions,
        )
        for number, group in enumerate(plan.groups, start=1)
        for one in group.entries
    ]  # fmt: skip
