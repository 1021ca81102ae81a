"""Error responses, as described in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from lookalike.answers import Failure, Progress

FAILURES: dict[int, str] = {
    400: "The request is malformed.",
    401: "A token is needed.",
    403: "The host name or origin is not allowed, or the server is read-only.",
    404: "Not found.",
    409: "The world is no longer as the request says.",
    413: "The request is too large.",
    415: "The type of the body is not supported.",
    422: "A value or the image is invalid.",
    503: "Unavailable; try again.",
}

WORKING: dict[int | str, dict[str, Any]] = {202: {"model": Progress, "description": "Still working; ask again."}}


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Error responses for the OpenAPI document: these, and those of any request."""
    codes = sorted({400, 401, 403, 503, *statuses})
    return {status: {"model": Failure, "description": FAILURES[status]} for status in codes}
