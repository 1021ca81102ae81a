"""Groups, map, model and bits are computed in the background, and correct."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from lookalike.data import Item
from lookalike.database import Database
from lookalike.duplicates.request import Strictness
from lookalike.hasher import Hasher
from lookalike.imaging.thumbnails import pack
from lookalike.store.records import IndexOutcome
from lookalike.web.state import maps, reviews
from tests.web.conftest import Serve, Served


def made(served: Served, path: str, **values: Any) -> dict[str, Any]:
    """The answer, once it is computed."""
    end = time.monotonic() + 60
    while (answer := served.client.get(path, params=values)).status_code == 202:
        assert set(answer.json()) == {"done", "total"}
        assert time.monotonic() < end
        time.sleep(0.05)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
def copies(photo_folder: Path, model: Path, tmp_path: Path) -> Path:
    """A database with copies of some photographs."""
    for name in ("cats/01.png", "dogs/00.jpg", "dogs/03.gif"):
        file = photo_folder / name
        file.with_name(f"copy-{file.name}").write_bytes(file.read_bytes())
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder, labels_from_folders=True)
    return tmp_path / "db"


def test_groups_are_those_of_the_database(copies: Path, serve: Serve) -> None:
    with Database.open(copies) as database:
        expected = database.duplicates(radius=2)
    with serve(copies) as served:
        answer = made(served, "/api/duplicates", radius=2)
        got = [[(one["id"], one["distance"], one["size"]) for one in group["images"]] for group in answer["groups"]]
        assert got == [[(one.id, one.distance, one.size) for one in group] for group in expected]
        assert len(got) >= 3
        assert (answer["total"], answer["images"]) == (len(expected), sum(map(len, expected)))
        assert answer["fresh"]
        assert answer["next"] is None
        first = made(served, "/api/duplicates", radius=2, top=2)
        rest = made(served, "/api/duplicates", radius=2, top=200, cursor=first["next"])
        assert first["groups"] + rest["groups"] == answer["groups"]
        assert made(served, "/api/duplicates")["radius"] == 4  # the near-duplicate radius of this model
        assert served.client.get("/api/duplicates", params={"radius": 9}).status_code == 422
        assert served.client.get("/api/duplicates", params={"cursor": "x"}).status_code == 422


def test_groups_say_what_can_go(copies: Path, serve: Serve) -> None:
    with serve(copies) as served:
        while not (answer := made(served, "/api/v1/groups", radius=2))["pixels"]:
            pass
        going = [one for group in answer["items"] for one in group["images"] if one["action"] == "remove"]
        assert answer["removable"] == len(going) == answer["images"] - answer["total"]
        assert answer["freed"] == sum(one["size"] for one in going) == sum(one["freed"] for one in answer["items"])
        assert {one["action"] for one in going} == {"remove"}
        for relation, count in answer["relations"].items():
            of_it = made(served, "/api/v1/groups", radius=2, relation=relation)
            assert of_it["total"] == count == len(of_it["items"])
        exact = made(served, "/api/v1/groups", radius=2, relation="exact")["items"]
        assert {one["relation"] for group in exact for one in group["images"]} == {"exact"}
        first = made(served, "/api/v1/groups", radius=2, limit=2)
        assert first["items"] == answer["items"][:2]
        assert made(served, "/api/v1/groups", radius=2, cursor=first["next"])["items"] == answer["items"][2:]


@pytest.fixture
def other_picture(copies: Path) -> Path:
    """The same database, with another picture that has the code of a repeated photograph."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    with Database.open(copies) as database:
        (twice,) = (record for record in database.records() if record.name.endswith("copy-01.png"))
        item = Item("/elsewhere", "noise.png", 1, 1)
        with database.store.local().transaction():
            database.store.local().write(
                IndexOutcome(item=item, code=twice.code, digest=b"noise", width=64, height=64, thumbnail=pack([noise]))
            )
            database.store.local().touch()
    return copies


