"""Banks over HTTP: yes or no for uploads and hashes, entries added and removed, and a log of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike import Client
from lookalike.database import Database
from tests.web.conftest import Serve, Served

PHOTO = "cats/01.png"


@pytest.fixture
def banking(photo_folder: Path, model: Path, tmp_path: Path, serve: Serve) -> Iterator[Served]:
    """A server that may write, with a bank of one image."""
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder)
        database.banks.add("known", [photo_folder / PHOTO])
    with serve(tmp_path / "db", write=True, audit=tmp_path / "audit.jsonl", hide_paths=True) as running:
        yield running


def test_uploads_match_or_not_and_are_logged(banking: Served, photo_folder: Path, tmp_path: Path) -> None:
    known, other = ((photo_folder / name).read_bytes() for name in (PHOTO, "dogs/00.jpg"))
    files = [("image", ("a.png", known)), ("image", ("b.jpg", other)), ("image", ("c.jpg", b"no image"))]
    answer = banking.client.post("/api/v1/match", files=files, data={"banks": "known"}).json()
    assert [(one["name"], one["matched"]) for one in answer["answers"]] == [
        ("a.png", True), ("b.jpg", False), ("c.jpg", False),
    ]  # fmt: skip
    (match,) = answer["answers"][0]["matches"]
    assert (match["bank"], match["signal_type"], match["relation"]) == ("known", "image", "exact")
    assert match["path"].endswith(PHOTO)
    assert not match["path"].startswith("/")
    assert answer["answers"][2]["error"]
    found = Client(banking.url).match(known, banks=["known"])
    assert (found.matched, found.matches[0].relation) == (True, "exact")
    assert answer["rate"]["low"] <= answer["rate"]["value"] <= answer["rate"]["high"]
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["sha256"] for line in lines[:3]] == [one["sha256"] for one in answer["answers"]]
    assert {line["request"] for line in lines[:3]} == {answer["request"]}


def test_entries_are_added_listed_and_removed(banking: Served) -> None:
    client, digest = banking.client, hashlib.md5(b"no image").hexdigest()
    new = {"ids": [1, 2], "hashes": [{"signal_type": "HASH_MD5", "signal_value": digest, "name": "bad"}]}
    assert client.post("/api/v1/banks/list", json=new).json() == {"bank": "list", "changed": 3}
    assert [one["name"] for one in client.get("/api/v1/banks").json()["items"]] == ["known", "list"]
    answer = client.post("/api/v1/match", files={"image": b"no image"}).json()["answers"][0]
    assert [(one["bank"], one["path"], one["relation"]) for one in answer["matches"]] == [("list", "bad", "exact")]
    found = client.post("/api/v1/match", json={"signal_type": "md5", "signal": digest, "banks": "list"}).json()
    assert found["answers"][0]["matches"] == answer["matches"]

    first = client.get("/api/v1/banks/list?limit=2").json()
    second = client.get(f"/api/v1/banks/list?limit=2&cursor={first['next']}").json()
    entries = [*first["items"], *second["items"]]
    assert (len(entries), second["next"], first["total"]) == (3, None, 3)
    assert ("md5", digest) in [(one["signal_type"], one["signal_value"]) for one in entries]
    ids = [one["bank_content_id"] for one in entries]
    assert client.post("/api/v1/banks/list/remove", json={"bank_content_ids": ids}).json()["changed"] == 3
    assert client.get("/api/v1/banks/list").status_code == 404


def test_what_is_not_there_or_not_allowed_is_refused(banking: Served, served: Served) -> None:
    client = banking.client
    assert client.post("/api/v1/match", files={"image": b"x"}, data={"banks": "nope"}).status_code == 404
    assert client.post("/api/v1/banks/list", json={"ids": [999]}).status_code == 404
    assert client.post("/api/v1/banks/known/remove", json={"bank_content_ids": [999]}).status_code == 404
    wrong = client.post("/api/v1/match", json={"signal_type": "md5", "signal_value": "00"})
    assert (wrong.status_code, "expected 32 hexadecimal digits" in wrong.json()["error"]["message"]) == (422, True)
    assert client.post("/api/v1/match", json={"signal_type": "crc", "signal_value": "00"}).status_code == 422
    assert served.client.post("/api/v1/match", files={"image": b"x"}).status_code == 404  # it has no banks
    assert served.client.post("/api/v1/banks/list", json={"ids": [1]}).status_code == 403
