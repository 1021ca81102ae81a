"""Images one by one and page by page, their thumbnails and originals, and their labels."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import Response

from lookalike.core.display import clean
from lookalike.web.api import rows
from lookalike.web.api.schemas import LARGEST_ID, Details, Labels, Page, Plain, Sort, failures
from lookalike.web.http.problems import JsonResponse
from lookalike.web.state import browsing, files, thumbnails
from lookalike.web.state.server import Shared
from lookalike.web.state.thumbnails import USUAL

router = APIRouter(prefix="/api", tags=["images"])
Id = Annotated[
    int, Path(alias="id", ge=1, le=LARGEST_ID, description="An image's number in the database.", examples=[1])
]
Matches = Annotated[str | None, Header(alias="If-None-Match", description="The ETag of what is there already.")]
YEAR = "private, max-age=31536000, immutable"
ASK = "private, no-cache"  # may be kept, but the server is asked whether it still holds


def binary(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """An answer of bytes, for the OpenAPI document."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    unchanged = {"description": "What is there already still holds."}
    return {200: {"content": content, "description": "The image."}, 304: unchanged}


@router.get("/images", responses={200: {"model": Page}, **failures(422)})
async def images(
    server: Shared,
    sort: Annotated[Sort, Query(description="newest: those indexed last first.")] = Sort.ID,
    label: Annotated[Plain | None, Query(description="Only images with this label.")] = None,
    below: Annotated[Plain | None, Query(description="Only images below this folder of the server's machine.")] = None,
    ids: Annotated[
        str | None,
        Query(
            pattern=r"^[0-9]{1,19}(,[0-9]{1,19})*$",
            max_length=20_000,
            description="Only these, in this order.",
            examples=["3,1,2"],
        ),
    ] = None,
    seed: Annotated[int, Query(ge=0, le=2**32 - 1, description="Of the order `random`.")] = 0,
    start: Annotated[int, Query(ge=0, le=LARGEST_ID, description="How many to pass over, in place of a cursor.")] = 0,
    top: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
    cursor: Annotated[str | None, Query(max_length=60, description="`next` of the page before.")] = None,
) -> JsonResponse:
    """The images that can be found, page by page: sorted, or in a random order that is the same for the same seed."""

    def work(database: Any) -> browsing.Slice:
        if ids is not None:
            return browsing.named(database, ids, start=start, top=top)
        order = browsing.Order(sort, seed if sort is Sort.RANDOM else 0, label, below)
        return browsing.page(database, server.memory, order, cursor=cursor, start=start, top=top)

    found = await server.collection.read(work)
    return JsonResponse(
        {"images": [rows.image(one) for one in found.records], "total": found.total, "next": found.next}
    )


@router.get("/images/{id}", responses={200: {"model": Details}, **failures(404, 422)})
async def image(id_: Id, server: Shared) -> JsonResponse:
    """All that is known of an image."""
    with server.collection.use() as database:
        return JsonResponse(rows.details(await server.record(database, id_)))


@router.get(
    "/images/{id}/thumbnail",
    response_class=Response,
    responses={**binary("image/jpeg"), **failures(404, 422)},
)
async def thumbnail(
    id_: Id,
    server: Shared,
    size: Annotated[int, Query(ge=16, le=1024, description="Pixels; the next of 64, 128, 256, 512, 1024.")] = USUAL,
    v: Annotated[str | None, Query(max_length=64, description="As in the URLs that answers hold.")] = None,
    matches: Matches = None,
) -> Response:
    """A JPEG of an image, upright, made anew from its pixels."""
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
    "/images/{id}/original",
    response_class=Response,
    responses={**binary(*files.TYPES.values()), **failures(404, 422)},
)
async def original(id_: Id, server: Shared, matches: Matches = None) -> Response:
    """The image's file, or its row of a table, as it is; or the original that the database keeps."""
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
    """The labels of the images, and how many have each."""

    def work(database: Any) -> dict[str, int]:
        return server.memory.get(database, "labels", lambda held: held.labels())

    return JsonResponse({"labels": await server.collection.read(work)})


def _holds(given: str | None, tag: str) -> bool:
    return given is not None and (
        given.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in given.split(",")]
    )
