"""What a request sends: an image file with values beside it, a form, or JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from lookalike.web.api.schemas import FileQuery, IdOrCode, Query
from lookalike.web.http.problems import Problem, invalid

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
FIELDS = 20
FIELD_BYTES = 1 << 16
SENT = "the bytes of photo.jpg"
FILE = {"type": "string", "format": "binary", "description": "An image file."}


class Asked(NamedTuple):
    """A query, and the image file that came with it."""

    query: Query
    file: UploadFile | None

    @property
    def content(self) -> BinaryIO:
        assert self.file is not None
        return self.file.file

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return 0 if self.file is None else self.file.size or 0


@asynccontextmanager
async def read(request: Request) -> AsyncIterator[Asked]:
    """What a request asks for. Raises `Problem` for what is none."""
    kind = _kind(request)
    if kind == JSON:
        yield Asked(_checked(IdOrCode, _parsed(await _short(request))), None)
    elif kind == FORM:
        yield Asked(_checked(IdOrCode, _fields(await _short(request))), None)
    elif kind == MULTIPART:
        async with _form(request) as form:
            file, texts = _file(form), [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            yield Asked(_checked(IdOrCode if file is None else FileQuery, _given(texts)), file)
    else:
        raise Problem(415, f"the body is {kind or 'of no type'}; send {MULTIPART} with a `file`, {JSON}, or {FORM}")


@asynccontextmanager
async def image(request: Request) -> AsyncIterator[Asked]:
    """The image file of a request that must have one."""
    if (kind := _kind(request)) != MULTIPART:
        raise Problem(415, f"the body is {kind or 'of no type'}; send {MULTIPART} with a `file`")
    async with _form(request) as form:
        file = _file(form)
        if file is None:
            raise Problem(422, "the image is missing; send it as the field `file`, with a file name")
        yield Asked(Query(), file)


def described() -> dict[str, Any]:
    """The body of a search, for the OpenAPI document."""
    query = Query.model_json_schema(ref_template="#/components/schemas/{model}")
    values = query["properties"]
    fields = {
        name: about for name, about in FileQuery.model_json_schema()["properties"].items() if name not in ("id", "code")
    }
    multipart = {
        "type": "object",
        "properties": {"file": FILE, **{name: _simple(about) for name, about in fields.items()}},
        "required": ["file"],
        "additionalProperties": False,
    }
    form = {
        "type": "object",
        "properties": {name: _simple(about) for name, about in values.items()},
        "additionalProperties": False,
    }
    one = {"oneOf": [{"required": ["id"]}, {"required": ["code"]}]}
    content = {
        MULTIPART: {"schema": multipart, "example": {"file": SENT, "top": 5}},
        JSON: {"schema": {**_only_one(query), **one}, "example": {"id": 1, "top": 5}},
        FORM: {"schema": {**form, **one}, "example": {"code": "8102ff00a1b2c3d4"}},
    }
    return {"requestBody": {"required": True, "content": content}}


def described_file() -> dict[str, Any]:
    """The body of a request that sends an image, for the OpenAPI document."""
    schema = {"type": "object", "properties": {"file": FILE}, "required": ["file"]}
    return {"requestBody": {"required": True, "content": {MULTIPART: {"schema": schema, "example": {"file": SENT}}}}}


def _only_one(query: dict[str, Any]) -> dict[str, Any]:
    """The schema of JSON, in which id and code are there or not, but not null."""
    values = {**query["properties"]}
    for name in ("id", "code"):
        values[name] = _simple(values[name])
    return {**{name: about for name, about in query.items() if name != "examples"}, "properties": values}


def _simple(about: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value of a form, which cannot be null."""
    if "anyOf" not in about:
        return about
    kind = next(one for one in about["anyOf"] if one.get("type") != "null")
    rest = {name: value for name, value in about.items() if name not in ("anyOf", "default")}
    return {**kind, **rest}


async def _short(request: Request) -> bytes:
    """A body without an image, which is held in memory."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > FIELD_BYTES:
            raise Problem(413, f"the body is longer than {FIELD_BYTES >> 10} KiB; an image is sent as {MULTIPART}")
    return body


def _fields(body: bytes) -> dict[str, str]:
    try:
        return _given(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError as error:
        raise Problem(400, f"the body is no form ({error})") from None


def _given(values: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The values of a form, in which a field that was left empty is as good as none."""
    return {name: value for name, value in values if value != ""}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON ({error})") from None


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _form(request: Request) -> AbstractAsyncContextManager[FormData]:
    """The form, whose files are closed in the end."""
    return request.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES)


def _file(form: FormData) -> UploadFile | None:
    files = [value for name, value in form.multi_items() if isinstance(value, UploadFile) and name == "file"]
    if any(isinstance(value, UploadFile) and name != "file" for name, value in form.multi_items()):
        raise Problem(422, "an image is sent as the field `file`")
    return files[0] if files else None


def _checked(kind: type[Query], values: Any) -> Query:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise Problem(422, invalid(error)) from None
