"""Search by image, id or code, and encoding of an image.

Shapes: W bytes a code.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, BinaryIO, NamedTuple

import numpy as np
from fastapi import APIRouter, File, Request, UploadFile
from starlette.routing import Route

from lookalike.core.codes import Codes, to_hex
from lookalike.core.display import clean
from lookalike.core.errors import DatabaseError
from lookalike.database import Database
from lookalike.database.search import QueryImage, query_of_record
from lookalike.imaging.decode import Decoded
from lookalike.verification.looks import CLOSE
from lookalike.web.api import bodies, rows
from lookalike.web.api.failures import failures
from lookalike.web.api.schemas import Answer, Code, FileQuery, IdOrCode
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state.collection import SearchRequest, SearchResult
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api", tags=["search"])


class _ParsedQuery(NamedTuple):
    """A query, and its source."""

    query: QueryImage
    image: Decoded | None = None

    def describe(self) -> dict[str, Any]:
        about = {name: getattr(self.image, name, None) for name in ("width", "height", "format")}
        record = self.query.record
        return {"code": to_hex(self.query.code_W), "id": None if record is None else record.id, **about}


@router.post(
    "/search", responses={200: {"model": Answer}, **failures(404, 413, 415, 422)}, openapi_extra=bodies.DESCRIPTION
)
async def search(request: Request, server: Shared) -> JsonResponse:
    """Copies of an image file or an image of the database, other shots of its scene, and similar images.

    An image of the database is among its own hits. A code finds the nearest images, which cannot be verified.
    """
    began = time.perf_counter()
    async with bodies.parse(request) as query:
        try:
            answer = await _answer(server, query, began)
        except DatabaseError:
            await server.collection.refresh()  # it may just have been replaced, or indexed with another model
            answer = await _answer(server, query, began)
    return JsonResponse(answer)


def fast_route(server: Server) -> Route:
    """A route to `search` without FastAPI's overhead, which would take longer than a search."""

    async def endpoint(request: Request) -> JsonResponse:
        request.scope["route"] = route  # the metrics count requests by route
        return await search(request, server)

    route = Route("/api/search", endpoint, methods=["POST"])
    return route


@router.post("/encode", responses={200: {"model": Code}, **failures(413, 415, 422)})
async def encode(file: Annotated[UploadFile, File(description="An image file.")], server: Shared) -> JsonResponse:
    """The code of an image file, which is not stored."""
    with server.collection.use() as database:
        parsed = await _from_file(server, database, file.file, verify=False)
        name, bits = database.hasher.name, database.bits
    about = parsed.describe()
    del about["id"]
    return JsonResponse({**about, "bits": bits, "model": name})


async def _answer(server: Server, query: FileQuery | IdOrCode, began: float) -> dict[str, Any]:
    with server.collection.use() as database:
        parsed = await _parsed(server, database, query)
        request = SearchRequest(database, query.top, query.radius, query.filter)
        start = time.perf_counter()
        if isinstance(query, FileQuery) and query.asymmetric:
            found = await server.collection.run(_asymmetric, parsed.query, request, query.verify)
        elif query.verify and (parsed.query.frames or parsed.query.record):
            found = await server.collection.search_verified(parsed.query, request)
        else:
            found = await server.collection.search(parsed.query.code_W, request)
        server.metrics.search_seconds.observe(time.perf_counter() - start)
    return {
        "query": parsed.describe(),
        "hits": [rows.hit(hit, found.records[hit.id]) for hit in found.hits],
        "images": found.images,
        "unverified": found.unverified,
        "bits": 8 * len(parsed.query.code_W),
        "seconds": round(time.perf_counter() - began, 6),
    }


def _asymmetric(query: QueryImage, request: SearchRequest, verify: bool) -> SearchResult:
    database = request.database
    found = database.search_asymmetric_records(query, top=request.top, only=request.only, verify=verify)
    return SearchResult(found.hits, found.records, len(database), found.unverified)


async def _parsed(server: Server, database: Database, query: FileQuery | IdOrCode) -> _ParsedQuery:
    if isinstance(query, FileQuery):
        return await _from_file(server, database, query.file.file, verify=query.verify)
    if query.id is not None:
        return _ParsedQuery(await _from_id(server, database, query.id, verify=query.verify))
    return _ParsedQuery(QueryImage(_from_hex(query.code or "", database.bits)))


async def _from_file(server: Server, database: Database, file: BinaryIO, *, verify: bool) -> _ParsedQuery:
    found, frames, digest = await server.decoders.decode(file, database.hasher.spec, CLOSE if verify else 0)
    codes_NW = await server.collection.run(database.hasher.encode_arrays, found.array[None])
    size = (found.width, found.height)
    source = await server.collection.run(_content, file) if verify else None
    return _ParsedQuery(QueryImage(codes_NW[0], found.array, frames, digest, size, source), found)


def _content(file: BinaryIO) -> bytes:
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
