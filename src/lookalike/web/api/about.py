"""What the server serves: the database, the model, what each bit reacts to; and whether it is well."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from PIL import Image
from starlette.responses import Response

from lookalike import __version__
from lookalike.calibration.stored import Calibration
from lookalike.core.codes import MAX_BITS
from lookalike.core.display import clean
from lookalike.hasher import Decoder
from lookalike.imaging.decode import Array
from lookalike.opening import AnyDatabase
from lookalike.web.api import bodies, rows
from lookalike.web.api.groups import WORKING
from lookalike.web.api.schemas import Bit, Info, Live, Model, Status, failures
from lookalike.web.http.problems import JsonResponse, Problem
from lookalike.web.state import model as models
from lookalike.web.state.jobs import Done
from lookalike.web.state.server import Shared

PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}

router = APIRouter(tags=["about"])


@router.get("/api/info", responses={200: {"model": Info}, **failures()})
async def info(server: Shared) -> JsonResponse:
    """What the database holds, what distances mean, and what the server allows."""

    def work(database: AnyDatabase) -> dict[str, Any]:
        return server.memory.get(database, "info", _info)

    settings = server.settings
    allowed = {"write": settings.write, "max_body": settings.max_body, "max_pixels": settings.max_pixels}
    return JsonResponse({**await server.collection.read(work), **allowed, "version": __version__})


@router.get("/api/model", responses={200: {"model": Model}, **failures()})
async def model(server: Shared) -> JsonResponse:
    """The model that made the codes: its card, θ, and how its bits are used here."""

    def work(database: AnyDatabase) -> dict[str, Any]:
        return server.memory.get(database, "model", models.describe)

    return JsonResponse(await server.collection.read(work))


@router.get("/api/model/bits/{bit}", responses={200: {"model": Bit}, **WORKING, **failures(404, 422)})
async def bit(
    server: Shared,
    bit: Annotated[int, Path(ge=0, lt=MAX_BITS, description="Counted from 0.", examples=[0])],
    top: Annotated[int, Query(ge=1, le=50, description="How many images of each kind at most.")] = 12,
) -> JsonResponse:
    """What a bit reacts to: of some hundred images those that are furthest from θ, on either side."""
    decode = server.decoder()
    with server.collection.use() as database:
        if bit >= database.bits:
            raise Problem(404, f"there is no bit {bit}; the codes have {database.bits}")
        found = await server.done("bits", lambda held, report: models.looks(held, report, decode=decode))
        if not isinstance(found, Done):
            return found
        seen: models.Looks = found.value
        high, low = models.extremes(seen, bit, top)
        records = await server.collection.run(database.records_of, high + low)
    shown = {
        name: [rows.image(records[id_]) for id_ in ids if id_ in records]
        for name, ids in (("top", high), ("bottom", low))
    }
    return JsonResponse({"bit": bit, "by": seen.by, "looked_at": len(seen.ids_N), **shown})


@router.post(
    "/api/reconstruct",
    response_class=Response,
    responses={200: {"content": PNG, "description": "The picture."}, **failures(404, 413, 415, 422)},
    openapi_extra=bodies.described_file(),
)
async def reconstruct(request: Request, server: Shared) -> Response:
    """What the model's decoder draws from the latents of an image file, as a grey PNG; nothing is stored.

    It has the model's size, whatever the image's shape. 404: this model has no decoder.
    """
    async with bodies.image(request) as asked:
        with server.collection.use() as database:
            decoder = await server.collection.run(server.memory.get, database, "decoder", _decoder)
            if decoder is None:
                raise Problem(404, f"{database.hasher.name} has no decoder, so nothing can be drawn from its latents")
            asked.content.seek(0)
            found = await server.decoders.array(asked.content, asked.length, database.hasher.spec)
            return Response(await server.collection.run(_drawn, decoder, found.array), media_type="image/png")


@router.get("/status", responses={200: {"model": Status}, **failures()})
async def status(server: Shared) -> JsonResponse:
    """Whether searches can be made: which model, how many images, and whether the newest codes are seen."""
    state = await server.collection.freshness()
    with server.collection.use() as database:
        name = database.hasher.name if not state.error else ""
    alive = server.decoders.alive
    ready = not state.error and alive > 0
    fresh = "fresh" if state.revision == state.searched else "stale"
    values = {"ready": ready, "model": name, "images": state.images, "index": fresh, "revision": state.revision}
    return JsonResponse({**values, "decoders": alive, "error": state.error}, 200 if ready else 503)


@router.get("/status/live", responses={200: {"model": Live}})
async def live() -> JsonResponse:
    """The server runs. No token is needed to ask."""
    return JsonResponse({"live": True})


@router.get("/metrics", include_in_schema=False)
async def metrics(server: Shared) -> Response:
    """Figures for Prometheus."""
    state = await server.collection.freshness()
    server.metrics.images.set(state.images)
    server.metrics.fresh.set(float(not state.error and state.revision == state.searched))
    return server.metrics.response()


def _decoder(database: AnyDatabase) -> Decoder | None:
    return Decoder.beside(database.hasher)


def _drawn(decoder: Decoder, array: Array) -> bytes:
    out = io.BytesIO()
    Image.fromarray(decoder.reconstruct(array[None])[0]).save(out, "PNG")
    return out.getvalue()


def _calibration(found: Calibration | None, images: int) -> dict[str, Any] | None:
    if found is None:
        return None
    near = found.rates["near-duplicate"]
    rates = {"rate": near.value, "rate_low": near.low, "rate_high": near.high}
    expected = zip(("", "_low", "_high"), found.expected("near-duplicate", images=images), strict=True)
    counts = {f"expected{name}": value for name, value in expected}
    return {"at": found.at, "images": found.compared, "edited": found.edited, **rates, **counts}


def _info(database: AnyDatabase) -> dict[str, Any]:
    info = database.info()
    left = ("originals", "calibration", "places", "unreachable")  # of which the paths are no business of who asks
    found = {name: value for name, value in asdict(info).items() if name not in left}
    return {
        **found,
        "out_of_reach": info.out_of_reach,
        "calibration": _calibration(info.calibration, info.images),
        "path": clean(found["path"]),
        "roots": [clean(root) for root in found["roots"]],
    }
