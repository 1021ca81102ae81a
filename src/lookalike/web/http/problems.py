"""Errors as JSON: `{"error": {"type", "message"}}`, never a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from lookalike.core.errors import DatabaseError, DataError, LookalikeError, MissingExtra
from lookalike.web.http import pages

TYPES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    500: "internal",
    503: "unavailable",
}
_encoder = json.JSONEncoder(separators=(",", ":"), default=asdict)
UNKNOWN = "internal error; the server's log has the details"


class Problem(Exception):
    """A refused request, with an HTTP status."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


class JsonResponse(Response):
    """A JSON response; ASCII if it contains file names that are not UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        try:
            return orjson.dumps(content)
        except TypeError:
            return _encoder.encode(content).encode()


def response(status: int, message: str, *, headers: Mapping[str, str] | None = None) -> JsonResponse:
    """The response to a refused request."""
    kind = TYPES.get(status, "error")
    return JsonResponse({"error": {"type": kind, "message": message}}, status, headers=headers)


def install(app: FastAPI) -> None:
    """Make an application answer errors this way."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(LookalikeError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def cursor_number(cursor: str | None) -> int | None:
    """The number in a cursor; None without a cursor. Raises `Problem` for an invalid one."""
    if cursor is not None and re.fullmatch(r"[0-9]{1,18}", cursor) is None:
        raise Problem(422, f"cursor is {cursor!r}; pass the `next` of the previous page, or none")
    return None if cursor is None else int(cursor)


def invalid(error: ValidationError | RequestValidationError) -> str:
    """A one-line description of invalid values."""
    errors = error.errors()
    parts = [f"{'.'.join(map(str, one['loc'])) or 'the request'}: {one['msg']}" for one in errors[:3]]
    return "; ".join(parts).replace("Value error, ", "") + (f"; and {len(errors) - 3} more" if len(errors) > 3 else "")


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return response(error.status, str(error), headers=error.headers)


def _refusal(request: Request, error: Exception) -> Response:
    """An error of the package: the client's mistake, unless the database failed."""
    failed = isinstance(error, DatabaseError | MissingExtra) and not isinstance(error, DataError)
    return response(503 if failed else 422, str(error))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return response(422, invalid(error))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    is_page = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    if error.status_code == 404 and is_page:
        return pages.render("missing.html", status=404, languages=request.headers.get("accept-language", ""))
    message = f"there is nothing at {request.url.path}" if error.status_code == 404 else error.detail
    return response(error.status_code, message, headers=error.headers)
