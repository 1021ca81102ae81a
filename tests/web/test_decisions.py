"""Decisions over HTTP: stored only if allowed, effective at once, undoable; and plans as files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lookalike.database import Database
from lookalike.duplicates.cleanup import plan_file
from tests.conftest import encoded
from tests.web.conftest import Serve, Served
from tests.web.test_groups import made


@pytest.fixture
def folder(pictures: list[Image.Image], tmp_path: Path) -> Path:
    """Three images with copies: equal bytes, equal pixels, and scaled."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, picture in enumerate(pictures[1:4]):
        png = encoded(picture, "png")
        (folder / f"{number}-a.png").write_bytes(png)
        (folder / f"{number}-b.png").write_bytes(png)
        (folder / f"{number}-c.bmp").write_bytes(encoded(picture, "bmp"))
        os.utime(folder / f"{number}-c.bmp", (0, 0))
    return folder


@pytest.fixture
def db(folder: Path, model: Path, tmp_path: Path) -> Path:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(folder)
    return tmp_path / "db"


@pytest.fixture
def writing(db: Path, serve: Serve) -> Iterator[Served]:
    with serve(db, write=True) as served:
        yield served


def duplicates(served: Served, **values: Any) -> dict[str, Any]:
    """The groups, once pixels have been compared."""
    while not (answer := made(served, "/api/duplicates", radius=0, **values))["pixels"]:
        pass
    return answer


def ids(group: dict[str, Any]) -> list[int]:
    return [image["id"] for image in group["images"]]


def decide(served: Served, kind: str, images: list[int], chosen: list[int] | None = None) -> dict[str, Any]:
    answer = served.client.post("/api/decisions", json={"kind": kind, "images": images, "chosen": chosen or []})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_groups_say_which_is_best_and_how_alike_the_others_are(writing: Served) -> None:
    answer = duplicates(writing)
    assert answer["states"] == {"undecided": 3, "decided": 0, "later": 0}
    for group in answer["groups"]:
        tiers = {image["name"][2:]: image["tier"] for image in group["images"]}
        assert tiers == {"a.png": "same pixels", "b.png": "same pixels", "c.bmp": "kept"}
        best = next(image for image in group["images"] if image["id"] == group["best"])
        assert best["name"].endswith("c.bmp")
        assert group["why"].startswith("oldest file")
        assert (group["state"], group["kept"], group["decision"]) == ("undecided", [], None)


def test_decisions_are_heeded_at_once_and_undone(writing: Served) -> None:
    first, second, third = duplicates(writing)["groups"]
    keep = decide(writing, "keep", ids(first), ids(first)[:1])
    later = decide(writing, "later", ids(second))
    decide(writing, "different", ids(third))
    answer = duplicates(writing)
    assert answer["states"] == {"undecided": 1, "decided": 1, "later": 1}
    kept, put_off, rest = answer["groups"]
    assert (kept["state"], kept["kept"], kept["decision"]) == ("decided", ids(first)[:1], keep["id"])
    assert [image["tier"] for image in kept["images"]] == ["kept", "same bytes", "same pixels"]
    assert (put_off["state"], put_off["decision"]) == ("later", later["id"])
    assert [image["name"][2:] for image in rest["images"]] == ["a.png", "b.png"]  # equal bytes
    for state, group in (("decided", kept), ("later", put_off), ("undecided", rest)):
        assert duplicates(writing, state=state)["groups"] == [group]
    listed = writing.client.get("/api/decisions").json()
    assert (listed["total"], listed["next"]) == (3, None)
    assert [one["kind"] for one in listed["decisions"]] == ["different", "later", "keep"]
    assert listed["decisions"][2] == keep
    assert {image["part"] for image in keep["images"]} == {0, 1}
    of_kind = writing.client.get("/api/decisions", params={"kind": "different"}).json()
    assert (of_kind["total"], of_kind["decisions"]) == (1, listed["decisions"][:1])
    assert sorted(image["id"] for image in keep["images"]) == sorted(ids(first))
    for one in listed["decisions"]:
        assert writing.client.delete(f"/api/decisions/{one['id']}").json() == one
    assert duplicates(writing)["states"]["undecided"] == 3
    assert writing.client.delete(f"/api/decisions/{keep['id']}").status_code == 404


def test_decisions_come_page_by_page(writing: Served) -> None:
    group = duplicates(writing)["groups"][0]
    made_ids = [decide(writing, "keep", ids(group), [kept])["id"] for kept in (*ids(group), *ids(group)[:2])]
    seen, cursor = [], None
    while True:
        values = {"top": 2, **({} if cursor is None else {"cursor": cursor})}
        answer = writing.client.get("/api/decisions", params=values).json()
        seen += [one["id"] for one in answer["decisions"]]
        if (cursor := answer["next"]) is None:
            break
    assert seen == made_ids[::-1]
    assert writing.client.get("/api/decisions", params={"cursor": "x"}).status_code == 422


