"""Search by image, id or code, and encoding of an image.

Shapes: W bytes a code.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections import ChainMap
from typing import Annotated, Any, BinaryIO, NamedTuple

import numpy as np
from fastapi import APIRouter, File, Request, UploadFile
from starlette.routing import Route

from lookalike.core.codes import Codes, to_hex
from lookalike.core.display import clean
from lookalike.core.errors import DatabaseError
from lookalike.database import Database
from lookalike.duplicates import orientations
from lookalike.imaging.decode import Array, Decoded
from lookalike.web.api import bodies, rows
from lookalike.web.api.schemas import Answer, Code, FileQuery, IdOrCode, failures
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import files
from lookalike.web.state.collection import SearchRequest, SearchResult
from lookalike.web.state.server import Server, Shared

router = APIRouter(prefix="/api", tags=["search"])


class ParsedQuery(NamedTuple):
    """The code of a query, and its source."""

    code_W: Codes
    id: int | None = None
    image: Decoded | None = None

    def describe(self) -> dict[str, Any]:
        about = {name: getattr(self.image, name, None) for name in ("width", "height", "format")}
        return {"code": to_hex(self.code_W), "id": self.id, **about}


@router.post(
    "/search", responses={200: {"model": Answer}, **failures(404, 413, 415, 422)}, openapi_extra=bodies.DESCRIPTION
)
async def search(request: Request, server: Shared) -> JsonResponse:
    """The images most similar to an image file, an image of the database, or a code; nearest first.

    An image of the database is among its own hits.
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
        parsed = await _from_file(server, database, file.file)
        name, bits = database.hasher.name, database.bits
    about = parsed.describe()
    del about["id"]
    return JsonResponse({**about, "bits": bits, "model": name})


async def _answer(server: Server, query: FileQuery | IdOrCode, began: float) -> dict[str, Any]:
    with server.collection.use() as database:
        parsed = await _parsed(server, database, query)
        request = SearchRequest(database, query.top, query.radius, query.filter)
        start = time.perf_counter()
        turns: dict[int, str] = {}
        if isinstance(query, FileQuery) and query.asymmetric and parsed.image is not None:
            found = await server.collection.run(_asymmetric, parsed.image.array, request)
        elif query.turned:
            array = (parsed.image or await _indexed(server, database, parsed.id)).array
            found, turns = await _turned(server, array, request)
        else:
            found = await server.collection.search(parsed.code_W, request)
        server.metrics.search_seconds.observe(time.perf_counter() - start)
    return {
        "query": parsed.describe(),
        "hits": [rows.hit(hit, found.records[hit.id], turns.get(hit.id, "")) for hit in found.hits],
        "images": found.images,
        "bits": 8 * len(parsed.code_W),
        "seconds": round(time.perf_counter() - began, 6),
    }


def _asymmetric(array: Array, request: SearchRequest) -> SearchResult:
    database = request.database
    hits, records = database.search_asymmetric_records(array, top=request.top, only=request.only)
    return SearchResult(hits, records, len(database))


async def _turned(server: Server, array: Array, request: SearchRequest) -> tuple[SearchResult, dict[int, str]]:
    """The hits of an image in any orientation, and the orientation of each, by id."""
    codes_OW = await server.collection.run(orientations.encode, request.database.hasher, array)
    found = await asyncio.gather(*(server.collection.search(code_W, request) for code_W in codes_OW))
    (merged,) = orientations.merged([one.hits for one in found], top=request.top)
    records = ChainMap(*(dict(one.records) for one in found))
    return SearchResult([hit for hit, _ in merged], records, found[0].images), {hit.id: turn for hit, turn in merged}


async def _parsed(server: Server, database: Database, query: FileQuery | IdOrCode) -> ParsedQuery:
    if isinstance(query, FileQuery):
        return await _from_file(server, database, query.file.file)
    if query.id is not None:
        return await _from_id(server, database, query.id)
    return ParsedQuery(_from_hex(query.code or "", database.bits))


async def _from_file(server: Server, database: Database, file: BinaryIO) -> ParsedQuery:
    decoded = await server.decoders.array(file, database.hasher.spec)
    codes_NW = await server.collection.run(database.hasher.encode_arrays, decoded.array[None])
    return ParsedQuery(codes_NW[0], image=decoded)


async def _from_id(server: Server, database: Database, id_: int) -> ParsedQuery:
    record = await server.record(database, id_)
    if record.code is None:
        raise Problem(422, f"image {id_} has no code ({clean(record.error or 'index it again')})")
    return ParsedQuery(np.frombuffer(record.code, np.uint8), id_)


async def _indexed(server: Server, database: Database, id_: int | None) -> Decoded:
    """An image of the database, decoded for its model."""
    record = await server.record(database, id_ or 0)
    content = await server.collection.run(files.read, database.path, record)
    if files.digest(content) != (record.digest or b"").hex():
        raise Problem(404, f"the file of image {record.id} has changed since it was indexed; index it again")
    return await server.decoders.array(io.BytesIO(content), database.hasher.spec)


def _from_hex(text: str, bits: int) -> Codes:
    if 4 * len(text) != bits:
        raise Problem(422, f"the code has {4 * len(text)} bits; this database has codes of {bits} bits")
    return np.frombuffer(bytes.fromhex(text), np.uint8)
