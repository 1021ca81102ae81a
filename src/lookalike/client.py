"""Client for a running server (`lookalike serve`); needs only the standard library.

client = Client("http://127.0.0.1:8765")
for hit in client.search("photo.jpg", top=5):
    print(hit.relation, ", ".join(hit.edits), hit.path)
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack
from urllib.parse import urlencode, urlsplit

from lookalike.answers import Details, GroupImage, Hit, Image, Match, Matched
from lookalike.core.errors import ImageError, ServerError

T = TypeVar("T")
Content = str | os.PathLike[str] | bytes  # a path, or an encoded image
API = "/api/v1"
OLD_WORDS = {"different": "not-duplicates", "later": "skip", "name": "path"}  # words of earlier versions
BATCH = 500  # ids per request
PAUSE = 0.2  # seconds between polls of background work
PATIENCE = 600.0  # seconds to wait for background work


class _Only(TypedDict, total=False):
    """Filters of a search."""

    label: str | None
    below: str | None  # folder of the server
    since: datetime | None  # when they were indexed


class Client:
    """A client for a server's address, with its token if it needs one."""

    def __init__(self, url: str = "http://127.0.0.1:8765", *, token: str = "", timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ServerError(f"{url!r} is not a server address; expected one like http://127.0.0.1:8765")
        self.url, self._token, self._timeout = f"{parts.scheme}://{parts.netloc}", token, timeout
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        handlers = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_NoRedirects, _Http, _Https, *handlers)

    def search(
        self,
        image: Content | None = None,
        *,
        id: int | None = None,  # noqa: A002 the API's own name
        code: str | None = None,
        top: int = 10,
        radius: int | None = None,
        asymmetric: bool = False,
        verify: bool = True,
        **only: Unpack[_Only],
    ) -> list[Hit]:
        """Copies of an image (a path, or encoded bytes) or of one of the database, and images that are like it.

        Filters: `label`, `below` a folder, indexed `since` a time. With `asymmetric`, for an image that is sent, bits
        are weighted by the image's certainty. Without `verify`, or for a hexadecimal code, codes alone decide.
        Raises `ServerError` with the server's message, `ImageError` if the file is unreadable.
        """
        since = only.pop("since", None)
        values = {
            "top": top, "radius": radius, "id": id, "code": code, **only, "asymmetric": asymmetric or None,
            "verify": None if verify else False, "since": None if since is None else since.isoformat(),
        }  # fmt: skip
        (answer,) = self._send("/search", _without_none(values), image)["answers"]
        return [_record(Hit, hit) for hit in answer["hits"]]

    def match(self, image: Content, *, banks: Sequence[str] = ()) -> Match:
        """What an image matches in these banks, or in all of them."""
        (answer,) = self._send("/match", _without_none({"banks": ",".join(banks) or None}), image)["answers"]
        return _record(Match, {**answer, "matches": [_record(Matched, one) for one in answer["matches"]]})

    def encode(self, image: Content) -> str:
        """An image's code as hexadecimal digits; nothing is stored."""
        return str(self._send("/encode", {}, image, name="file")["code"])

    def image(self, id: int) -> Details:  # noqa: A002
        """Everything known about an image of the database."""
        return _record(Details, self._get(f"/images/{int(id)}"))

    def original(self, id: int) -> bytes:  # noqa: A002
        """The encoded original image."""
        return self._ask(f"/images/{int(id)}/file")[1]

    def thumbnail(self, id: int, *, size: int = 256) -> bytes:  # noqa: A002
        """A JPEG of an image, about `size` pixels a side."""
        return self._ask(f"/images/{int(id)}/thumbnail?size={int(size)}")[1]

    def images(
        self,
        *,
        sort: str = "id",
        label: str | None = None,
        below: str | None = None,
        ids: Sequence[int] | None = None,
        seed: int = 0,
    ) -> Iterator[Image]:
        """All findable images, sorted by `id`, `path` or `newest`, or `random`; or those in `ids`."""
        if ids is not None:
            for start in range(0, len(ids), BATCH):
                batch = ",".join(str(int(one)) for one in ids[start : start + BATCH])
                page = self._get("/images", {"ids": batch, "limit": BATCH})
                yield from (_record(Image, one) for one in page["items"])
            return
        values = {"sort": OLD_WORDS.get(sort, sort), "seed": seed, "label": label, "folder": below}
        yield from (_record(Image, one) for one in self._pages("/images", values))

    def labels(self) -> dict[str, int]:
        """The labels, with the number of images of each."""
        return {one["label"]: one["images"] for one in self._pages("/labels", {})}

    def duplicates(self, *, radius: int | None = None) -> Iterator[list[GroupImage]]:
        """Groups of duplicates; waits until the server has compared all images."""
        for group in self._pages("/groups", {"radius": radius}):
            yield [_record(GroupImage, one) for one in group["images"]]

    def decide(self, kind: str, images: Sequence[int], *, chosen: Sequence[int] = ()) -> int:
        """Decide about images of a group, by id; returns the decision's id. Needs a server with `--write`.

        `keep`: the chosen stay, the others may go; `remove`: the opposite. `not-duplicates`: the chosen are not
        duplicates of the others or, if none are chosen, all differ. `skip`: not now.
        """
        decision = {"kind": OLD_WORDS.get(kind, kind), "images": list(images), "chosen": list(chosen)}
        return int(self._send("/decisions", {"decisions": [decision]}, None)["items"][0]["id"])

    def decisions(self) -> Iterator[dict[str, Any]]:
        """All decisions, newest first."""
        return self._pages("/decisions", {})

    def undo(self, decision: int) -> None:
        """Undo a decision, by its id."""
        self._ask(f"/decisions/{int(decision)}", method="DELETE")

    def plan(self, *, radius: int | None = None, near: bool = False) -> dict[str, Any]:
        """A cleanup plan, as read from a file by `lookalike apply`."""
        return dict(self._get("/plan", {"include_edited": str(near).lower(), "radius": radius}))

    def info(self) -> dict[str, Any]:
        """What the database contains, and what the server allows."""
        return dict(self._get("/info"))

    # The wire

    def _pages(self, path: str, values: Mapping[str, Any]) -> Iterator[Any]:
        """The items of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self._get(path, {**values, "cursor": cursor})
            yield from page["items"]
            if (cursor := page["next"]) is None:
                return

    def _get(self, path: str, values: Mapping[str, Any] = {}) -> Any:
        """A JSON response; polls until it is ready."""
        query, end = urlencode(_without_none(values)), time.monotonic() + PATIENCE
        while True:
            status, content = self._ask(f"{path}?{query}" if query else path)
            if status != 202:
                return _parsed(content)
            if time.monotonic() > end:
                raise ServerError(f"{path} is not ready after {PATIENCE:g} seconds; try again later")
            time.sleep(PAUSE)

    def _send(self, path: str, values: Mapping[str, Any], image: Content | None, *, name: str = "image") -> Any:
        if image is None:
            body, kind = json.dumps(values).encode(), "application/json"
        else:
            body, kind = _multipart(values, name, _content(image))
        return _parsed(self._ask(path, body, {"Content-Type": kind})[1])

    def _ask(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}, *, method: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body of a response. Raises `ServerError` for a refusal or no response."""
        token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = urllib.request.Request(self.url + API + path, body, {**headers, **token}, method=method)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # includes urllib's own error
            reason = getattr(error, "reason", error)
            why = getattr(reason, "strerror", None) or reason
            raise ServerError(f"{self.url} does not answer ({why}); is it running?  lookalike serve --db DB") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which could reveal the token to another server."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class _ReadAfterError(http.client.HTTPConnection):
    """Reads the response even if the server stops reading the request early: the response says why."""

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        try:
            super().endheaders(message_body, encode_chunked=encode_chunked)
        except (BrokenPipeError, ConnectionResetError):
            if self.sock is None:
                raise


