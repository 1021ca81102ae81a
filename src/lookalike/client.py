"""Asking a running server (`lookalike serve`) from Python; the standard library is all that this needs.

client = Client("http://127.0.0.1:8765")
for hit in client.search("photo.jpg", top=5):
    print(hit.distance, hit.tier, hit.path)
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
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import urlencode, urlsplit

from lookalike.core.errors import ImageError, ServerError

Label = str | tuple[str, ...] | None
Content = str | os.PathLike[str] | bytes  # a path, or an encoded image
BATCH = 500  # images that are asked for by their ids at once
PAUSE = 0.2  # seconds between two questions whether work is done
PATIENCE = 600.0  # seconds to wait for work that the server does in the background


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image of the server's database."""

    id: int
    name: str
    path: str
    label: Label
    width: int | None  # pixels
    height: int | None
    thumbnail: str  # address


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Picture):
    """An image that a search found."""

    distance: int  # bits that differ
    bits: int
    tier: str
    weighted_distance: float | None = None  # bits that differ, each as much as the image is sure of it; if asymmetric
    orientation: str | None = None  # the orientation of the query that matches; of searches with `turned`


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike(Picture):
    """An image of a group of look-alikes."""

    distance: int  # bits, to the group's first image
    size: int  # bytes of the encoded image
    tier: str  # "kept" (the best, or what was decided), "same bytes", "same pixels" or "near" to that


class _Only(TypedDict, total=False):
    """Which images a search finds."""

    label: str | None
    below: str | None  # folder of the server
    since: datetime | None  # when they were indexed


