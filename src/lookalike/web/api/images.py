"""Images, one by one and in pages; their thumbnails, originals and labels.

Shapes: N images.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from lookalike.core.display import clean
from lookalike.database import Database, Filter
from lookalike.web.api import rows
from lookalike.web.api.failures import failures
from lookalike.web.api.schemas import LARGEST_ID, Details, Labels, Page, Plain, Sort
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import files, thumbnails
from lookalike.web.state.collection import RevisionCache
from lookalike.web.state.server import Shared

router = APIRouter(prefix="/api", tags=["images"])
Ids = npt.NDArray[np.int64]
CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,19})")
Id = Annotated[int, Path(alias="id", ge=1, le=LARGEST_ID, description="The image's id in the database.", examples=[1])]
Matches = Annotated[str | None, Header(alias="If-None-Match", description="The ETag of the cached copy.")]
YEAR = "private, max-age=31536000, immutable"
ASK = "private, no-cache"  # may be cached, but must be revalidated


def _binary(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """A binary response, for the OpenAPI document."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    unchanged = {"description": "The cached copy is current."}
    return {200: {"content": content, "description": "The image."}, 304: unchanged}


class Listing(BaseModel):
    """Which images to list, and in which order."""

    sort: Annotated[Sort, Field(description="newest: most recently indexed first.")] = Sort.ID
    label: Annotated[Plain | None, Field(description="Only images with this label.")] = None
    below: Annotated[Plain | None, Field(description="Only images in this folder of the server.")] = None
    ids: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]{1,19}(,[0-9]{1,19})*$", max_length=20_000, description="Only these images, in this order.",
            examples=["3,1,2"],
        ),
    ] = None  # fmt: skip
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="Seed of the order `random`.")] = 0
    start: Annotated[
        int, Field(ge=0, le=LARGEST_ID, description="Number of images to skip; an alternative to a cursor.")
    ] = 0
    top: Annotated[int, Field(ge=1, le=1000, description="Maximum number of images.")] = 100
    cursor: Annotated[str | None, Field(max_length=60, description="`next` of the previous page.")] = None


@router.get("/images", responses={200: {"model": Page}, **failures(422)})
async def images(server: Shared, listing: Annotated[Listing, Query()]) -> JsonResponse:
    """All findable images in pages: sorted, or in a random order that is reproducible by its seed."""
    work = _page if listing.ids is None else _named
    return JsonResponse(await server.collection.read(work, server.memory, listing))


def _page(database: Database, memory: RevisionCache, listing: Listing) -> dict[str, Any]:
    """A page of images in the requested order. Raises `Problem` for an invalid cursor.

    A cursor has the position and the last image of its page, so added or removed images neither repeat nor hide others.
    """
    seed = listing.seed if listing.sort is Sort.RANDOM else 0
    key = ("order", listing.sort, seed, listing.label, listing.below)
    ids_N = memory.get(database, key, lambda current: _sorted_ids(current, listing))
    at = min(listing.start, len(ids_N)) if listing.cursor is None else _position(ids_N, listing.cursor)
    chosen = ids_N[at : at + listing.top].tolist()
    end = at + len(chosen)
    following = f"{end}-{chosen[-1]}" if chosen and end < len(ids_N) else None
    return {"images": _rows(database, chosen), "total": len(ids_N), "next": following}


def _named(database: Database, memory: RevisionCache, listing: Listing) -> dict[str, Any]:
    """The images in `ids`; unknown ids are omitted."""
    chosen = [number for number in map(int, (listing.ids or "").split(",")) if number <= LARGEST_ID]
    shown = _rows(database, chosen[listing.start : listing.start + listing.top])
    return {"images": shown, "total": len(chosen), "next": None}


def _sorted_ids(database: Database, listing: Listing) -> Ids:
    """Ids (N,) of all images that pass the filters, in order."""
    label, below = listing.label, listing.below
    passing_N = None if label is None and below is None else database.passing(Filter(label=label, below=below))
    if listing.sort is Sort.NAME:
        ids_N = database.ids_by_name()
        return ids_N if passing_N is None else ids_N[np.isin(ids_N, passing_N)]
    ids_N = np.asarray(database.codes()[0]) if passing_N is None else passing_N
    if listing.sort is Sort.NEWEST:
        return ids_N[::-1]
    return ids_N if listing.sort is Sort.ID else np.random.default_rng(listing.seed).permutation(ids_N)


def _rows(database: Database, ids: list[int]) -> list[dict[str, Any]]:
    records = database.records_of(ids)
    return [rows.image(records[id_]) for id_ in ids if id_ in records]  # the others have just been removed


def _position(ids_N: Ids, cursor: str) -> int:
    """Start of the page after a cursor: after the image it names, or, if that is gone, at the same position."""
    match = CURSOR.fullmatch(cursor)
    if match is None or int(match[2]) > LARGEST_ID:
        raise Problem(422, f"cursor is {cursor[:40]!r}; pass the `next` of the previous page, or none")
    at, last = int(match[1]), int(match[2])
    if 0 < at <= len(ids_N) and ids_N[at - 1] == last:
        return at
    positions = np.flatnonzero(ids_N == last)
    return int(positions[0]) + 1 if len(positions) else min(at, len(ids_N))


@router.get("/images/{id}", responses={200: {"model": Details}, **failures(404, 422)})
async def image(id_: Id, server: Shared) -> JsonResponse:
    """Everything known about an image."""
    with server.collection.use() as database:
        return JsonResponse(rows.details(await server.record(database, id_)))


@router.get(
    "/images/{id}/thumbnail", response_class=Response, responses={**_binary("image/jpeg"), **failures(404, 422)}
)
async def thumbnail(
    id_: Id,
    server: Shared,
    size: Annotated[
        int, Query(ge=16, le=1024, description="Pixels; rounded up to 64, 128, 256, 512 or 1024.")
    ] = thumbnails.USUAL,
    v: Annotated[str | None, Query(max_length=64, description="The version, as in the URLs of other answers.")] = None,
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
    "/images/{id}/original", response_class=Response,
    responses={**_binary(*files.TYPES.values()), **failures(404, 422)},
)  # fmt: skip
async def original(id_: Id, server: Shared, matches: Matches = None) -> Response:
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


@router.get("/labels", responses={200: {"model": Labels}, **failures()})
async def labels(server: Shared) -> JsonResponse:
    """The labels, with the number of images of each."""
    return JsonResponse({"labels": await server.collection.read(server.memory.get, "labels", Database.labels)})


def _holds(etags: str | None, tag: str) -> bool:
    return etags is not None and (
        etags.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in etags.split(",")]
    )