class _ReadAfterErrorTls(_ReadAfterError, http.client.HTTPSConnection):
    """The same, over TLS."""


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_ReadAfterError, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_ReadAfterErrorTls, req)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _multipart(values: Mapping[str, Any], name: str, content: bytes) -> tuple[bytes, str]:
    """A multipart form with values and one file, and its content type."""
    border = secrets.token_hex(16)
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in values.items()
    ]
    head = f'--{border}\r\nContent-Disposition: form-data; name="{name}"; filename="image"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    parts += [head.encode(), content, f"\r\n--{border}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={border}"


def _content(image: Content) -> bytes:
    if isinstance(image, bytes):
        return image
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise ImageError(f"{os.fspath(image)}: {error.strerror}") from error


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        raise ServerError("the response is not JSON; is another server running at this address?") from None


def _refusal(error: urllib.error.HTTPError) -> ServerError:
    try:
        details = json.loads(error.read())["error"]
        return ServerError(str(details["message"]), status=error.code, type=str(details["type"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ServerError(f"the response is {error.code} {error.reason}", status=error.code)


def _record(kind: type[T], values: Mapping[str, Any]) -> T:
    """An answer; lists are tuples, and fields of later servers are left out."""
    known = {one.name: values[one.name] for one in fields(kind) if one.name in values}  # type: ignore[arg-type]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})
