"""Request authorisation, and security headers for every response.

A foreign page must not reach a server on this machine through a user's browser. So the host name (Host) is checked,
because any name can point to an address, and requests that change or cost something (POST) must come from the server's
own page (Origin). Without `--cors`, other pages cannot read responses.
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

OPEN = ("/status/live", "/static/")  # reveal nothing, and are open to anyone: the page to sign in needs its style
SIGN_IN, LONGEST_FORM = "/sign-in", 8192  # bytes
WRONG = "Wrong token. Try again."
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
CLOSE = {"Connection": "close"}  # do not wait for the rest of the request
DRAIN_SECONDS = 5.0  # seconds for which an unwanted body is still read, so that its sender receives the answer
_log = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raise `ConfigError` for a public address without a token, or a weak token."""
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
    """Raise `ConfigError` for a token that is too weak, or cannot be sent."""
    if not token:
        raise ConfigError(f"the token is empty; pass one of at least {LEAST_TOKEN} characters, or leave out --token")
    if not (token.isascii() and token.isprintable()):
        raise ConfigError("the token has non-ASCII or invisible characters; use letters, digits and punctuation")
    if token != token.strip():
        raise ConfigError("the token begins or ends with a space, which would be lost; remove it")
    if len(token) < LEAST_TOKEN:
        raise ConfigError(f"the token has {len(token)} characters; it must have at least {LEAST_TOKEN} characters")


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(headers: Mapping[str, str]) -> str:
    """The host name in the Host header, without the port."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def may_be_called(host: str, settings: Settings) -> bool:
    """Whether the server answers to a host name: its own, this machine's, and IP addresses if it is public."""
    if host in LOOPBACK or host in settings.names or host == settings.host:
        return True
    if is_loopback(settings.host):
        return False
    try:
        ipaddress.ip_address(host)  # unlike a name, an IP address cannot be pointed at another machine
    except ValueError:
        return host in (socket.gethostname().lower(), socket.getfqdn().lower())
    return True


def _is_foreign(headers: Mapping[str, str], settings: Settings) -> bool:
    """Whether another server's page sent a request. Programs send no origin and are not pages."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if origin in settings.cors:
        return False
    scheme, _, authority = origin.lower().partition("://")
    return scheme not in ("http", "https") or authority != headers.get("host", "").lower()


def cookie_name(token: str) -> str:
    """The cookie's name, specific to the token, because browsers send cookies to all ports of a machine."""
    return f"lookalike-{hashlib.sha256(f'lookalike name {token}'.encode()).hexdigest()[:12]}"


def cookie_value(token: str) -> str:
    """The cookie's value, which replaces the token."""
    return hashlib.sha256(f"lookalike {token}".encode()).hexdigest()


def _knows_token(headers: Mapping[str, str], token: str) -> bool:
    """Whether a request has the token, in a header or as the cookie."""
    given = headers.get("authorization", "")
    if given[:7].lower() == "bearer " and hmac.compare_digest(given[7:].strip().encode(), token.encode()):
        return True
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(cookie_name(token))
    except CookieError:
        return False
    return cookie is not None and hmac.compare_digest(cookie.value.encode(), cookie_value(token).encode())


def _tries_token(scope: Scope, headers: Mapping[str, str], token: str) -> bool:
    """Whether a request has any token, right or wrong; cookies of other servers on this machine do not count."""
    cookie = cookie_name(token) in headers.get("cookie", "")
    return "authorization" in headers or b"token=" in scope["query_string"] or cookie


