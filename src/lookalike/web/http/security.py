"""Which requests are allowed, and the headers of every answer.

A page elsewhere must not reach a server on this machine through a person's browser: the name that it is called by
(Host) is checked, since an address can be given any name, and what changes or costs something (POST) must come from a
page of its own (Origin). Without `--cors` no other page may read answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import logging
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.core.display import printable
from lookalike.core.errors import ConfigError
from lookalike.web.http import pages, problems
from lookalike.web.http.problems import Problem
from lookalike.web.http.settings import LEAST_TOKEN, Settings
from lookalike.web.http.throttle import Throttle

OPEN = "/status/live"  # says nothing, and may be asked by anyone
COOKIE_SECONDS = 30 * 24 * 3600
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
CLOSE = {"Connection": "close"}  # what is still to come on it is not waited for
PASSED_OVER = 5.0  # seconds that a body nobody wants is read for, so that who sends it hears why
_log = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raises `ConfigError` for an address that others reach without a token, or a token that can be guessed."""
    if not is_loopback(settings.host) and not settings.token:
        raise ConfigError(
            f"host is {settings.host}, which other machines can reach; pass a --token of at least {LEAST_TOKEN} "
            "characters, or leave out --host to serve this machine only"
        )
    if settings.token:
        check_token(settings.token)
    for origin in settings.cors:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise ConfigError(f"{origin!r} is not an origin; an example is https://example.org")


def check_token(token: str) -> None:
    """Raises `ConfigError` for a token that can be guessed, or not be sent."""
    if not token:
        raise ConfigError(f"the token is empty; pass one of at least {LEAST_TOKEN} characters, or leave out --token")
    if not (token.isascii() and token.isprintable()):
        raise ConfigError(
            "the token has characters that are not ASCII or cannot be seen; use letters, digits and signs"
        )
    if token != token.strip():
        raise ConfigError("the token begins or ends with a space, which would get lost; remove it")
    if len(token) < LEAST_TOKEN:
        raise ConfigError(f"the token has {len(token)} characters; it must have at least {LEAST_TOKEN} characters")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(headers: Mapping[str, str]) -> str:
    """The name in the Host header, without the port."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def may_be_called(host: str, settings: Settings) -> bool:
    """Whether a server answers to that name: its own, those of this machine, and addresses if others reach it."""
    if host in LOOPBACK or host in settings.names or host == settings.host:
        return True
    if is_loopback(settings.host):
        return False
    try:
        ipaddress.ip_address(host)  # an address cannot be given to another machine, as a name can
    except ValueError:
        return host in (socket.gethostname().lower(), socket.getfqdn().lower())
    return True


def _is_foreign(headers: Mapping[str, str], settings: Settings) -> bool:
    """Whether a page of another server sends this request. Programs, which send no origin, are no pages."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if origin in settings.cors:
        return False
    scheme, _, place = origin.lower().partition("://")
    return scheme not in ("http", "https") or place != headers.get("host", "").lower()


def cookie_name(token: str) -> str:
    """The cookie of servers with that token: browsers send it to all ports of a machine."""
    return f"lookalike-{hashlib.sha256(f'lookalike name {token}'.encode()).hexdigest()[:12]}"


def cookie_value(token: str) -> str:
    """What the cookie holds in place of the token."""
    return hashlib.sha256(f"lookalike {token}".encode()).hexdigest()


def _knows_token(headers: Mapping[str, str], token: str) -> bool:
    """Whether a request has the token, in a header or by its cookie."""
    given = headers.get("authorization", "")
    if given[:7].lower() == "bearer " and hmac.compare_digest(given[7:].strip().encode(), token.encode()):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_name(token))
    except CookieError:
        return False
    return cookie is not None and hmac.compare_digest(cookie.value.encode(), cookie_value(token).encode())


def _tries_token(scope: Scope, headers: Mapping[str, str], token: str) -> bool:
    """Whether a request brings a token, right or wrong; cookies of other servers on this machine are none."""
    cookie = cookie_name(token) in headers.get("cookie", "")
    return "authorization" in headers or b"token=" in scope["query_string"] or cookie


