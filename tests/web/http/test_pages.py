"""Pages are self-contained, comply with the content security policy, and have the right cache headers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lookalike import __version__
from lookalike.web.http import pages
from tests.web.conftest import Served

WEB = pages.FOLDER
PAGES = {"index.html": "/", "docs.html": "/docs"}


@pytest.mark.parametrize("path", PAGES.values())
def test_pages_and_what_they_name_are_there(served: Served, path: str) -> None:
    answer = served.client.get(path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(named) > 3
    for link in named:
        assert link.startswith("/")
        found = served.client.get(link)
        assert found.status_code == 200, link
        if link.startswith("/static"):
            assert f"v={__version__}" in link
            assert "immutable" in found.headers["cache-control"]


def test_static_files_are_asked_about(served: Served) -> None:
    answer = served.client.get("/static/style.css")
    assert answer.headers["cache-control"] == "no-cache"
    again = served.client.get("/static/style.css", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


def files(*endings: str) -> list[Path]:
    return [path for path in sorted(WEB.rglob("*")) if path.suffix in endings]


def test_nothing_comes_from_elsewhere() -> None:
    """No address of another server in anything sent to a browser."""
    assert files(".html") != []
    for path in files(".html", ".js", ".css"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"https?://(?!www\.w3\.org/)[\w.]+", text) == [], path
        assert re.findall(r"""["'(]//\w""", text) == [], path


def test_no_inline_code_and_no_markup_from_text() -> None:
    for path in files(".html"):
        text = path.read_text(encoding="utf-8")
        assert re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=|javascript:", text) is None, path
    for path in files(".js"):
        if "vendor" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        assert re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text) is None


def test_values_in_pages_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/page.html").write_text("<p>$name</p>")
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    assert pages.render("page.html", name='<b>"').body == b"<p>&lt;b&gt;&quot;</p>"


def test_the_description_has_examples(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    assert document["info"]["version"] == __version__
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (method, path)
            assert {"200", "201", "202"} & set(operation["responses"])
            assert operation["operationId"].isidentifier()
            assert len(operation["operationId"]) < 30
            assert operation["tags"]
            for parameter in operation.get("parameters", []):
                assert parameter.get("examples") or parameter["schema"].get("examples"), (path, parameter["name"])
    assert set(document["components"]["securitySchemes"]) == {"token", "cookie"}
    content = document["paths"]["/api/v1/search"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    assert content["application/json"]["example"] == {"id": 1, "top": 5}
    assert "csvae" in json.dumps(document)


# answers of aliases that the page uses
OLD = {"Answer", "Asked", "Page", "Labels", "Decisions", "Scenes", "Calibrated"}


def test_types_of_answers_are_those_of_the_api(served: Served) -> None:
    """The types for the page's JavaScript have only fields of the answers, with matching types."""
    schemas = served.client.get("/openapi.json").json()["components"]["schemas"]
    texts = [file.read_text(encoding="utf-8") for file in sorted(WEB.glob("*.d.ts"))]
    text = "".join(one.partition("declare namespace api {")[2].partition("\n}\n")[0] for one in texts)
    found = re.findall(r"interface (\w+)(?: extends (\w+))? \{\n(.*?)\n  \}", text, re.S)
    assert len(found) > 15
    for name, _, body in found:
        if name == "About" or name in OLD:  # a model file's metadata, which has no schema
            continue
        for field, kind in re.findall(r"^    (\w+): (.+);$", body, re.M):
            schema = schemas[name]["properties"].get(field)
            assert schema is not None, f"{name}.{field}"
            kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
            assert ("null" in kinds) == ("null" in kind), f"{name}.{field}"
            assert not kinds & {"integer", "number"} or "number" in kind, f"{name}.{field}"
            assert "boolean" not in kinds or kind == "boolean", f"{name}.{field}"