def test_pages_of_undecided_groups_skip_none_while_they_are_decided(writing: Served) -> None:
    seen, cursor = [], None
    while True:
        values = {"state": "undecided", "top": 1, **({} if cursor is None else {"cursor": cursor})}
        answer = duplicates(writing, **values)
        for group in answer["groups"]:
            seen.append(group["best"])
            decide(writing, "keep", ids(group), [group["best"]])
        if (cursor := answer["next"]) is None:
            break
    assert len(set(seen)) == 3
    assert duplicates(writing)["states"] == {"undecided": 0, "decided": 3, "later": 0}


def test_decisions_are_made_in_batches_and_none_twice(writing: Served) -> None:
    first, second, third = duplicates(writing)["groups"]
    wanted = [
        {"kind": "remove", "images": ids(first), "chosen": ids(first)[1:]},
        {"kind": "skip", "images": ids(second)},
        {"kind": "not-duplicates", "images": ids(third)},
    ]
    made_, again = (writing.client.post("/api/v1/decisions", json={"decisions": wanted}) for _ in range(2))
    assert (made_.status_code, made_.json()) == (201, again.json())  # a lost answer may be asked for again
    assert [one["kind"] for one in made_.json()["items"]] == ["keep", "skip", "not-duplicates"]
    groups = made(writing, "/api/v1/groups", radius=0)
    assert groups["states"] == {"undecided": 1, "decided": 1, "skipped": 1}
    assert groups["items"][0]["kept"] == ids(first)[:1]
    some_wrong = [
        {"kind": "keep", "images": ids(third), "chosen": ids(third)[:1]},
        {"kind": "skip", "images": [1, 999]},
    ]
    assert writing.client.post("/api/v1/decisions", json={"decisions": some_wrong}).status_code == 422
    assert writing.client.get("/api/v1/decisions").json()["total"] == 3  # all or none
    made_ids = [one["id"] for one in made_.json()["items"]]
    assert writing.client.post("/api/v1/decisions/undo", json={"ids": [*made_ids, 99]}).status_code == 404
    undone = writing.client.post("/api/v1/decisions/undo", json={"ids": made_ids}).json()
    assert undone == made_.json()
    assert writing.client.get("/api/v1/decisions").json()["total"] == 0


def test_a_server_that_may_not_write_stores_nothing(db: Path, serve: Serve) -> None:
    with Database.open(db) as database:
        kept = database.decisions.make("later", [1, 2])
    with serve(db) as served:
        for answer in (
            served.client.post("/api/decisions", json={"kind": "later", "images": [1, 2]}),
            served.client.post("/api/decisions", content=b"nonsense"),
            served.client.delete(f"/api/decisions/{kept.id}"),
        ):
            assert answer.status_code == 403
            assert "--write" in answer.json()["error"]["message"]
        assert served.client.get("/api/decisions").json()["total"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "delete", "images": [1, 2]},
        {"kind": "later", "images": [1]},
        {"kind": "later", "images": [1, 1]},
        {"kind": "later", "images": [1, 999]},
        {"kind": "keep", "images": [1, 2]},
        {"kind": "keep", "images": [1, 2], "chosen": [3]},
        {"kind": "different", "images": [1, 2]},  # equal bytes
        {"kind": "later", "images": [1, 2], "more": 1},
        {"images": [1, 2]},
        [],
    ],
)
def test_what_is_not_a_decision_is_refused(body: Any, writing: Served) -> None:
    answer = writing.client.post("/api/decisions", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["message"]
    assert writing.client.get("/api/decisions").json()["total"] == 0


def test_pages_of_other_servers_decide_nothing(writing: Served) -> None:
    for origin in ("https://example.org", "null"):
        headers = {"Origin": origin}
        assert writing.client.post("/api/decisions", json={}, headers=headers).status_code == 403
        assert writing.client.delete("/api/decisions/1", headers=headers).status_code == 403


def test_a_decision_is_seen_by_other_processes_and_the_other_way_round(writing: Served) -> None:
    group = duplicates(writing)["groups"][0]
    with Database.open(writing.path) as database:
        database.decisions.make("keep", ids(group), chosen=[group["best"]])
        assert duplicates(writing)["states"]["decided"] == 1
        decide(writing, "later", ids(group))
        assert [one.kind for one in database.decisions.newest()] == ["later", "keep"]


def test_a_plan_comes_as_a_file(writing: Served, tmp_path: Path) -> None:
    groups = duplicates(writing)["groups"]
    decide(writing, "keep", ids(groups[0]), ids(groups[0])[:2])
    decide(writing, "later", ids(groups[1]))
    for ending, kind in (("json", "application/json"), ("csv", "text/csv; charset=utf-8")):
        answer = writing.client.get("/api/duplicates/plan", params={"radius": 0, "format": ending})
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"] == f'attachment; filename="plan.{ending}"'
        file = tmp_path / f"plan.{ending}"
        file.write_bytes(answer.content)
        plan = plan_file.read(file)
        assert [len(group.entries) for group in plan.groups] == [3, 3]
        assert [sum(entry.action == "remove" for entry in group.entries) for group in plan.groups] == [1, 2]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["why"] for row in rows if row["group"] == "1" and row["action"] == "keep"} == {"as was decided"}
    assert writing.client.get("/api/duplicates/plan", params={"format": "xml"}).status_code == 422
