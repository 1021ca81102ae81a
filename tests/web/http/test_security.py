"""Access control by host, origin and token; security headers on every answer."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike.core.errors import ConfigError
from lookalike.web.http import security
from lookalike.web.http.settings import Settings
from tests.web.conftest import Serve, Served

TOKEN = "correct horse"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_no_token(host: str) -> None:
    security.check(Settings(host=host))


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"host": "0.0.0.0"}, "--token"),
        ({"host": "192.168.1.5"}, "--token"),
        ({"host": "example.org"}, "--token"),
        ({"token": "short"}, "8 characters"),
        ({"token": "        "}, "space"),
        ({"token": "correct horse\n"}, "invisible characters"),
        ({"token": "ünïcödé-token"}, "ASCII"),
        ({"cors": ("*",)}, "origin"),
        ({"cors": ("https://example.org/path",)}, "origin"),
    ],
)
def test_settings_that_are_refused(given: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        security.check(Settings(**given))


def test_names_that_a_server_answers_to() -> None:
    local = Settings(names=("photos.local",))
    for name in ("localhost", "127.0.0.1", "::1", "photos.local"):
        assert security.may_be_called(name, local)
    for name in ("evil.example", "192.168.1.5", "", "localhost.evil.example"):
        assert not security.may_be_called(name, local)
    open_ = Settings(host="0.0.0.0", token=TOKEN)
    assert security.may_be_called("192.168.1.5", open_)
    assert not security.may_be_called("evil.example", open_)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example", "[::1", "a@b", "1"])
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    for path in ("/", "/api/info", "/static/style.css", "/status", "/status/live", "/openapi.json"):
        answer = served.client.get(path, headers={"host": host})
        assert answer.status_code in (400, 403)
        assert "lookalike" not in answer.text.replace("lookalike serve", "")


def test_a_post_of_another_page_is_refused(served: Served) -> None:
    def status(**headers: str) -> int:
        return served.client.post("/api/search", json={"id": 1}, headers=headers).status_code

    host = served.url.removeprefix("http://")
    assert status() == 200
    assert status(origin=served.url) == 200
    assert status(origin=f"https://{host}") == 200  # as behind a proxy
    assert status(origin="http://evil.example") == 403
    assert status(origin="null") == 403
    assert status(origin="http://127.0.0.1:1") == 403
    assert status(origin="http://[") == 403
    assert status(**{"sec-fetch-site": "cross-site"}) == 403
    assert status(**{"sec-fetch-site": "same-site"}) == 403
    assert status(**{"sec-fetch-site": "same-origin"}) == 200


def test_no_other_page_may_read_answers_unless_it_is_named(served: Served, serve: Serve) -> None:
    origin = {"origin": "https://example.org"}
    assert "access-control-allow-origin" not in served.client.get("/api/info", headers=origin).headers
    with serve(served.path, cors=("https://example.org",)) as other:
        answer = other.client.post("/api/search", json={"id": 1}, headers=origin)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        evil = other.client.get("/api/info", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in evil.headers
        preflight = {
            **origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        }
        assert other.client.options("/api/search", headers=preflight).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/api/info", "/api/nothing", "/static/style.css", "/status", "/metrics"]
)
def test_every_answer_is_marked(served: Served, path: str) -> None:
    headers = served.client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_a_token_is_asked_for(serve: Serve, served: Served) -> None:
    with serve(served.path, token=TOKEN) as guarded:
        for path in ("/", "/api/info", "/status", "/metrics", "/openapi.json", "/nothing"):
            answer = guarded.client.get(path)
            assert (answer.status_code, answer.json()["error"]["type"]) == (401, "unauthorized")
        assert guarded.client.get("/status/live").status_code == 200
        for wrong in ("Bearer wrong", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN}x", "Bearer \xff"):
            headers = httpx.Headers({"authorization": wrong}, encoding="latin-1")
            assert guarded.client.get("/api/info", headers=headers).status_code == 401
        right = {"authorization": f"Bearer {TOKEN}"}
        assert guarded.client.get("/api/info", headers=right).status_code == 200
        assert guarded.client.post("/api/search", json={"id": 1}, headers=right).status_code == 200


def test_a_link_with_the_token_gives_a_cookie(serve: Serve, served: Served) -> None:
    with serve(served.path, token=TOKEN) as guarded:
        wrong = guarded.client.get("/", params={"token": "wrong horse"})
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
        answer = guarded.client.get("/", params={"token": TOKEN, "id": "7"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/?id=7")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert TOKEN not in cookie
        assert guarded.client.get("/api/info").status_code == 200  # the client keeps the cookie
        assert guarded.client.post("/api/search", json={"id": 1}).status_code == 200
        foreign = {"origin": "https://evil.example"}
        assert guarded.client.post("/api/search", json={"id": 1}, headers=foreign).status_code == 403
        guarded.client.cookies.clear()
        assert (
            guarded.client.get("/api/info", headers={"cookie": f"{security.cookie_name(TOKEN)}=wrong"}).status_code
            == 401
        )
        connection = http.client.HTTPConnection(guarded.url.removeprefix("http://"))
        connection.request("GET", f"//evil.example/?token={TOKEN.replace(' ', '%20')}")
        assert connection.getresponse().getheader("location") == "/evil.example/"  # not a page of another server
        connection.close()


def test_two_servers_of_a_machine_keep_their_cookies_apart(serve: Serve, served: Served) -> None:
    other_token = "battery staple"
    with serve(served.path, token=TOKEN) as first, serve(served.path, token=other_token) as second:
        for one, token in ((first, TOKEN), (second, other_token)):
            assert first.client.get(one.url, params={"token": token}).status_code == 303
        for one in (first, second):
            assert first.client.get(f"{one.url}/api/info").status_code == 200


def test_what_fails_inside_is_not_told(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(served.parts.memory, "get", fail)
    answer = served.client.get("/api/info")
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_methods_that_are_not_there(served: Served) -> None:
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT"):
        answer = httpx.request(method, f"{served.url}/api/images/1", trust_env=False)
        assert answer.status_code in (400, 404, 405)


def test_a_person_signs_in_by_a_form(serve: Serve, photo_db: Path) -> None:
    with serve(photo_db, token=TOKEN) as guarded:
        client, page = guarded.client, {"accept": "text/html"}
        first = client.get("/browse?label=cats", headers=page)
        assert (first.status_code, security.WRONG in first.text) == (401, False)
        assert 'name="next" value="/browse?label=cats"' in first.text
        assert first.headers["referrer-policy"] == "same-origin"
        wrong = client.post("/sign-in", data={"token": "wrong", "next": "/browse"})
        assert (wrong.status_code, security.WRONG in wrong.text) == (401, True)
        foreign = client.post("/sign-in", data={"token": TOKEN}, headers={"Origin": "https://example.org"})
        assert foreign.status_code == 403
        assert client.post("/sign-in", content=b"x" * 10_000).status_code == 413
        assert client.get("/api/v1/info").status_code == 401
        right = client.post("/sign-in", data={"token": TOKEN, "next": "//evil.example/browse?label=cats"})
        assert (right.status_code, right.headers["location"]) == (303, "/evil.example/browse?label=cats")
        assert client.get("/api/v1/info").status_code == 200