def _check_request(method: str, path: str, headers: Mapping[str, str], settings: Settings) -> None:
    """Raises `Problem` for a request that may not be made."""
    host = _host_of(headers)
    if not may_be_called(host, settings):
        raise Problem(403, f"the host name {host!r} is not allowed; allow it with: --allow-host {host or 'NAME'}")
    if method not in SAFE and _is_foreign(headers, settings):
        raise Problem(403, "pages of other servers may not send this; allow one with: --cors ORIGIN")
    if settings.token and path != OPEN and not _knows_token(headers, settings.token):
        raise Problem(
            401,
            "a token is needed: the link with ?token=… that the server printed, or the header Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )


class SecurityMiddleware:
    """Refuses forbidden requests, limits bodies, and adds security headers to every answer."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._throttle = Throttle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, started = Headers(scope=scope), False
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope  # the same, of which no body is sent

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if not await body.pass_over(headers):
                    MutableHeaders(scope=message).update(CLOSE)
                _mark(MutableHeaders(scope=message))
            await send(message)

        body = _Body(receive, self._settings, headers)
        try:
            if (answer := self._with_cookie(scope, headers)) is None:
                _check_request(scope["method"], scope["path"], headers, self._settings)
                body.check_length(headers)
                await self._app(asked, body.receive, marked)
                return
        except asyncio.CancelledError:  # the server stops, and this request has taken too long
            body.give_up()
            answer = problems.response(503, "the server is stopping", headers=CLOSE)
        except Exception as error:
            answer = _refusal(error, scope, headers)
            if answer.status_code == 401 and _tries_token(scope, headers, self._settings.token):
                await asyncio.sleep(self._throttle.wrong((scope.get("client") or ("",))[0]))
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]  # by which requests are counted
        if not started:
            await answer(scope, receive, marked)

    def _with_cookie(self, scope: Scope, headers: Headers) -> Response | None:
        """For a link with the right ?token=, the way to the same page without it, and a cookie in its place."""
        token = self._settings.token
        if not token or scope["method"] != "GET" or b"token=" not in scope["query_string"]:
            return None
        values = parse_qsl(scope["query_string"].decode("latin-1"))
        given = next((value for name, value in values if name == "token"), "")
        right = hmac.compare_digest(given.encode(), token.encode())
        if not right or not may_be_called(_host_of(headers), self._settings):
            return None
        rest = urlencode([(name, value) for name, value in values if name != "token"])
        path = "/" + scope["path"].lstrip("/")  # two slashes would begin the name of another server
        answer = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(
            cookie_name(token), cookie_value(token), max_age=COOKIE_SECONDS, httponly=True, samesite="lax",
            secure=scope.get("scheme") == "https",
        )  # fmt: skip
        return answer


def _refusal(error: Exception, scope: Scope, headers: Headers) -> Response:
    """The answer to a request that is refused or fails."""
    if not isinstance(error, Problem):
        _log.error("%s %s failed", scope["method"], printable(scope["path"]), exc_info=error)
        return problems.response(500, problems.UNKNOWN)
    if error.status == 401 and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return pages.render("token.html", status=401)  # a person, who can type it
    return problems.response(error.status, str(error), headers=error.headers)


def _mark(headers: MutableHeaders) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


class _Body:
    """The body of a request, with limits on its length and time."""

    def __init__(self, receive: Receive, settings: Settings, headers: Headers) -> None:
        self._receive, self._settings = receive, settings
        self._length, self._ends = 0, asyncio.get_running_loop().time() + settings.body_seconds
        self._whole = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers

    def check_length(self, headers: Headers) -> None:
        """Raises `Problem` if the request says that it is too long."""
        said = headers.get("content-length", "0")
        if said.isdecimal() and int(said) > self._settings.max_body:
            raise self._too_long()

    async def receive(self) -> Message:
        """The next part. Raises `Problem` if there are too many, or it does not come."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            late = f"the body did not arrive within {self._settings.body_seconds:g} seconds"
            raise Problem(400, late, headers=CLOSE) from None
        self._length += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._length > self._settings.max_body:
            raise self._too_long()
        return message

    def give_up(self) -> None:
        """Wait for no more of it."""
        self._ends = 0.0

    async def pass_over(self, headers: Headers) -> bool:
        """Whether the body is read to its end, which is tried for a while: who is still sending hears no answer."""
        if self._whole or (not self._length and headers.get("expect", "").lower() == "100-continue"):
            return self._whole  # who asks before sending hears the answer
        left = 4 * self._settings.max_body
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout_at(min(self._ends, asyncio.get_running_loop().time() + PASSED_OVER)):
                while left > 0 and not self._whole:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self._whole = not message.get("more_body", False)
        return self._whole

    def _too_long(self) -> Problem:
        message = f"the request is longer than the limit of {self._settings.max_body >> 20} MiB"
        return Problem(413, message, headers=CLOSE)
