"""docs/http.md lists exactly the existing routes, errors and methods."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lookalike import Client
from lookalike.web.api.schemas import FileQuery, IdOrCode
from lookalike.web.http.problems import TYPES
from tests.web.conftest import Served

TEXT = (Path(__file__).resolve().parents[2] / "docs/http.md").read_text(encoding="utf-8")
UNDESCRIBED = {("GET", "/metrics")}  # not JSON, and only for Prometheus


@pytest.fixture
def described(served: Served) -> set[tuple[str, str]]:
    paths = served.client.get("/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


def test_the_table_has_every_route(described: set[tuple[str, str]]) -> None:
    rows = set(re.findall(r"^\| `(GET|POST|DELETE) ([^`]+)` \|", TEXT, re.M))
    assert rows == described | UNDESCRIBED
    named = set(re.findall(r"`(GET|POST|DELETE) (/[^` ]*)", TEXT))
    assert named <= rows


def test_errors_are_named(served: Served) -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| `(\w+)` \|", TEXT, re.M))
    assert {int(status): name for status, name in rows.items()} == {
        status: name for status, name in TYPES.items() if status != 500
    }


def test_fields_of_a_search_are_named() -> None:
    part = TEXT.partition("**Search**")[2].partition("\n\n")[0]
    assert ({*FileQuery.model_fields, *IdOrCode.model_fields}) - set(re.findall(r"`(\w+)(?:=true)?`", part)) == set()


def test_the_example_is_an_answer(served: Served, photo_bytes: list[bytes]) -> None:
    import json

    example = json.loads(re.findall(r"^```json\n(.*?)^```$", TEXT, re.M | re.S)[0])
    answer = served.client.post("/api/v1/search", files={"image": photo_bytes[0]}).json()
    assert set(example) == set(answer)
    (shown,), (given,) = example["answers"], answer["answers"]
    assert set(shown) == set(given)
    assert set(shown["query"]) == set(given["query"])
    assert set(shown["hits"][0]) == set(given["hits"][0])


def test_methods_of_the_client_are_named() -> None:
    public = {name for name in vars(Client) if not name.startswith("_")}
    named = set(re.findall(r"`(\w+)`", TEXT.partition("It has ")[2].partition("\n\n")[0]))
    assert named == public
