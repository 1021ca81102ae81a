"""The body of a search: an image file with options as multipart/form-data, or JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request
from pydantic import ValidationError

from lookalike.web.api.schemas import FileQuery, IdOrCode
from lookalike.web.http.problems import Problem, invalid

JSON, MULTIPART = "application/json", "multipart/form-data"
MAX_FIELDS = 20
MAX_FIELD_BYTES = 1 << 16  # also the limit for a JSON body

DESCRIPTION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {"schema": FileQuery.model_json_schema(), "example": {"file": "bytes of photo.jpg", "top": 5}},
            JSON: {"schema": IdOrCode.model_json_schema(), "example": {"id": 1, "top": 5}},
        },
    }
}


@asynccontextmanager
async def parse(request: Request) -> AsyncIterator[FileQuery | IdOrCode]:
    """The query of a request; its file is open until the end. Raises `Problem` for an invalid one."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON:
            yield IdOrCode.model_validate(await _json(request))
        elif kind == MULTIPART:
            limits = {"max_files": 1, "max_fields": MAX_FIELDS, "max_part_size": MAX_FIELD_BYTES}
            async with request.form(**limits) as form:
                yield FileQuery.model_validate({name: value for name, value in form.multi_items() if value != ""})
        else:
            type_ = f"the content type {kind}" if kind else "no content type"
            raise Problem(415, f"the body has {type_}; send {MULTIPART} with a `file`, or {JSON}")
    except ValidationError as error:
        raise Problem(422, invalid(error)) from None


async def _json(request: Request) -> Any:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FIELD_BYTES:
            raise Problem(413, f"the body is longer than {MAX_FIELD_BYTES >> 10} KiB; send an image as {MULTIPART}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON ({error})") from None
