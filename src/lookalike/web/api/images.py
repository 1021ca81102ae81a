"""Images, one by one and in pages; their thumbnails, originals and labels.

Shapes: N images.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from lookalike import answers
from lookalike.core.display import clean
from lookalike.database import Database, Filter
from lookalike.web.api import paging
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import Rows
from lookalike.web.api.schemas import LARGEST_ID, Cursor, Plain, Sort, described
from lookalike.web.http.problems import JsonResponse
from lookalike.web.state import files, thumbnails
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


@router.get("", responses={200: {"model": answers.Page[answers.Image]}, **failures(422)})
async def list_images(server: Shared, listing: Annotated[Listing, Query()]) -> JsonResponse:
    """All findable images in pages: sorted, or in a random order that is reproducible by its seed."""
    return JsonResponse(await server.collection.read(_page, server, listing))


def _page(database: Database, server: Server, listing: Listing) -> answers.Page[answers.Image]:
    """A page of images in the requested order. Raises `Problem` for an invalid cursor."""
    rows = Rows.of(server.settings, database)
    if listing.ids is not None:
        chosen = [number for number in map(int, listing.ids.split(",")) if number <= LARGEST_ID]
        shown = chosen[listing.start : listing.start + listing.limit]
        return answers.Page(items=rows.images(database, shown), total=len(chosen), next=None)
    seed = listing.seed if listing.sort is Sort.RANDOM else 0
    key = ("order", listing.sort, seed, listing.label, listing.folder)
    ids_N = server.memory.get(database, key, lambda current: _sorted_ids(current, listing))
    start = min(listing.start, len(ids_N)) if listing.cursor is None else paging.position(listing.cursor, ids_N)
    chosen = ids_N[start : start + listing.limit].tolist()
    return answers.Page(
        items=rows.images(database, chosen), total=len(ids_N), next=paging.after(start + len(chosen), ids_N)
    )


def _sorted_ids(database: Database, listing: Listing) -> Ids:
    """Ids (N,) of all images that pass the filters, in order."""
    label, below = listing.label, listing.folder
    passing_N = None if label is None and below is None else database.passing(Filter(label=label, below=below))
    if listing.sort is Sort.PATH:
        ids_N = database.ids_by_name()
        return ids_N if passing_N is None else ids_N[np.isin(ids_N, passing_N)]
    ids_N = np.asarray(database.codes()[0]) if passing_N is None else passing_N
    if listing.sort is Sort.NEWEST:
        return ids_N[::-1]
    return ids_N if listing.sort is Sort.ID else np.random.default_rng(listing.seed).permutation(ids_N)


@router.get("/{id}", responses={200: {"model": answers.Details}, **failures(404, 422)})
async def get_image(id_: Id, server: Shared) -> JsonResponse:
    """Everything known about an image."""
    with server.collection.use() as database:
        record = await server.record(database, id_)
        return JsonResponse(Rows.of(server.settings, database).details(record))


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