def _check_request(method: str, path: str, headers: Mapping[str, str], settings: Settings) -> None:
    """Raise `Problem` for a request that is not allowed."""
    host = _host_of(headers)
    if not may_be_called(host, settings):
        raise Problem(403, f"the host name {host!r} is not allowed; allow it with: --allow-host {host or 'NAME'}")
    if method not in SAFE and _is_foreign(headers, settings):
        raise Problem(403, "pages of other servers may not send this; allow one with: --cors ORIGIN")
    if settings.token and not path.startswith(OPEN) and not _knows_token(headers, settings.token):
        raise Problem(
            401,
            "a token is needed: the link with ?token=… that the server printed, or the header Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )


class SecurityMiddleware:
    """Refuses forbidden requests, limits bodies, and adds security headers to every response."""

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
        handled = (
            {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        )  # the same, without sending the body

        async def marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if not await body.drain(headers):
                    MutableHeaders(scope=message).update(CLOSE)
                _mark(MutableHeaders(scope=message))
            await send(message)

        body = _Body(receive, self._settings, headers)
        try:
            answer = await self._signed_in(scope, headers, body) or self._with_cookie(scope, headers)
            if answer is None:
                _check_request(scope["method"], scope["path"], headers, self._settings)
                body.check_length(headers)
                await self._app(handled, body.receive, marked)
                return
        except asyncio.CancelledError:  # the server is stopping, and this request takes too long
            body.give_up()
            answer = problems.response(503, "the server is stopping", headers=CLOSE)
        except Exception as error:
            answer = _refusal(error, scope, headers)
            if answer.status_code == 401 and _tries_token(scope, headers, self._settings.token):
                await asyncio.sleep(self._throttle.wrong((scope.get("client") or ("",))[0]))
        finally:
            if "route" in handled:
                scope["route"] = handled["route"]  # the metrics count requests by route
        if not started:
            await answer(scope, receive, marked)

    def _with_cookie(self, scope: Scope, headers: Headers) -> Response | None:
        """For a link with the right ?token=: a redirect to the page without it, which sets the cookie instead."""
        token = self._settings.token
        if not token or scope["method"] != "GET" or b"token=" not in scope["query_string"]:
            return None
        values = parse_qsl(scope["query_string"].decode("latin-1"))
        given = next((value for name, value in values if name == "token"), "")
        right = hmac.compare_digest(given.encode(), token.encode())
        if not right or not may_be_called(_host_of(headers), self._settings):
            return None
        rest = urlencode([(name, value) for name, value in values if name != "token"])
        return self._to(scope["path"] + (f"?{rest}" if rest else ""), scope)

    async def _signed_in(self, scope: Scope, headers: Headers, body: _Body) -> Response | None:
        """For the form of the page to sign in: a redirect that sets the cookie, or the form again."""
        token = self._settings.token
        if not token or (scope["method"], scope["path"]) != ("POST", SIGN_IN):
            return None
        _check_request("POST", OPEN[0], headers, self._settings)
        content, more = b"", True
        while more:
            message = await body.receive()
            content, more = content + message.get("body", b""), message.get("more_body", False)
            if len(content) > LONGEST_FORM:
                raise Problem(413, "the form is too long; it has a token and the page to open next", headers=CLOSE)
        values = dict(parse_qsl(content.decode("ascii", "replace")))
        after = values.get("next", "/")
        if hmac.compare_digest(values.get("token", "").encode(), token.encode()):
            return self._to(after, scope)
        await asyncio.sleep(self._throttle.wrong((scope.get("client") or ("",))[0]))
        return _sign_in_page(headers, after, wrong=WRONG)

    def _to(self, path: str, scope: Scope) -> Response:
        """A redirect to a page of this server, which sets the cookie."""
        token = self._settings.token
        local = "/" + path.lstrip("/\\")  # two slashes would begin another server's name
        answer = RedirectResponse(local, 303)
        answer.set_cookie(
            cookie_name(token), cookie_value(token), max_age=COOKIE_SECONDS, httponly=True, samesite="lax",
            secure=scope.get("scheme") == "https",
        )  # fmt: skip
        return answer


def _refusal(error: Exception, scope: Scope, headers: Headers) -> Response:
    """The response to a refused or failed request."""
    if not isinstance(error, Problem):
        _log.error("%s %s failed", scope["method"], printable(scope["path"]), exc_info=error)
        return problems.response(500, problems.UNKNOWN)
    if error.status == 401 and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope["query_string"].decode("latin-1")
        rest = urlencode([(name, value) for name, value in parse_qsl(query) if name != "token"])
        wrong = WRONG if "token=" in query else ""
        return _sign_in_page(headers, scope["path"] + (f"?{rest}" if rest else ""), wrong=wrong)
    return problems.response(error.status, str(error), headers=error.headers)


def _sign_in_page(headers: Headers, after: str, *, wrong: str) -> Response:
    """The page for a person, who can type the token."""
    languages = headers.get("accept-language", "")
    page = pages.render(
        "token.html", status=401, languages=languages, wrong=wrong, said="token.wrong" if wrong else "", next=after
    )
    page.headers["Referrer-Policy"] = "same-origin"  # without it, browsers hide the origin of the form
    return page


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
        """Raise `Problem` if the declared length is too long."""
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._settings.max_body:
            raise self._too_long()

    async def receive(self) -> Message:
        """The next part. Raises `Problem` if there is too much, or it is late."""
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
        """Stop waiting for the rest."""
        self._ends = 0.0

    async def drain(self, headers: Headers) -> bool:
        """Read the rest of the body for a while, because a client still sending misses the answer; True if complete."""
        if self._whole or (not self._length and headers.get("expect", "").lower() == "100-continue"):
            return self._whole  # a client that asks before sending receives the answer
        left = 4 * self._settings.max_body
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout_at(min(self._ends, asyncio.get_running_loop().time() + DRAIN_SECONDS)):
                while left > 0 and not self._whole:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self._whole = not message.get("more_body", False)
        return self._whole

    def _too_long(self) -> Problem:
        message = f"the request is longer than the limit of {self._settings.max_body >> 20} MiB"
        return Problem(413, message, headers=CLOSE)
