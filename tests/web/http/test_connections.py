"""Idle connections are closed, their number is limited, and refusals reach clients that are still sending."""

from __future__ import annotations

import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import httpx
import pytest

from lookalike.web.http import serving
from tests.web.conftest import Serve, Served
from tests.web.test_life import started, until

REQUEST = b"GET /status/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["nothing", "half"])
@pytest.mark.parametrize("is_first", [True, False])
def test_headers_are_not_waited_for(
    is_first: bool, sent: bytes, serve: Serve, photo_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "KEEP_ALIVE", 1)
    with serve(photo_db, header_seconds=0.5) as served, connect(served.url) as connection:
        connection.settimeout(30)
        if not is_first:
            connection.sendall(REQUEST + b"\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(sent)
        while connection.recv(65536):  # until the server closes it
            pass


def test_no_more_connections_than_may_be(serve: Serve, photo_db: Path) -> None:
    with serve(photo_db, connections=2) as served:
        held = [connect(served.url) for _ in range(2)]
        with connect(served.url) as third:
            assert third.recv(65536).startswith(b"HTTP/1.1 503 ")
        for one in held:
            one.close()
        until(lambda: _is_answered(served))


def _is_answered(served: Served) -> bool:
    try:
        return served.client.get("/status/live").status_code == 200
    except httpx.TransportError:  # closed connections count for another moment
        return False


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/search", {"Content-Type": "text/plain"}, 415),
        ("/api/search", {"Content-Type": "application/json"}, 413),
        ("/api/search", {"Host": "evil.example"}, 403),
        ("/api/nothing", {}, 404),
    ],
)
def test_a_refusal_reaches_who_is_still_sending(
    path: str, headers: dict[str, str], status: int, served: Served
) -> None:
    request = urllib.request.Request(served.url + path, b"x" * (20 << 20), headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)
    with caught.value as answer:
        assert answer.code == status


def test_stopping_during_a_slow_upload_is_no_failure(photo_db: Path) -> None:
    with started("--db", photo_db, "--port", 0) as (process, url), connect(url) as connection:
        connection.sendall(
            b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert httpx.get(f"{url}status/live", trust_env=False).status_code == 200  # after the bytes above were read
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, "Traceback" in said) == (0, False), said


def test_head_is_answered_like_get(served: Served) -> None:
    for path in ("/", "/api/info", "/api/images/1/thumbnail", "/static/style.css", "/status"):
        head, get = served.client.head(path), served.client.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
    assert served.client.head("/api/search").status_code == 405


def test_an_address_that_is_none_is_a_page_for_people(served: Served) -> None:
    browser = {"accept": "text/html,*/*"}
    page = served.client.get("/nope", headers=browser)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    for answer in (served.client.get("/nope"), served.client.get("/api/nope", headers=browser)):
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")
