"""Jobs: their progress as events, pausing and stopping; indexing and calibration."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response, StreamingResponse

from lookalike import answers
from lookalike.core.progress import Progress
from lookalike.database import Database
from lookalike.web.api import paging
from lookalike.web.api.cleanup import STARTED
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import Rows
from lookalike.web.api.schemas import Cursor, Limit, Plain, described
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import tasks
from lookalike.web.state.server import Server, Shared, Writable

router = APIRouter(prefix="/api/v1")
EVERY, ALIVE = 0.25, 15.0  # seconds between two looks at a job, and until a comment shows that the server is there
JobId = Annotated[
    str, InPath(alias="id", pattern=tasks.ID, description="The job's id.", examples=["20260501-100000-3f2a1b"])
]
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events named `job`, each with the job as JSON, until it is over.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class NewIndex(BaseModel):
    """What to index."""

    model_config = ConfigDict(extra="forbid")

    folder: Annotated[Plain, described("A folder, below one that the server was started with.", "/home/ada/PHOTOS")]


@router.get("/jobs", tags=["jobs"], responses={200: {"model": answers.Page[answers.Job]}, **failures(422)})
async def list_jobs(server: Shared, limit: Limit = 100, cursor: Cursor = None) -> JsonResponse:
    """The last jobs, newest first."""

    def work(database: Database) -> answers.Page[answers.Job]:
        page = paging.page(server.tasks.all(), cursor, limit)
        return replace(page, items=[_shown(database, server, one) for one in page.items])

    return JsonResponse(await server.collection.read(work))


@router.get("/jobs/{id}", tags=["jobs"], responses={200: {"model": answers.Job}, **failures(404, 422)})
async def get_job(server: Shared, id_: JobId) -> JsonResponse:
    """A job and its progress."""
    return JsonResponse(await server.collection.read(_job, server, id_))


@router.get("/jobs/{id}/events", tags=["jobs"], response_class=Response, responses={**EVENTS, **failures(404, 422)})
async def follow_job(server: Shared, id_: JobId) -> StreamingResponse:
    """A job's progress as server-sent events, until it is over."""
    first = await server.collection.read(_job, server, id_)

    async def events() -> AsyncIterator[bytes]:
        job, silent = first, 0.0
        yield _event(job)
        while not job.is_over and not server.tasks.stopped.is_set():
            await asyncio.sleep(EVERY)
            before, job = job, await server.collection.read(_job, server, id_)
            silent = 0.0 if job != before else silent + EVERY
            if job != before:
                yield _event(job)
            elif silent >= ALIVE:
                silent = 0.0
                yield b": still there\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@router.post("/jobs/{id}/pause", tags=["jobs"], responses={200: {"model": answers.Job}, **failures(404, 409, 422)})
async def pause_job(server: Writable, id_: JobId) -> JsonResponse:
    """Pause a job; between two files, nothing is half done."""
    return await _ordered(server, id_, tasks.PAUSE)


@router.post("/jobs/{id}/resume", tags=["jobs"], responses={200: {"model": answers.Job}, **failures(404, 409, 422)})
async def resume_job(server: Writable, id_: JobId) -> JsonResponse:
    """Resume a paused job."""
    return await _ordered(server, id_, tasks.RESUME)


@router.post("/jobs/{id}/stop", tags=["jobs"], responses={200: {"model": answers.Job}, **failures(404, 409, 422)})
async def stop_job(server: Writable, id_: JobId) -> JsonResponse:
    """Stop a job; what it has done so far stays done."""
    return await _ordered(server, id_, tasks.STOP)


@router.post("/index", tags=["care"], status_code=202, responses={**STARTED, **failures(422)})
async def index_folder(server: Writable, new: NewIndex) -> JsonResponse:
    """Index a folder below one that the server was started with (`--root`)."""
    folder = os.path.realpath(await server.collection.read(_real, server, new.folder))
    roots = [os.path.realpath(root) for root in server.settings.roots]
    if not any(os.path.commonpath([root, folder]) == root for root in roots):
        raise Problem(403, "this folder is not below one that may be indexed; allow it with --write --root FOLDER")
    if not os.path.isdir(folder):
        raise Problem(422, "folder is not an existing folder")

    def work(database: Database, progress: Progress) -> dict[str, Any]:
        values = asdict(database.index(folder, progress=progress))
        return {name: value for name, value in values.items() if isinstance(value, int | float)}

    return await _started(server, "index", folder, work)


def _real(database: Database, server: Server, shown: str) -> str:
    """The path of a folder that is given as it is shown, which may hide what is above it."""
    rows = Rows.of(server.settings, database)
    for root in server.settings.roots:
        name = rows.path(root)
        if shown == name or shown.startswith(f"{name}/"):
            return root + shown[len(name) :]
    return shown


@router.get("/calibration", tags=["care"], responses={200: {"model": answers.Calibration | None}, **failures()})
async def get_calibration(server: Shared) -> JsonResponse:
    """How often searches are right, if it was measured."""
    found = await server.collection.read(lambda database: database.calibration)
    return JsonResponse(None if found is None else answers.Calibration(**asdict(found)))


@router.post("/calibration", tags=["care"], status_code=202, responses={**STARTED, **failures()})
async def calibrate(server: Writable) -> JsonResponse:
    """Measure how often searches of this collection are right; takes minutes."""

    def work(database: Database, progress: Progress) -> dict[str, Any]:
        return asdict(database.calibrate(progress=progress).calibration)

    return await _started(server, "calibration", "", work)


async def _started(server: Server, kind: str, about: str, work: tasks.Work) -> JsonResponse:
    job = await server.collection.run(server.tasks.start, kind, about, work)
    return JsonResponse(await server.collection.read(_shown, server, job), 202)


async def _ordered(server: Server, id_: str, order: str) -> JsonResponse:
    """Give an order to a job. Raises `Problem` if it is over."""

    def work(database: Database) -> answers.Job:
        job = _job(database, server, id_)
        if job.is_over:
            raise Problem(409, f"the job is over ({job.state})")
        server.tasks.order(id_, order)
        return _job(database, server, id_)

    return JsonResponse(await server.collection.read(work))


def _job(database: Database, server: Server, id_: str) -> answers.Job:
    """A job. Raises `Problem` if there is none."""
    job = server.tasks.find(id_)
    if job is None:
        raise Problem(404, f"there is no job {id_}")
    return _shown(database, server, job)


def _shown(database: Database, server: Server, job: answers.Job) -> answers.Job:
    """A job without hidden paths."""
    rows = Rows.of(server.settings, database)
    error = None if job.error is None else rows.text(job.error)
    about = rows.path(job.about) if job.kind == "index" else job.about
    result = job.result
    if result is not None and "left" in result:
        result = {
            **result,
            "left": [{"path": rows.path(one["path"]), "why": rows.text(one["why"])} for one in result["left"]],
        }
    return replace(job, error=error, about=about, result=result)


def _event(job: answers.Job) -> bytes:
    return b"event: job\ndata: " + orjson.dumps(job) + b"\n\n"
