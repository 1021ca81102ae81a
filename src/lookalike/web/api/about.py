"""Endpoints about the database, the model and the server's health."""

from __future__ import annotations

import os
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.responses import Response

from lookalike import __version__, answers
from lookalike.database import Database, Info
from lookalike.metrics.bits import bit_use
from lookalike.web.api import paging
from lookalike.web.api.failures import failures
from lookalike.web.api.rows import Rows
from lookalike.web.api.schemas import Cursor, Limit
from lookalike.web.http.problems import JsonResponse
from lookalike.web.state.server import Server, Shared

router = APIRouter()
MOST_CODES = 200_000  # sampled for the balance and correlation of bits


@router.get("/api/v1/info", tags=["about"], responses={200: {"model": answers.Info}, **failures()})
async def get_info(server: Shared) -> JsonResponse:
    """What the database contains, what distances mean, and what the server allows."""
    return JsonResponse(await server.collection.read(_info, server))


@router.get(
    "/api/v1/labels", tags=["images"], responses={200: {"model": answers.Page[answers.LabelCount]}, **failures(422)}
)
async def list_labels(server: Shared, limit: Limit = 1000, cursor: Cursor = None) -> JsonResponse:
    """The labels, with the number of images of each."""
    counts = await server.collection.read(server.memory.get, "labels", Database.labels)
    found = [answers.LabelCount(label=label, images=images) for label, images in counts.items()]
    return JsonResponse(paging.page(found, cursor, limit))


@router.get("/api/v1/model", tags=["about"], responses={200: {"model": answers.Model}, **failures()})
async def get_model(server: Shared) -> JsonResponse:
    """The model that made the codes: its card, θ, and statistics of its bits in this database."""
    return JsonResponse(await server.collection.read(server.memory.get, "model", _model))


@router.get("/status", tags=["about"], responses={200: {"model": answers.Status}, **failures()})
async def get_status(server: Shared) -> JsonResponse:
    """Whether the server is ready: its model, the number of images, and whether searches see the newest codes."""
    state = await server.collection.freshness()
    with server.collection.use() as database:
        name = database.hasher.name if not state.error else ""
    alive = server.decoders.alive
    ready = not state.error and alive > 0
    fresh = "fresh" if state.revision == state.searched else "stale"
    values = {"ready": ready, "model": name, "images": state.images, "index": fresh, "revision": state.revision}
    return JsonResponse({**values, "decoders": alive, "error": state.error}, 200 if ready else 503)


@router.get("/status/live", tags=["about"], responses={200: {"model": answers.Live}})
async def get_life() -> JsonResponse:
    """Whether the server is running. Needs no token."""
    return JsonResponse({"live": True})


@router.get("/metrics", include_in_schema=False)
async def metrics(server: Shared) -> Response:
    """Metrics for Prometheus."""
    state = await server.collection.freshness()
    server.metrics.images.set(state.images)
    server.metrics.fresh.set(float(not state.error and state.revision == state.searched))
    return server.metrics.response()


def _info(database: Database, server: Server) -> answers.Info:
    info: Info = server.memory.get(database, "info", Database.info)
    rows, settings = Rows.of(server.settings, database), server.settings
    private = ("originals", "places", "unreachable", "path", "roots", "calibration")
    values = {one.name: getattr(info, one.name) for one in fields(info) if one.name not in private}
    return answers.Info(
        **values, out_of_reach=info.out_of_reach, path=rows.path(info.path),
        roots=[rows.path(root) for root in info.roots],
        calibration=None if info.calibration is None else answers.Calibration(**asdict(info.calibration)),
        database=os.path.basename(str(info.path).rstrip("/")), write=settings.write,
        database_id=database.store.get("database") or rows.path(info.path),
        trash=None if settings.trash is None else rows.path(str(settings.trash)),
        roots_to_index=[rows.path(root) for root in settings.roots] if settings.write else [],
        hide_paths=settings.hide_paths, max_body=settings.max_body, max_pixels=settings.max_pixels, version=__version__,
    )  # fmt: skip


def _model(database: Database) -> dict[str, Any]:
    hasher = database.hasher
    theta_K = hasher.theta
    return {
        "name": hasher.name,
        "card": hasher.info.card,
        "about": asdict(hasher.info),
        "theta": None if theta_K is None else [round(float(value), 6) for value in theta_K],
        "use": _use(database),
    }


def _use(database: Database) -> dict[str, Any] | None:
    """Balance and correlation of the bits; None without images."""
    codes_NW = database.codes()[1]
    if not len(codes_NW):
        return None
    use = bit_use(np.asarray(codes_NW[:: -(-len(codes_NW) // MOST_CODES)]))
    return {
        "balance": [round(float(value), 6) for value in use.balance_K],
        "constant": use.constant,
        "correlation": use.correlation,
        "effective": use.effective,
        "images": len(codes_NW),
    }
