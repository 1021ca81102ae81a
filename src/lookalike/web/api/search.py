"""Search by images, ids or a code, and encoding of an image.

Shapes: W bytes a code, K bits.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Annotated, Any, BinaryIO, NamedTuple, cast

import numpy as np
from fastapi import APIRouter, File, Request, UploadFile
from starlette.responses import Response
from starlette.routing import Route

from lookalike import answers
from lookalike.core.codes import Codes, hamming, to_hex
from lookalike.core.display import clean
from lookalike.core.errors import DatabaseError
from lookalike.database import Database, taken
from lookalike.database.search import Found, QueryImage, query_of_record
from lookalike.imaging.decode import Decoded
from lookalike.verification.looks import CLOSE
from lookalike.web.api import bodies, images
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import Rows, counts
from lookalike.web.api.schemas import FileQuery, IdOrCode, Options
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state.collection import SearchRequest, SearchResult
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api/v1", tags=["search"])
PREVIEW = 1024  # pixels a side
BLOCK = 1 << 20  # codes whose distances are counted at once
NAMED = 200  # characters of a file's name that are returned


class ParsedQuery(NamedTuple):
    """A query, and its source."""

    query: QueryImage
    name: str = ""
    image: Decoded | None = None

    def describe(self) -> answers.Query:
        about = {name: getattr(self.image, name, None) for name in ("width", "height", "format")}
        record = self.query.record
        return answers.Query(code=to_hex(self.query.code_W), id=None if record is None else record.id, **about)


@router.post(
    "/search",
    responses={200: {"model": answers.Answers}, **failures(404, 413, 415, 422)},
    openapi_extra=bodies.DESCRIPTION,
)
async def search(request: Request, server: Shared) -> JsonResponse:
    """Copies of image files or images of the database, other shots of their scenes, and similar images.

    There is one answer for each image. An image of the database is among its own hits. A code finds the nearest images,
    which cannot be verified.
    """
    began = time.perf_counter()
    async with bodies.parse(request, FileQuery, IdOrCode) as query:
        try:
            found = await _answers(server, query, began)
        except DatabaseError:
            await server.collection.refresh()  # it may just have been replaced, or indexed with another model
            found = await _answers(server, query, began)
    return JsonResponse(found)


def fast_route(server: Server) -> Route:
    """A route to `search` without FastAPI's overhead, which would take longer than a search."""

    async def endpoint(request: Request) -> JsonResponse:
        request.scope["route"] = route  # the metrics count requests by route
        return await search(request, server)

    route = Route("/api/v1/search", endpoint, methods=["POST"])
    return route


@router.post("/encode", responses={200: {"model": answers.Code}, **failures(413, 415, 422)})
async def encode(file: Annotated[UploadFile, File(description="An image file.")], server: Shared) -> JsonResponse:
    """The code of an image file, which is not stored."""
    with server.collection.use() as database:
        parsed = await from_file(server, database, file, verify=False)
        name, bits = database.hasher.name, database.bits
    about, image = parsed.describe(), cast("Decoded", parsed.image)
    return JsonResponse(
        answers.Code(
            code=about.code, bits=bits, model=name, width=image.width, height=image.height, format=image.format
        )
    )


@router.post("/preview", response_class=Response, responses={**images.binary("image/jpeg"), **failures(413, 415, 422)})
async def preview(image: Annotated[UploadFile, File(description="An image file.")], server: Shared) -> Response:
    """A JPEG of an image file as the server decodes it, at most 1,024 pixels a side, for formats no browser shows."""
    content = await server.collection.run(content_of, image.file)
    jpeg = await server.decoders.thumbnail(content, PREVIEW, server.settings.max_pixels)
    return Response(jpeg, media_type="image/jpeg")


async def _answers(server: Server, query: FileQuery | IdOrCode, began: float) -> answers.Answers:
    with server.collection.use() as database:
        sources: list[Any] = query.image if isinstance(query, FileQuery) else query.ids or [query.id]
        is_alone = len(sources) == 1
        found = await asyncio.gather(
            *(_answer(server, database, query, source, is_alone=is_alone) for source in sources)
        )
        return answers.Answers(
            answers=[answer for answer, _ in found], images=max(images for _, images in found), bits=database.bits,
            seconds=round(time.perf_counter() - began, 6),
        )  # fmt: skip


