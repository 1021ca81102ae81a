"""The pages, and what belongs to them. Everything comes from here: no page asks another server for anything."""

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
TABS = ("/", "/browse", "/duplicates", "/map", "/model")  # one page, which tells them apart itself
router = APIRouter(include_in_schema=False)


class Static(StaticFiles):
    """Files that a browser keeps, but asks about; for good, if they are asked for by version."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        scope = named.get("scope") or given[2]
        wanted = f"v={__version__}".encode()
        response.headers["Cache-Control"] = YEAR if scope["query_string"] == wanted else "no-cache"
        return response


def render(page: str, /, *, status: int = 200, **values: str) -> HTMLResponse:
    """A page of `templates/`, in which `$name` stands for a value; values are text, never markup."""
    text = (FOLDER / "templates" / page).read_text(encoding="utf-8")
    known = {"version": __version__, **values}
    filled = string.Template(text).substitute({key: html.escape(value) for key, value in known.items()})
    return HTMLResponse(filled, status, headers={"Cache-Control": "no-cache"})


def install(app: FastAPI) -> None:
    """Let an application serve the pages."""
    app.include_router(router)
    app.mount("/static", Static(directory=FOLDER / "static"), name="static")


def index() -> HTMLResponse:
    """The page of the collection."""
    return render("index.html")


for path in TABS:
    router.add_api_route(path, index)


@router.get("/docs")
def docs() -> HTMLResponse:
    """The API, as the OpenAPI document describes it."""
    return render("docs.html")