def test_the_number_of_rejected_pairs_is_reported(other_picture: Path, serve: Serve) -> None:
    with serve(other_picture) as served:
        answer = made(served, "/api/duplicates", radius=0)
        assert (answer["differing"], answer["by_code"]) == (2, 0)
        paths = [image["path"] for group in answer["groups"] for image in group["images"]]
        assert any(path.endswith("copy-01.png") for path in paths)
        assert not any(path.endswith("noise.png") for path in paths)


def test_the_progress_of_comparing_never_goes_back(other_picture: Path) -> None:
    seen: list[float] = []
    with Database.open(other_picture) as database:
        reviews.comparing(Strictness.NORMAL, 0).run(database, lambda done, total: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_groups_follow_the_collection(copies: Path, photo_folder: Path, serve: Serve) -> None:
    with serve(copies) as served:
        before = made(served, "/api/duplicates", radius=0)
        with Database.open(copies) as database:
            database.remove([photo_folder / "cats/copy-01.png"])
        old = made(served, "/api/duplicates", radius=0)  # the old ones, while the new ones are computed
        assert old["fresh"] or old["total"] == before["total"]
        end = time.monotonic() + 30
        while not (new := made(served, "/api/duplicates", radius=0))["fresh"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert new["total"] == before["total"] - 1
        assert new["revision"] > before["revision"]


def test_the_map_places_all_images(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(served, "/api/map")
    assert sorted(found["ids"]) == list(range(1, 41))
    assert found["total"] == 40
    for axis in ("x", "y"):
        assert len(found[axis]) == 40
        assert 0 <= min(found[axis]) < max(found[axis]) <= maps.GRID
    assert found["labels"] == ["cats", "dogs"]
    assert sorted(set(found["label"])) == [0, 1]


def test_the_model_is_described(served: Served) -> None:
    model = served.client.get("/api/model").json()
    with Database.open(served.path) as database:
        codes_NW = np.asarray(database.codes()[1])
        assert model["name"] == database.hasher.name
    balance_K = np.unpackbits(codes_NW, axis=1).mean(axis=0)
    np.testing.assert_allclose(model["use"]["balance"], balance_K, atol=1e-6)
    assert model["about"]["bits"] == 64
    assert len(model["theta"]) == 64


def test_an_empty_database(model: Path, tmp_path: Path, serve: Serve) -> None:
    Database.create(tmp_path / "db", model=model).close()
    with serve(tmp_path / "db") as served:
        assert served.client.post("/api/search", json={"code": "00" * 8}).json()["hits"] == []
        assert served.client.get("/api/images").json() == {"images": [], "total": 0, "next": None}
        assert made(served, "/api/duplicates")["groups"] == []
        assert made(served, "/api/map")["ids"] == []
        assert served.client.get("/api/model").json()["use"] is None
        assert served.client.get("/status").json()["ready"]


def test_work_that_fails_is_reported_once_and_tried_again(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any, **named: Any) -> Any:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "compare", fail)
        answers = []
        for _ in range(100):
            answers.append(served.client.get("/api/duplicates", params={"radius": 7}))
            if answers[-1].status_code != 202:
                break
            time.sleep(0.05)
        assert answers[-1].status_code == 500
    assert made(served, "/api/duplicates", radius=7)["radius"] == 7


def test_metrics_count(served: Served) -> None:
    served.client.post("/api/search", json={"id": 1})
    text = httpx.get(f"{served.url}/metrics", trust_env=False).text
    assert 'lookalike_requests_total{method="POST",route="/api/v1/search",status="200"}' in text
    assert "lookalike_images 40.0" in text
    assert "lookalike_index_fresh 1.0" in text
    assert "lookalike_search_seconds_count" in text


def test_the_threshold_of_a_model_that_is_the_first_bits_of_another_is_the_first_part_of_its() -> None:
    short, long = (Hasher.load(name) for name in ("default", "default-128"))
    thresholds = [one.theta for one in (short, long)]
    assert [None if one is None else one.shape for one in thresholds] == [(64,), (128,)]
    assert (thresholds[0] == thresholds[1][:64]).all()  # type: ignore[index]
