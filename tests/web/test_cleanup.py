"""Plans carried out by the server: dry run, trash, history, undo; also if the server is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from lookalike.database import Database
from lookalike.web.state import plans
from tests.conftest import encoded
from tests.web.conftest import Serve, Served
from tests.web.test_decisions import db, folder
from tests.web.test_groups import made

__all__ = ["db", "folder"]  # fixtures
SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture
def cleaning(db: Path, tmp_path: Path, serve: Serve) -> Iterator[Served]:
    with serve(db, write=True, trash=tmp_path / "trash", roots=(str(tmp_path),)) as served:
        yield served


def over(client: httpx.Client, job: str) -> dict[str, Any]:
    """A job once it is over, by its events."""
    with client.stream("GET", f"/api/v1/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line for line in answer.iter_lines() if line.startswith("data: ")]
    assert events
    found: dict[str, Any] = client.get(f"/api/v1/jobs/{job}").json()
    assert found["state"] not in ("waiting", "running", "paused")
    return found


def planned(client: httpx.Client, **wanted: Any) -> dict[str, Any]:
    """A plan after its dry run."""
    end = time.monotonic() + 120
    while (answer := client.post("/api/v1/plans", json=wanted)).status_code == 202:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert answer.status_code == 201, answer.text
    assert over(client, answer.json()["job"])["state"] == "done"
    plan: dict[str, Any] = client.get(f"/api/v1/plans/{answer.json()['id']}").json()
    assert plan["checked"]
    return plan


def confirmed(plan: dict[str, Any]) -> dict[str, int]:
    return {"count": plan["count"], "bytes": plan["bytes"]}


def test_a_plan_is_carried_out_and_undone(cleaning: Served, folder: Path, tmp_path: Path) -> None:
    client, before = cleaning.client, {path.name: path.read_bytes() for path in folder.iterdir()}
    assert client.get("/api/v1/info").json()["trash"] == str(tmp_path / "trash")
    plan = planned(client)
    assert (plan["groups"], plan["count"], plan["refused"]) == (3, 6, [])
    assert plan["bytes"] == sum(one["size"] for one in plan["sample"])
    files = client.get(f"/api/v1/plans/{plan['id']}/files", params={"limit": 4}).json()
    assert (len(files["items"]), files["total"]) == (4, 9)
    assert client.get(f"/api/v1/plans/{plan['id']}/file", params={"format": "csv"}).text.startswith("group,action,path")
    assert client.get("/api/v1/runs").json()["items"] == []
    path = f"/api/v1/plans/{plan['id']}/apply"
    assert client.post(path, json={**confirmed(plan), "count": 7}).status_code == 409
    assert len(list(folder.iterdir())) == 9  # nothing was moved
    job = client.post(path, json=confirmed(plan))
    assert job.status_code == 202, job.text
    done = over(client, job.json()["id"])
    assert (done["state"], done["result"]["files"], done["result"]["bytes"]) == ("done", 6, plan["bytes"])
    assert len(list(folder.iterdir())) == 3
    (run,) = client.get("/api/v1/runs").json()["items"]
    assert (run["id"], run["state"], run["count"], run["files"]) == (plan["id"], "applied", 6, 6)
    assert run["bytes"] == plan["bytes"]
    moved = client.get(f"/api/v1/runs/{run['id']}/files").json()["items"]
    assert all(one["in_trash"] and Path(one["to"]).exists() and not Path(one["path"]).exists() for one in moved)
    assert client.get("/api/v1/info").json()["images"] == 3
    undone = over(client, client.post(f"/api/v1/runs/{run['id']}/undo").json()["id"])
    assert (undone["state"], undone["result"]["files"]) == ("done", 6)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (run,) = client.get("/api/v1/runs").json()["items"]
    assert (run["state"], run["files"]) == ("undone", 0)


def test_hidden_paths_are_in_no_plan_and_no_history(db: Path, tmp_path: Path, serve: Serve) -> None:
    roots = (str(tmp_path),)
    with serve(db, write=True, trash=tmp_path / "trash", hide_paths=True, roots=roots) as served:
        (root,) = served.client.get("/api/v1/info").json()["roots_to_index"]
        assert served.client.post("/api/v1/index", json={"folder": f"{root}/none"}).status_code == 422
        started = served.client.post("/api/v1/index", json={"folder": root})
        assert over(served.client, started.json()["id"])["state"] == "done"
        plan = planned(served.client)
        assert over(served.client, served.client.post(
            f"/api/v1/plans/{plan['id']}/apply", json=confirmed(plan)
        ).json()["id"])["state"] == "done"  # fmt: skip
        shown = [
            served.client.get(f"/api/v1/{path}").text for path in ("info", "runs", f"runs/{plan['id']}/files", "jobs")
        ]
        assert str(tmp_path) not in "".join(shown)
        for path in ("/api/v1/plan", "/api/duplicates/plan", f"/api/v1/plans/{plan['id']}/file"):
            assert served.client.get(path).status_code == 403


def test_only_what_was_asked_for_is_removed(cleaning: Served) -> None:
    client = cleaning.client
    groups = made(cleaning, "/api/v1/groups", strictness="normal")["items"]
    exact = planned(client, relations=["exact"])
    assert exact["count"] == 3  # one of the two with the same bytes; the other and the kept share pixels only
    one = planned(client, groups=[groups[0]["id"]])
    assert (one["groups"], one["count"]) == (1, 2)
    assert planned(client, relations=[])["count"] == 0
    images = [image["id"] for image in groups[1]["images"]]
    decision = {"kind": "keep", "images": images, "chosen": images[:1]}
    assert client.post("/api/v1/decisions", json={"decisions": [decision]}).status_code == 201
    assert planned(client, relations=[])["count"] == 2
    assert client.post(f"/api/v1/plans/{one['id']}/apply", json=confirmed(one)).status_code == 409  # decided since


def test_a_file_that_changed_since_the_dry_run_is_left(cleaning: Served, folder: Path) -> None:
    plan = planned(cleaning.client)
    (folder / "0-a.png").write_bytes(b"changed")
    answer = cleaning.client.post(f"/api/v1/plans/{plan['id']}/apply", json=confirmed(plan))
    assert answer.status_code == 409
    assert "0-a.png" in answer.json()["error"]["message"]
    again = planned(cleaning.client)
    assert "has changed" in again["refused"][0]["why"]
    assert again["count"] < plan["count"]


def test_nothing_is_moved_without_a_trash(db: Path, serve: Serve) -> None:
    for given, part in (({}, "--write"), ({"write": True}, "--trash")):
        with serve(db, **given) as served:
            for path, body in (("/plans", {}), ("/plans/20260501-100000-3f2a1b/apply", {"count": 0, "bytes": 0})):
                answer = served.client.post(f"/api/v1{path}", json=body)
                assert (answer.status_code, part in answer.json()["error"]["message"]) == (403, True), answer.text
    assert not (db / "cleanup").exists()


def test_a_folder_is_indexed_below_the_roots_only(cleaning: Served, folder: Path, tmp_path: Path) -> None:
    client = cleaning.client
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "one.png").write_bytes(encoded(Image.effect_noise((64, 64), 90).convert("RGB"), "png"))
    (tmp_path / "new" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0broken")
    (tmp_path / "away").symlink_to("/usr")
    for wrong in ("/usr", str(tmp_path / "away"), str(tmp_path / ".." / "..")):
        assert client.post("/api/v1/index", json={"folder": wrong}).status_code == 403
    assert client.post("/api/v1/index", json={"folder": str(tmp_path / "none")}).status_code == 422
    started = client.post("/api/v1/index", json={"folder": str(tmp_path / "new")})
    assert started.status_code == 202, started.text
    job = over(client, started.json()["id"])
    assert (job["state"], job["result"]["encoded"], job["result"]["failed"]) == ("done", 1, 1)
    assert client.post(f"/api/v1/jobs/{job['id']}/pause").status_code == 409
    assert [one["id"] for one in client.get("/api/v1/jobs").json()["items"]] == [job["id"]]
    assert client.get("/api/v1/jobs/20260501-100000-3f2a1b").status_code == 404


@contextlib.contextmanager
def process(db: Path, trash: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A server in a process of its own."""
    command = [sys.executable, "-m", "lookalike", "serve", "--db", str(db), "--port", "0", "--write", "--trash"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    server = subprocess.Popen([*command, str(trash)], stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    try:
        with httpx.Client(base_url=server.stdout.readline().strip(), timeout=60, trust_env=False) as client:
            yield server, client
    finally:
        server.kill()
        server.communicate(timeout=60)


def test_a_server_killed_while_it_moves_files_leaves_history_true(model: Path, tmp_path: Path) -> None:
    folder, picture = tmp_path / "many", Image.effect_noise((96, 96), 90).convert("RGB")
    folder.mkdir()
    for number in range(400):
        (folder / f"{number:03}.png").write_bytes(encoded(picture, "png"))
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with process(tmp_path / "db", tmp_path / "trash") as (server, client):
        plan = planned(client)
        assert plan["count"] == 399
        path = f"/api/v1/plans/{plan['id']}/apply"
        assert client.post(path, json=confirmed(plan)).status_code == 202
        while len(list(folder.iterdir())) > 390:
            time.sleep(0.001)
        os.kill(server.pid, signal.SIGKILL)
        server.wait(60)
    moved = 400 - len(list(folder.iterdir()))
    assert 0 < moved < 399, "the test was too slow"
    with process(tmp_path / "db", tmp_path / "trash") as (_, client):
        (run,) = client.get("/api/v1/runs").json()["items"]
        assert (run["state"], run["files"]) == ("interrupted", moved)
        with Database.open(tmp_path / "db") as database:
            (known,) = plans.runs(database, jobs=[])  # also when its job is forgotten
        assert known.state == "interrupted"
        assert client.get(f"/api/v1/jobs/{run['job']}").json()["state"] == "interrupted"
        resumed = over(client, client.post(path, json=confirmed(plan)).json()["id"])
        assert (resumed["state"], resumed["result"]["files"]) == ("done", 399 - moved)
        (run,) = client.get("/api/v1/runs").json()["items"]
        assert (run["state"], run["files"]) == ("applied", 399)
        undone = over(client, client.post(f"/api/v1/runs/{run['id']}/undo").json()["id"])
        assert undone["result"]["files"] == 399
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert client.get("/api/v1/runs").json()["items"][0]["state"] == "undone"
