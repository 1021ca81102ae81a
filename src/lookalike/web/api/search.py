"""Search by an image, an id or a code; and the code of an image.

Shapes: W bytes a code.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections import ChainMap
from typing import Any, NamedTuple

import numpy as np
from fastapi import APIRouter, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lookalike.core.codes import Codes, to_hex
from lookalike.core.display import clean
from lookalike.core.errors import DatabaseError
from lookalike.duplicates import orientations
from lookalike.imaging.decode import Array
from lookalike.opening import AnyDatabase
from lookalike.web.api import bodies, rows
from lookalike.web.api.bodies import Asked
from lookalike.web.api.schemas import Answer, Code, FileQuery, failures
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import files
from lookalike.web.state.collection import Found, Wanted
from lookalike.web.state.server import Server, Shared
from lookalike.web.state.uploads import Decoded

router = APIRouter(prefix="/api", tags=["search"])


class Understood(NamedTuple):
    """The code of a query, and what it is the code of."""

    code_W: Codes
    id: int | None = None
    image: Decoded | None = None

    def about(self) -> dict[str, Any]:
        image = self.image
        size = (image.width, image.height, image.format) if image else (None, None, None)
        return {
            "code": to_hex(self.code_W),
            "id": self.id,
            **dict(zip(("width", "height", "format"), size, strict=True)),
        }


@router.post(
    "/search",
    responses={200: {"model": Answer}, **failures(404, 413, 415, 422)},
    openapi_extra=bodies.described(),
)
async def search(request: Request, server: Shared) -> JsonResponse:
    """The images that look most like an image file, an image of the database, or a code; the nearest comes first.

    An image of the database is among its own hits.
    """
    began = time.perf_counter()
    async with bodies.read(request) as asked:
        try:
            answer = await _answer(server, asked, began)
        except DatabaseError:
            await server.collection.refresh()  # perhaps it was replaced, or indexed with another model, a moment ago
            answer = await _answer(server, asked, began)
    return JsonResponse(answer)


class _Lane:
    """Searches without FastAPI's machinery, which takes longer than a search: the same function, called at once."""

    path = "/api/search"

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # as FastAPI does; metrics are kept by route
        response = await search(Request(scope, receive), self._server)
        await response(scope, receive, send)


def lane(server: Server) -> Route:
    """The route of searches, to stand before the one that describes it."""
    return Route(_Lane.path, endpoint=_Lane(server), methods=["POST"])


@router.post(
    "/encode",
    responses={200: {"model": Code}, **failures(413, 415, 422)},
    openapi_extra=bodies.described_file(),
)
async def encode(request: Request, server: Shared) -> JsonResponse:
    """The code of an image file; nothing is stored."""
    async with bodies.image(request) as asked:
        with server.collection.use() as database:
            found = await _from_file(server, database, asked)
            name, bits = database.hasher.name, database.bits
    about = found.about()
    del about["id"]
    return JsonResponse({**about, "bits": bits, "model": name})


async def _answer(server: Server, asked: Asked, began: float) -> dict[str, Any]:
    query = asked.query
    with server.collection.use() as database:
        understood = await _understood(server, database, asked)
        array = None
        if query.turned:
            array = (understood.image or await _indexed(server, database, understood.id)).array
        start = time.perf_counter()
        wanted = Wanted(database, query.top, query.radius, query.only)
        turns: dict[int, str] = {}
        if isinstance(query, FileQuery) and query.asymmetric and understood.image is not None:
            found = await server.collection.run(_asymmetric, database, understood.image.array, query)
        elif array is not None:
            found, turns = await _turned(server, array, wanted)
        else:
            found = await server.collection.search(understood.code_W, wanted)
        server.metrics.search_seconds.observe(time.perf_counter() - start)
    return {
        "query": understood.about(),
        "hits": [rows.hit(hit, found.records[hit.id], turns.get(hit.id, "")) for hit in found.hits],
        "images": found.images,
        "bits": 8 * len(understood.code_W),
        "seconds": round(time.perf_counter() - began, 6),
    }


def _asymmetric(database: AnyDatabase, array: Array, query: FileQuery) -> Found:
    hits, records = database.search_asymmetric_records(array, top=query.top, only=query.only)
    return Found(hits, records, len(database))


async def _turned(server: Server, array: Array, wanted: Wanted) -> tuple[Found, dict[int, str]]:
    """What looks like an image in any orientation, and in which, by id."""
    codes_OW = await server.collection.run(orientations.encode, wanted.database.hasher, array)
    found = await asyncio.gather(*(server.collection.search(code_W, wanted) for code_W in codes_OW))
    (merged,) = orientations.merged([one.hits for one in found], top=wanted.top)
    records = ChainMap(*(dict(one.records) for one in found))
    return Found([hit for hit, _ in merged], records, found[0].images), {hit.id: turn for hit, turn in merged}


async def _understood(server: Server, database: AnyDatabase, asked: Asked) -> Understood:
    if asked.file is not None:
        return await _from_file(server, database, asked)
    if asked.query.id is not None:
        return await _from_id(server, database, asked.query.id)
    return Understood(_from_hex(asked.query.code or "", database.bits))


async def _from_file(server: Server, database: AnyDatabase, asked: Asked) -> Understood:
    asked.content.seek(0)
    hasher = database.hasher
    found = await server.decoders.array(asked.content, asked.length, hasher.spec)
    code_W = await server.collection.run(_encode, database, found.array)
    return Understood(code_W, image=found)


def _encode(database: AnyDatabase, array: Array) -> Codes:
    code_W: Codes = database.hasher.encode_arrays(array[None])[0]
    return code_W


async def _from_id(server: Server, database: AnyDatabase, id_: int) -> Understood:
    record = await server.record(database, id_)
    if record.code is None:
        raise Problem(422, f"image {id_} has no code ({clean(record.error or 'it is to be indexed again')})")
    return Understood(np.frombuffer(record.code, np.uint8), id_)


async def _indexed(server: Server, database: AnyDatabase, id_: int | None) -> Decoded:
    """An image of the database as its model takes it."""
    record = await server.record(database, id_ or 0)
    content = await server.collection.run(files.read, database.path, record)
    if files.digest(content) != (record.digest or b"").hex():
        raise Problem(404, f"the file of image {record.id} has changed since it was indexed; index it again")
    return await server.decoders.array(io.BytesIO(content), len(content), database.hasher.spec)


def _from_hex(text: str, bits: int) -> Codes:
    if 4 * len(text) != bits:
        raise Problem(422, f"the code has {4 * len(text)} bits; those of this database have {bits}")
    return np.frombuffer(bytes.fromhex(text), np.uint8)
