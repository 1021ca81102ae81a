"""What a collection needs: its folders, problems, scenes and labels."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from lookalike import answers
from lookalike.database import Database
from lookalike.duplicates import scenes
from lookalike.duplicates.request import Strictness
from lookalike.duplicates.search import Comparison
from lookalike.web.api import paging
from lookalike.web.api.failures import WORKING, failures
from lookalike.web.api.groups import compared
from lookalike.web.api.rows import Rows
from lookalike.web.api.schemas import Cursor, Id, Limit, Plain, described
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import surveys
from lookalike.web.state.jobs import Done, Job, Report
from lookalike.web.state.server import Server, Shared, Writable
from lookalike.web.state.surveys import REMEDIES

router = APIRouter(prefix="/api/v1")
Kind = Literal["unreadable", "missing", "out-of-reach", "plain"]


class NewLabel(BaseModel):
    """A label for images."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[Id], described("The images.", [1, 2], min_length=1, max_length=10_000)]
    label: Annotated[Plain | None, described("Their label; null removes it.", "cats")]


@router.get("/folders", tags=["images"], responses={200: {"model": answers.Page[answers.Folder]}, **failures(422)})
async def list_folders(server: Shared, limit: Limit = 1000, cursor: Cursor = None) -> JsonResponse:
    """The folders, each before those in it, with the number of their images."""

    def work(database: Database) -> answers.Page[answers.Folder]:
        rows, found = Rows.of(server.settings, database), server.memory.get(database, "survey", surveys.survey)
        folders = [
            answers.Folder(
                path=rows.path(os.path.join(root, path) if path else root),
                name=rows.path(os.path.basename(path or root)),
                depth=path.count("/") + 1 if path else 0, images=images,
            )
            for (root, path), images in sorted(found.folders.items(), key=lambda one: (one[0][0], one[0][1].split("/")))
        ]  # fmt: skip
        return paging.page(folders, cursor, limit)

    return JsonResponse(await server.collection.read(work))


@router.get("/problems", tags=["care"], responses={200: {"model": answers.Troubles}, **failures(422)})
async def list_problems(
    server: Shared,
    kind: Annotated[Kind | None, Query(description="Only problems of this kind.", examples=["missing"])] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> JsonResponse:
    """Images that could not be read, are gone, out of reach, or have too little content, with what helps."""
    return JsonResponse(await server.collection.read(_problems, server, kind, limit, cursor))


def _problems(
    database: Database, server: Server, kind: Kind | None, limit: int, cursor: str | None
) -> answers.Troubles:
    rows, found = Rows.of(server.settings, database), server.memory.get(database, "survey", surveys.survey)
    items: list[dict[str, Any]] = [
        {"id": None, "path": one.path, "kind": "out-of-reach", "images": one.images, "reason": one.reason}
        for one in database.unreachable()
    ]
    items += [
        {"id": one.id, "path": one.name, "kind": one.kind, "images": 1, "reason": one.reason} for one in found.problems
    ]
    counts = Counter(one["kind"] for one in items)
    shown = paging.page([one for one in items if kind in (None, one["kind"])], cursor, limit)
    return answers.Troubles(
        items=[
            answers.Trouble(**{**one, "path": rows.path(one["path"]), "reason": rows.text(one["reason"])},
                            remedy=REMEDIES[one["kind"]])
            for one in shown.items
        ],
        total=shown.total, next=shown.next, counts={name: counts[name] for name in REMEDIES},
    )  # fmt: skip


@router.get(
    "/scenes", tags=["clean up"], responses={200: {"model": answers.Page[answers.Scene]}, **WORKING, **failures(422)}
)
async def list_scenes(server: Shared, limit: Limit = 50, cursor: Cursor = None) -> JsonResponse:
    """Bursts and series: other shots of a scene, which are no copies, each with its sharpest image."""
    with server.collection.use() as database:
        found = await compared(server, database, Strictness.NORMAL, None)
        if not isinstance(found, Done):
            return found
        read = await server.done(_scenes(found.value))
        if not isinstance(read, Done):
            return read
        page = paging.page(read.value, cursor, limit)

        def shown() -> list[answers.Scene]:
            rows = Rows.of(server.settings, database)
            return [
                answers.Scene(images=rows.images(database, ids), best=best, why="sharpest") for ids, best in page.items
            ]

        items = await server.collection.run(shown)
    return JsonResponse(answers.Page(items=items, total=page.total, next=page.next))


def _scenes(found: Comparison) -> Job:
    """The job that reads the images of scenes: the ids of each, and the sharpest."""

    def run(database: Database, report: Report) -> list[tuple[list[int], int]]:
        groups = database.group(found).same_scene
        records = database.records_of([one.id for group in groups for one in group])
        read = scenes.read(groups, records, progress=lambda _, done, total: report(done, total or 0))
        return [([shot.record.id for shot in one.images], one.sharpest.id) for one in read]

    return Job("scenes.json", run, lambda value: json.dumps(value).encode(), json.loads)


@router.post(
    "/labels", tags=["images"], responses={200: {"model": answers.Page[answers.LabelCount]}, **failures(404, 422)}
)
async def label_images(server: Writable, new: NewLabel) -> JsonResponse:
    """Label images, or remove their label, and return all labels."""

    def work(database: Database) -> answers.Page[answers.LabelCount]:
        absent = set(new.ids) - database.records_of(new.ids).keys()
        if absent:
            raise Problem(404, f"there is no image {min(absent)}")
        with database.store.changing(), database.store.transaction():
            for id_ in new.ids:
                database.store.set_label(id_, new.label)
            database.store.touch()
        found = [answers.LabelCount(label=label, images=images) for label, images in database.labels().items()]
        return paging.page(found, None, 1000)

    return JsonResponse(await server.change(work))
