"""Web pages and their static files. Nothing is loaded from other servers."""

from __future__ import annotations

import html
import string
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from lookalike import __version__

FOLDER = Path(str(files("lookalike.web")))
YEAR = "public, max-age=31536000, immutable"
TABS = ("/", "/browse", "/duplicates", "/map", "/model")  # tabs of one single-page application
router = APIRouter(include_in_schema=False)


class _Static(StaticFiles):
    """Static files: cached but revalidated, or cached for good if requested by version."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        scope = named.get("scope") or given[2]
        version = f"v={__version__}".encode()
        response.headers["Cache-Control"] = YEAR if scope["query_string"] == version else "no-cache"
        return response


def render(page: str, /, *, status: int = 200, **values: str) -> HTMLResponse:
    """A page of `templates/` with `$name` replaced by values; values are text, never markup."""
    text = (FOLDER / "templates" / page).read_text(encoding="utf-8")
    known = {"version": __version__, **values}
    filled = string.Template(text).substitute({key: html.escape(value) for key, value in known.items()})
    return HTMLResponse(filled, status, headers={"Cache-Control": "no-cache"})


def install(app: FastAPI) -> None:
    """Add the pages to an application."""
    app.include_router(router)
    app.mount("/static", _Static(directory=FOLDER / "static"), name="static")


def index() -> HTMLResponse:
    """The collection's page."""
    return render("index.html")


for path in TABS:
    router.add_api_route(path, index)


@router.get("/docs")
def docs() -> HTMLResponse:
    """Documentation of the API, from the OpenAPI document."""
    return render("docs.html")
