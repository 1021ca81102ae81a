"""The routes of earlier versions, /api instead of /api/v1, with their old answers; to be removed in the next release.

Answers are made from those of today: lists had names of their own, and there were other words for decisions.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TODAY, OLD = "/api/v1/", "/api/"
PATHS = {"/api/duplicates": "/api/v1/groups", "/api/duplicates/plan": "/api/v1/plan"}
LISTS = {"/api/images": "images", "/api/duplicates": "groups", "/api/decisions": "decisions"}
QUERY = {"top": "limit", "near": "include_edited", "below": "folder"}
VALUES = {("sort", "name"): "path", ("kind", "different"): "not-duplicates", ("kind", "later"): "skip"}
VALUES |= {("state", "later"): "skipped"}
WORDS = {"not-duplicates": "different", "skip": "later", "skipped": "later"}  # in answers
SINCE = {  # fields that old answers lack
    "folder", "copies", "action", "freed", "removable", "relations", "trash", "roots_to_index", "hide_paths",
    "database", "database_id", "lossless", "taken", "camera", "place", "software", "depth", "frames",
}  # fmt: skip


class AliasMiddleware:
    """Answers requests to the old routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(OLD) or path.startswith(TODAY):
            await self._app(scope, receive, send)
            return
        today = PATHS.get(path, TODAY + path.removeprefix(OLD))
        if today.endswith("/original"):
            today = today.removesuffix("original") + "file"
        if (scope["method"], path) == ("POST", "/api/decisions"):
            receive = _wrapped(receive)
        query = urlencode([_asked(*pair) for pair in parse_qsl(scope["query_string"].decode("latin-1"), True)])
        scope.update(path=today, raw_path=today.encode(), query_string=query.encode())
        await self._app(scope, receive, _Old(path, send).send)


class _Old:
    """Sends an answer of today as the old one."""

    def __init__(self, path: str, send: Send) -> None:
        self._path, self._send = path, send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if message["status"] in (200, 201) and headers.get("content-type") == "application/json":
                self._start = message
                return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            body = self._body if "/plan" in self._path else orjson.dumps(_old(self._path, orjson.loads(self._body)))
            MutableHeaders(scope=self._start)["Content-Length"] = str(len(body))
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": body})


def _asked(name: str, value: str) -> tuple[str, str]:
    """A parameter of today for an old one."""
    return QUERY.get(name, name), VALUES.get((name, value), value)


def _wrapped(receive: Receive) -> Receive:
    """A request's decision as the only one of a list."""

    async def whole() -> Message:
        message, body = await receive(), b""
        body += message.get("body", b"")
        while message.get("more_body", False):
            message = await receive()
            body += message.get("body", b"")
        if message["type"] != "http.request":
            return message
        try:
            value = orjson.loads(body)
            kind = value.get("kind")
            decision = {**value, "kind": VALUES.get(("kind", kind), kind)}
            return {"type": "http.request", "body": orjson.dumps({"decisions": [decision]}), "more_body": False}
        except (ValueError, AttributeError, TypeError):
            return {"type": "http.request", "body": body, "more_body": False}

    return whole


def _old(path: str, today: Any) -> Any:
    """The old answer for one of today."""
    if path == "/api/search":
        answer = today["answers"][0]
        today = {
            "query": answer["query"], "hits": answer["hits"], "images": today["images"],
            "unverified": answer["unverified"], "bits": today["bits"], "seconds": today["seconds"],
        }  # fmt: skip
    elif path == "/api/labels":
        return {"labels": {one["label"]: one["images"] for one in today["items"]}}
    elif path == "/api/decisions" and "total" not in today:
        today = today["items"][0]
    elif path in LISTS:
        items, next_ = today.pop("items"), today.pop("next")
        today = {LISTS[path]: items, **today, "next": next_}
        if path == "/api/duplicates":
            for group in items:
                del group["id"]
                for image in group["images"]:
                    del image["format"]
    return today if path == "/api/model" else _reworded(today)


def _reworded(value: Any) -> Any:
    if isinstance(value, dict):
        is_weighted = value.get("weighted_distance") is not None
        return {
            WORDS.get(key, key): item if key == "calibration" else _reworded(item)
            for key, item in value.items()
            if key not in SINCE and (key != "weighted_distance" or is_weighted)
        }
    if isinstance(value, list):
        return [_reworded(item) for item in value]
    if isinstance(value, str):
        address = value.replace(TODAY, OLD) if value.startswith(f"{TODAY}images/") else value
        return (
            address.removesuffix("/file") + "/original"
            if address.endswith("/file") and address != value
            else WORDS.get(address, address)
        )
    return value