async def _answer(
    server: Server, database: Database, query: FileQuery | IdOrCode, source: Any, *, is_alone: bool
) -> tuple[answers.Answer, int]:
    """The answer for one image, and the number of images searched. Raises `Problem` if it was the only one."""
    try:
        parsed = await _parsed(server, database, query, source)
    except Problem as problem:
        if is_alone or not isinstance(query, FileQuery):
            raise
        nothing = answers.Answer(
            name=name_of(source),
            query=None,
            counts=counts([]),
            hits=[],
            histogram=None,
            unverified=0,
            error=str(problem),
        )
        return nothing, 0
    rows, only = Rows.of(server.settings, database), query.filter
    if only is not None and only.below is not None:
        only = replace(only, below=rows.real(only.below))
    request = SearchRequest(database, query.top, query.radius, only)
    start = time.perf_counter()
    found = await _found(server, query, parsed.query, request)
    server.metrics.search_seconds.observe(time.perf_counter() - start)
    code_W = parsed.query.code_W
    histogram = await server.collection.run(_histogram, database, code_W) if query.histogram else None
    answer = answers.Answer(
        name=parsed.name, query=parsed.describe(), counts=counts(found.hits),
        hits=rows.hits(found.hits, found.records, fold=query.fold),
        histogram=histogram, unverified=found.unverified,
    )  # fmt: skip
    return answer, found.images


async def _found(server: Server, query: Options, image: QueryImage, request: SearchRequest) -> SearchResult:
    collection = server.collection
    verify = query.verify and bool(image.frames or image.record)
    if isinstance(query, FileQuery) and query.asymmetric:
        return await collection.run(_asymmetric, image, request, query.verify)
    if query.taken is None:
        if verify:
            return await collection.search_verified(image, request)
        return await collection.search(image.code_W, request)
    loop = asyncio.get_running_loop()

    images = 0

    def find(top: int) -> Found:
        nonlocal images
        more = request._replace(top=top)
        work = collection.search_verified(image, more) if verify else collection.search(image.code_W, more)
        hits, records, images, unverified = asyncio.run_coroutine_threadsafe(work, loop).result()
        return Found(hits, records, unverified)

    period = taken.period(query.taken)
    (hits, records, unverified), _ = await collection.run(
        lambda: taken.within(period, find, server.decoders, top=query.top, verify=verify)
    )
    return SearchResult(hits, records, images, unverified)


def _asymmetric(query: QueryImage, request: SearchRequest, verify: bool) -> SearchResult:
    database = request.database
    found = database.search_asymmetric_records(query, top=request.top, only=request.only, verify=verify)
    return SearchResult(found.hits, found.records, len(database), found.unverified)


def _histogram(database: Database, code_W: Codes) -> list[int]:
    """The number of images at each distance from a code, (K + 1,)."""
    codes_NW, counts_K = database.codes()[1], np.zeros(database.bits + 1, np.int64)
    for start in range(0, len(codes_NW), BLOCK):
        counts_K += np.bincount(hamming(code_W[None], codes_NW[start : start + BLOCK])[0], minlength=len(counts_K))
    return [int(count) for count in counts_K]


async def _parsed(server: Server, database: Database, query: FileQuery | IdOrCode, source: Any) -> ParsedQuery:
    if isinstance(query, FileQuery):
        return await from_file(server, database, source, verify=query.verify)
    if query.code is not None:
        return ParsedQuery(QueryImage(_from_hex(query.code, database.bits)))
    found = await _from_id(server, database, source, verify=query.verify)
    return ParsedQuery(found, clean(found.record.path) if found.record is not None else "")


async def from_file(server: Server, database: Database, upload: UploadFile, *, verify: bool) -> ParsedQuery:
    """An uploaded image as a query. Raises `Problem` if it cannot be decoded."""
    found, frames, digest = await server.decoders.decode(upload.file, database.hasher.spec, CLOSE if verify else 0)
    codes_NW = await server.collection.run(database.hasher.encode_arrays, found.array[None])
    size = (found.width, found.height)
    source = await server.collection.run(content_of, upload.file) if verify else None
    return ParsedQuery(QueryImage(codes_NW[0], found.array, frames, digest, size, source), name_of(upload), found)


def name_of(upload: UploadFile) -> str:
    """The name of an uploaded file, for display."""
    return clean(upload.filename or "")[:NAMED]


def content_of(file: BinaryIO) -> bytes:
    """The bytes of an uploaded file."""
    file.seek(0)
    return file.read()


async def _from_id(server: Server, database: Database, id_: int, *, verify: bool) -> QueryImage:
    record = await server.record(database, id_)
    if record.code is None:
        raise Problem(422, f"image {id_} has no code ({clean(record.error or 'index it again')})")
    if verify:
        return await server.collection.run(query_of_record, record, database.verifier)
    return QueryImage(np.frombuffer(record.code, np.uint8), record=record)


def _from_hex(text: str, bits: int) -> Codes:
    if 4 * len(text) != bits:
        raise Problem(422, f"the code has {4 * len(text)} bits; this database has codes of {bits} bits")
    return np.frombuffer(bytes.fromhex(text), np.uint8)
