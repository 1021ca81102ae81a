"""The application: routes, middleware, and background tasks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from uvicorn.config import STARTUP_FAILURE

from lookalike import __version__, opening
from lookalike.core.errors import LookalikeError
from lookalike.database import Database
from lookalike.web.api import (
    about,
    aliases,
    banks,
    care,
    cleanup,
    comparison,
    decisions,
    groups,
    images,
    jobs,
    search,
)
from lookalike.web.http import pages, problems, redaction, security
from lookalike.web.http.metrics import MetricsMiddleware
from lookalike.web.http.security import SecurityMiddleware
from lookalike.web.http.settings import Settings
from lookalike.web.state.server import Server

ABOUT = (
    "Find similar images by the Hamming distance of binary codes. Errors are "
    '`{"error": {"type": …, "message": …}}`. If a token is required, send `Authorization: Bearer TOKEN`.'
)
TAGS = [
    {"name": "search", "description": "Which images of the collection show this picture."},
    {"name": "banks", "description": "Named sets of known images and hashes, and what matches them."},
    {"name": "images", "description": "The collection."},
    {"name": "clean up", "description": "Groups of copies, decisions, plans, and what became of them."},
    {"name": "care", "description": "Indexing and calibration."},
    {"name": "jobs", "description": "Work that takes longer than a request."},
    {"name": "about", "description": "The database, the model and the server."},
]
SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "The token that the server was started with."},
    "cookie": {
        "type": "apiKey", "in": "cookie", "name": "lookalike-…",
        "description": "Set by signing in; its name depends on the token.",
    },
}  # fmt: skip
_log = logging.getLogger(__name__)


def load(db: str, settings: Settings) -> FastAPI:
    """The application for the database at an address; called in the process that serves it."""
    if settings.token:
        redaction.redact(redaction.forms(settings.token, security.cookie_value(settings.token)))
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns about each malformed form
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    try:
        return create_app(opening.open(db), settings, reopen=lambda: opening.open(db))
    except LookalikeError as error:
        if supervisor is None:
            raise
        _log.error("%s", error)
        raise SystemExit(STARTUP_FAILURE) from None


def create_app(
    database: Database, settings: Settings = Settings(), *, reopen: Callable[[], Database] | None = None
) -> FastAPI:
    """The application for an open database, which it closes at the end.

    `reopen` opens the database again, for background work and after it was replaced.
    """
    security.check(settings)
    path = database.path
    server = Server.of(database, settings, reopen or (lambda: opening.open(path)))
    app = FastAPI(
        title="lookalike", version=__version__, description=ABOUT, docs_url=None, redoc_url=None,
        lifespan=lambda app: _life(server), generate_unique_id_function=lambda route: route.name, openapi_tags=TAGS,
    )  # fmt: skip
    app.state.server = server
    problems.install(app)
    for part in (search, banks, images, comparison, groups, decisions, cleanup, care, jobs, about):
        app.include_router(part.router)
    app.router.routes.insert(0, search.fast_route(server))
    pages.install(app)
    _describe_security(app, needs_token=bool(settings.token))
    app.add_middleware(aliases.AliasMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(SecurityMiddleware, settings=settings)
    app.add_middleware(MetricsMiddleware, metrics=server.metrics)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.cors), allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )  # fmt: skip
    return app


def _describe_security(app: FastAPI, *, needs_token: bool) -> None:
    """Add how clients identify themselves to the OpenAPI document."""
    made = app.openapi

    def document() -> dict[str, Any]:
        found = made()
        found["components"]["securitySchemes"] = SECURITY
        if needs_token:
            found["security"] = [{name: []} for name in SECURITY]
        return found

    app.openapi = document  # type: ignore[method-assign]


@contextlib.asynccontextmanager
async def _life(server: Server) -> AsyncIterator[None]:
    """Warm up before the first request, and release everything after the last."""
    await server.decoders.start()
    await server.collection.refresh()
    watch = asyncio.create_task(server.collection.watch())
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(None, server.jobs.stop)
        await asyncio.get_running_loop().run_in_executor(None, server.tasks.stop)
        await server.decoders.stop()
        await server.collection.close()


def _end_with(supervisor: Any) -> None:
    """Stop this process when its supervisor is gone, for example killed."""
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)
