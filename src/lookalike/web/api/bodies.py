"""The body of a search: image files with options as multipart/form-data, or JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from lookalike.web.api.schemas import MOST_QUERIES, FileQuery, IdOrCode
from lookalike.web.http.problems import Problem, invalid

JSON, MULTIPART = "application/json", "multipart/form-data"
IMAGES = ("image", "file")  # names of a file
MAX_FIELDS = 20
MAX_FIELD_BYTES = 1 << 16  # also the limit for a JSON body
Files = TypeVar("Files", bound=BaseModel)
Other = TypeVar("Other", bound=BaseModel)


def description(files: type[BaseModel], other: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Both forms of a body for the OpenAPI document; `example`: of the JSON."""
    options = {name: value for name, value in example.items() if name in files.model_fields}
    forms = {MULTIPART: (files, {"image": ["bytes of photo.jpg"], **options}), JSON: (other, example)}
    content = {kind: {"schema": model.model_json_schema(), "example": one} for kind, (model, one) in forms.items()}
    return {"requestBody": {"required": True, "content": content}}


DESCRIPTION = description(FileQuery, IdOrCode, {"id": 1, "top": 5})


@asynccontextmanager
async def parse(request: Request, files: type[Files], other: type[Other]) -> AsyncIterator[Files | Other]:
    """The query of a request, with files, which are open until the end, or JSON. Raises `Problem` if it is invalid."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == JSON:
            yield other.model_validate(await _json(request))
        elif kind == MULTIPART:
            limits = {"max_files": MOST_QUERIES, "max_fields": MAX_FIELDS, "max_part_size": MAX_FIELD_BYTES}
            async with request.form(**limits) as form:
                yield files.model_validate(_values(form))
        else:
            type_ = f"the content type {kind}" if kind else "no content type"
            raise Problem(415, f"the body has {type_}; send {MULTIPART} with an `image`, or {JSON}")
    except ValidationError as error:
        raise Problem(422, invalid(error)) from None


def _values(form: FormData) -> dict[str, Any]:
    """The fields of a form; `image`, or `file`, may be repeated."""
    given = [(name, value) for name, value in form.multi_items() if value != ""]
    images = [value for name, value in given if name in IMAGES]
    return {name: value for name, value in given if name not in IMAGES} | ({"image": images} if images else {})


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
