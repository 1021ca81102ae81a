"""Images, one by one and in pages; their thumbnails, originals and labels.

Shapes: N images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from lookalike import answers
from lookalike.core.display import clean
from lookalike.database import Database, Filter, taken
from lookalike.store.records import Record
from lookalike.web.api import paging
from lookalike.web.api.failures import WORKING, failures
from lookalike.web.api.rows import Rows
from lookalike.web.api.schemas import LARGEST_ID, Cursor, Plain, Sort, Taken, described
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import files, thumbnails
from lookalike.web.state.jobs import Done
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api/v1/images", tags=["images"])
Ids = npt.NDArray[np.int64]
Id = Annotated[int, Path(alias="id", ge=1, le=LARGEST_ID, description="The image's id in the database.", examples=[1])]
Matches = Annotated[
    str | None, Header(alias="If-None-Match", description="The ETag of the cached copy.", examples=['"1.3f2a1b9c-256"'])
]
YEAR = "private, max-age=31536000, immutable"
ASK = "private, no-cache"  # may be cached, but must be revalidated


def binary(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """A binary response, for the OpenAPI document."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    unchanged = {"description": "The cached copy is current."}
    return {200: {"content": content, "description": "The image."}, 304: unchanged}


class Listing(BaseModel):
    """Which images to list, and in which order."""

    sort: Annotated[Sort, described("newest: most recently indexed first.", "newest")] = Sort.ID
    label: Annotated[Plain | None, described("Only images with this label.", "cats")] = None
    folder: Annotated[Plain | None, described("Only images below this folder of the server.", "/home/ada/2024")] = None
    name: Annotated[Plain | None, described("Only images with this in their path, in any case.", "coffee")] = None
    taken: Annotated[Taken | None, described("Only images taken in this period.", "2024-05..2024-06")] = None
    ids: Annotated[
        str | None,
        described(
            "Only these images, in this order.", "3,1,2", pattern=r"^[0-9]{1,19}(,[0-9]{1,19})*$", max_length=20_000
        ),
    ] = None
    seed: Annotated[int, described("Seed of the order `random`.", 7, ge=0, le=2**32 - 1)] = 0
    start: Annotated[
        int, described("Number of images to skip; an alternative to a cursor.", 0, ge=0, le=LARGEST_ID)
    ] = 0
    limit: Annotated[int, described("Maximum number of images.", 50, ge=1, le=1000)] = 100
    cursor: Cursor = None


@router.get("", responses={200: {"model": answers.Page[answers.Image]}, **WORKING, **failures(422)})
async def list_images(server: Shared, listing: Annotated[Listing, Query()]) -> JsonResponse:
    """All findable images in pages: sorted, or in a random order that is reproducible by its seed."""
    dates: dict[int, str] = {}
    if listing.ids is None and (listing.taken is not None or listing.sort is Sort.TAKEN):
        found = await server.done(server.dates.job)
        if not isinstance(found, Done):
            return found
        dates = found.value["dates"]
    return JsonResponse(await server.collection.read(_page, server, listing, dates))


def _page(
    database: Database, server: Server, listing: Listing, dates: Mapping[int, str]
) -> answers.Page[answers.Image]:
    """A page of images in the requested order. Raises `Problem` for an invalid cursor."""
    rows = Rows.of(server.settings, database)
    if listing.ids is not None:
        chosen = [number for number in map(int, listing.ids.split(",")) if number <= LARGEST_ID]
        shown = chosen[listing.start : listing.start + listing.limit]
        return answers.Page(items=rows.images(database, shown), total=len(chosen), next=None)
    seed = listing.seed if listing.sort is Sort.RANDOM else 0
    folder = None if listing.folder is None else rows.real(listing.folder)
    key = ("order", listing.sort, seed, listing.label, folder, listing.name, listing.taken, len(dates))
    ids_N = server.memory.get(database, key, lambda current: _sorted_ids(current, listing, folder, dates))
    start = min(listing.start, len(ids_N)) if listing.cursor is None else paging.position(listing.cursor, ids_N)
    chosen = ids_N[start : start + listing.limit].tolist()
    return answers.Page(
        items=rows.images(database, chosen), total=len(ids_N), next=paging.after(start + len(chosen), ids_N)
    )


