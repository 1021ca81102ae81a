"""Web pages and their static files. Nothing is loaded from other servers."""

from __future__ import annotations

import html
import string
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from lookalike import __version__

FOLDER = Path(str(files("lookalike.web")))
YEAR = "public, max-age=31536000, immutable"
TABS = ("/", "/clean-up", "/same-scene", "/browse", "/map", "/care", "/settings")  # of one single-page application
MOVED = {"/duplicates": "/clean-up", "/model": "/settings"}  # for one release
router = APIRouter(include_in_schema=False)


class _Static(StaticFiles):
    """Static files: cached but revalidated, or cached for good if requested by version."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        scope = named.get("scope") or given[2]
        version = f"v={__version__}".encode()
        response.headers["Cache-Control"] = YEAR if scope["query_string"] == version else "no-cache"
        return response


def render(page: str, /, *, status: int = 200, languages: str = "", **values: str) -> HTMLResponse:
    """A page of `templates/` with `$name` replaced by values; values are text, never markup.

    `languages` is the header Accept-Language.
    """
    text = (FOLDER / "templates" / page).read_text(encoding="utf-8")
    known = {"version": __version__, "lang": _language(languages), "wrong": "", "said": "", "next": "/", **values}
    filled = string.Template(text).substitute({key: html.escape(value) for key, value in known.items()})
    return HTMLResponse(filled, status, headers={"Cache-Control": "no-cache"})


def _language(accepted: str) -> str:
    """The first accepted language that has a `static/strings.LANGUAGE.js`, or English."""
    wanted = [one.partition(";")[0].strip().partition("-")[0].lower() for one in accepted.split(",")]
    known = {path.name.split(".")[1] for path in (FOLDER / "static").glob("strings.*.js")}
    return next((language for language in wanted if language in known), "en")


def install(app: FastAPI) -> None:
    """Add the pages to an application."""
    app.include_router(router)
    app.mount("/static", _Static(directory=FOLDER / "static"), name="static")


def index(request: Request) -> HTMLResponse:
    """The collection's page."""
    return render("index.html", languages=request.headers.get("accept-language", ""))


def moved(request: Request) -> RedirectResponse:
    """A redirect from the former address of a page."""
    query = request.url.query
    return RedirectResponse(MOVED[request.url.path] + (f"?{query}" if query else ""), 308)


for path in TABS:
    router.add_api_route(path, index)
for path in MOVED:
    router.add_api_route(path, moved)


@router.get("/docs")
def docs() -> HTMLResponse:
    """Documentation of the API, from the OpenAPI document."""
    return render("docs.html")