class Client:
    """A server's address, and the token if it needs one."""

    def __init__(self, url: str = "http://127.0.0.1:8765", *, token: str = "", timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ServerError(f"{url!r} is no address of a server; one is http://127.0.0.1:8765")
        self.url, self._token, self._timeout = f"{parts.scheme}://{parts.netloc}", token, timeout
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        handlers = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(_StayHere, _Http, _Https, *handlers)

    def search(
        self,
        image: Content | None = None,
        *,
        id: int | None = None,  # noqa: A002 the API's own name
        code: str | None = None,
        top: int = 10,
        radius: int | None = None,
        asymmetric: bool = False,
        turned: bool = False,
        **only: Unpack[_Only],
    ) -> list[Found]:
        """The images nearest to an image (a path, or encoded bytes), one of the database, or a code in hexadecimal.

        Only those with a `label`, `below` a folder, or indexed `since` a time are found, if that is given.
        With `asymmetric`, for an image that is sent, a bit counts as much as the image is sure of it. With `turned`,
        not for a code, mirrored and quarter-turned copies are found, too.
        Raises `ServerError` with what the server says, `ImageError` if the file cannot be read here.
        """
        since = only.pop("since", None)
        values = {"top": top, "radius": radius, "id": id, "code": code, **only, "asymmetric": asymmetric or None,
                  "turned": turned or None, "since": None if since is None else since.isoformat()}  # fmt: skip
        answer = self._send("/api/search", _given(values), image)
        return [_record(Found, hit) for hit in answer["hits"]]

    def encode(self, image: Content) -> str:
        """The code of an image as hexadecimal digits, by the database's model; nothing is stored."""
        return str(self._send("/api/encode", {}, image)["code"])

    def image(self, id: int) -> dict[str, Any]:  # noqa: A002
        """All that is known of an image of the database."""
        return dict(self._get(f"/api/images/{int(id)}"))

    def original(self, id: int) -> bytes:  # noqa: A002
        """The encoded image itself."""
        return self._ask(f"/api/images/{int(id)}/original")[1]

    def thumbnail(self, id: int, *, size: int = 256) -> bytes:  # noqa: A002
        """A JPEG of an image, at most about so many pixels a side."""
        return self._ask(f"/api/images/{int(id)}/thumbnail?size={int(size)}")[1]

    def images(
        self,
        *,
        sort: str = "id",
        label: str | None = None,
        below: str | None = None,
        ids: Sequence[int] | None = None,
        seed: int = 0,
    ) -> Iterator[Picture]:
        """All images that can be found, sorted by `id`, `name` or `newest`, or `random`; or those of `ids`."""
        if ids is not None:
            for start in range(0, len(ids), BATCH):
                wanted = ",".join(str(int(one)) for one in ids[start : start + BATCH])
                page = self._get("/api/images", {"ids": wanted, "top": BATCH})
                yield from (_record(Picture, one) for one in page["images"])
            return
        values = {"sort": sort, "seed": seed, "label": label, "below": below}
        for page in self._pages("/api/images", values):
            yield from (_record(Picture, one) for one in page["images"])

    def labels(self) -> dict[str, int]:
        """The labels of the images, and how many have each."""
        return dict(self._get("/api/labels")["labels"])

    def duplicates(self, *, radius: int | None = None) -> Iterator[list[Alike]]:
        """Groups of images that look alike; waits until the server has compared all."""
        for page in self._pages("/api/duplicates", {"radius": radius}):
            yield from ([_record(Alike, one) for one in group["images"]] for group in page["groups"])

    def decide(self, kind: str, images: Sequence[int], *, chosen: Sequence[int] = ()) -> int:
        """Decide about images of a group, by their ids; the decision's number. Needs a server with `--write`.

        `keep`: the chosen are kept, the others may go. `different`: the chosen are no duplicates of the others; with
        none chosen, none is one of another. `later`: it is put off.
        """
        values = {"kind": kind, "images": list(images), "chosen": list(chosen)}
        return int(self._send("/api/decisions", values, None)["id"])

    def decisions(self) -> Iterator[dict[str, Any]]:
        """What was decided, the newest first."""
        for page in self._pages("/api/decisions", {}):
            yield from page["decisions"]

    def undo(self, decision: int) -> None:
        """Undo a decision, by its number."""
        self._ask(f"/api/decisions/{int(decision)}", method="DELETE")

    def plan(self, *, radius: int | None = None, near: bool = False) -> dict[str, Any]:
        """What to keep and what to remove of each group, as `lookalike apply` takes it from a file."""
        return dict(self._get("/api/duplicates/plan", {"near": str(near).lower(), "radius": radius}))

    def info(self) -> dict[str, Any]:
        """What the database holds, and what the server allows."""
        return dict(self._get("/api/info"))

    # The wire

    def _pages(self, path: str, values: Mapping[str, Any]) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._get(path, {**values, "cursor": cursor})
            yield page
            if (cursor := page["next"]) is None:
                return

    def _get(self, path: str, values: Mapping[str, Any] = {}) -> Any:
        """A JSON answer, once the server has it."""
        query, end = urlencode(_given(values)), time.monotonic() + PATIENCE
        while True:
            status, content = self._ask(f"{path}?{query}" if query else path)
            if status != 202:
                return _parsed(content)
            if time.monotonic() > end:
                raise ServerError(f"{path} is not done after {PATIENCE:g} seconds; ask again later")
            time.sleep(PAUSE)

    def _send(self, path: str, values: Mapping[str, Any], image: Content | None) -> Any:
        if image is None:
            body, kind = json.dumps(values).encode(), "application/json"
        else:
            body, kind = _multipart(values, _content(image))
        return _parsed(self._ask(path, body, {"Content-Type": kind})[1])

    def _ask(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}, *, method: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an answer. Raises `ServerError` if it is a refusal, or none comes."""
        token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = urllib.request.Request(self.url + path, body, {**headers, **token}, method=method)
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:  # of which urllib's own error is one
            reason = getattr(error, "reason", error)
            why = getattr(reason, "strerror", None) or reason
            raise ServerError(f"{self.url} does not answer ({why}); is it running?  lookalike serve --db DB") from error


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Follows no way to another server, which would be told the token."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        return None


class _Hearing(http.client.HTTPConnection):
    """A connection that hears the answer of a server that takes no more of what is sent: it says why."""

    def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:
        try:
            super().endheaders(message_body, encode_chunked=encode_chunked)
        except (BrokenPipeError, ConnectionResetError):
            if self.sock is None:
                raise


class _HearingTls(_Hearing, http.client.HTTPSConnection):
    """The same, by TLS."""


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Hearing, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_HearingTls, req)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _multipart(values: Mapping[str, Any], content: bytes) -> tuple[bytes, str]:
    """A form with values and one file, and its type."""
    border = secrets.token_hex(16)
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in values.items()
    ]
    head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="image"\r\n'
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
        raise ServerError("the answer is no JSON; is there another server at this address?") from None


def _refusal(error: urllib.error.HTTPError) -> ServerError:
    try:
        found = json.loads(error.read())["error"]
        return ServerError(str(found["message"]), status=error.code, type=str(found["type"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ServerError(f"the answer is {error.code} {error.reason}", status=error.code)


def _record(kind: type[Any], values: Mapping[str, Any]) -> Any:
    needed = [one.name for one in fields(kind) if one.name in values or one.default is MISSING]
    known = {name: values[name] for name in needed}
    label = known["label"]
    return kind(**{**known, "label": tuple(label) if isinstance(label, list) else label})