def _sorted_ids(database: Database, listing: Listing, folder: str | None, dates: Mapping[int, str]) -> Ids:
    """Ids (N,) of all images that pass the filters, in order."""
    ids_N = _in_order(database, listing, folder)
    if listing.name is not None:
        names, part = database.store.names(ids_N.tolist()), listing.name.lower()
        ids_N = ids_N[[part in names.get(id_, "").lower() for id_ in ids_N.tolist()]]
    if listing.taken is not None:
        period = taken.period(listing.taken)
        ids_N = ids_N[[period.holds(dates.get(id_, "")) for id_ in ids_N.tolist()]]
    if listing.sort is Sort.TAKEN:  # newest first
        ids_N = np.array(sorted(ids_N.tolist(), key=lambda id_: (dates.get(id_, ""), id_), reverse=True), np.int64)
    return ids_N


def _in_order(database: Database, listing: Listing, folder: str | None) -> Ids:
    is_filtered = listing.label is not None or folder is not None
    passing_N = database.store.passing_ids(Filter(label=listing.label, below=folder)) if is_filtered else None
    if listing.sort is Sort.PATH:
        ids_N = database.store.ids_by_name()
        return ids_N if passing_N is None else ids_N[np.isin(ids_N, passing_N)]
    ids_N = np.asarray(database.codes()[0]) if passing_N is None else passing_N
    if listing.sort is Sort.NEWEST:
        return ids_N[::-1]
    return np.random.default_rng(listing.seed).permutation(ids_N) if listing.sort is Sort.RANDOM else ids_N


@router.get("/{id}", responses={200: {"model": answers.Details}, **failures(404, 422)})
async def get_image(id_: Id, server: Shared) -> JsonResponse:
    """Everything known about an image."""
    with server.collection.use() as database:
        record = await server.record(database, id_)
        about = await _evidence(server, database, record)
        return JsonResponse(Rows.of(server.settings, database).details(record, **about))


async def _evidence(server: Server, database: Database, record: Record) -> dict[str, Any]:
    """What an image's file says of itself; nothing if it cannot be read."""
    try:
        found = await server.decoders.evidence(await server.collection.run(files.read, database.path, record))
    except Problem:
        return {}
    said = found.metadata
    return {
        "taken": said.date or None,
        "camera": said.camera or None,
        "place": said.place,
        "software": said.software or None,
        "depth": found.depth,
        "frames": found.frames,
        "lossless": found.lossless,
    }


@router.get("/{id}/thumbnail", response_class=Response, responses={**binary("image/jpeg"), **failures(404, 422)})
async def get_thumbnail(
    id_: Id,
    server: Shared,
    size: Annotated[
        int, Query(ge=16, le=1024, description="Pixels; rounded up to 64, 128, 256, 512 or 1024.", examples=[256])
    ] = thumbnails.USUAL,
    v: Annotated[
        str | None,
        Query(max_length=64, description="The version, as in the URLs of other answers.", examples=["1.3f2a1b9c"]),
    ] = None,
    matches: Matches = None,
) -> Response:
    """A JPEG of an image, upright, re-encoded from its pixels."""
    side = thumbnails.side_for(size)
    with server.collection.use() as database:
        record = await server.record(database, id_)
        version = thumbnails.version(record)
        headers = {"ETag": f'"{version}-{side}"', "Cache-Control": YEAR if v == version else ASK}
        if _holds(matches, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        content = await server.thumbnails.get(database, record, side)
    return Response(content, media_type="image/jpeg", headers=headers)


@router.get(
    "/{id}/file", response_class=Response,
    responses={**binary(*files.TYPES.values()), **failures(404, 422)},
)  # fmt: skip
async def get_file(id_: Id, server: Shared, matches: Matches = None) -> Response:
    """The image's file, or its row of a table, unchanged; or the original kept by the database."""
    with server.collection.use() as database:
        record = await server.record(database, id_)
        content = await server.collection.run(files.read, database.path, record)
    headers = {"ETag": f'"{files.digest(content)}"', "Cache-Control": ASK}
    if _holds(matches, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    name = clean(record.path).rpartition("/")[2]
    headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(name, safe='')}"
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return Response(content, media_type=files.media_type(content), headers=headers)


def _holds(etags: str | None, tag: str) -> bool:
    return etags is not None and (
        etags.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in etags.split(",")]
    )
