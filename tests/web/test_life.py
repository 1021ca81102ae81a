"""A server keeps running while its database changes, and stops on request."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from lookalike.database import Database
from tests.web.conftest import Serve


def until(holds: Callable[[], object], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def cli(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "lookalike", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def db(photo_folder: Path, model: Path, tmp_path: Path) -> Path:
    with Database.create(tmp_path / "db", model=model) as database:
        database.index(photo_folder / "cats")
    return tmp_path / "db"


def test_what_another_process_indexes_is_found(db: Path, photo_folder: Path, serve: Serve) -> None:
    with serve(db) as served:
        content = (photo_folder / "dogs/00.jpg").read_bytes()

        def nearest() -> int:
            return int(served.client.post("/api/search", files={"file": content}).json()["hits"][0]["distance"])

        assert nearest() > 0
        cli("index", photo_folder / "dogs", "--db", db)
        assert nearest() == 0
        assert served.client.get("/api/images").json()["total"] == 40
        until(lambda: served.client.get("/status").json()["index"] == "fresh")
        cli("remove", photo_folder / "dogs", "--db", db)
        assert nearest() > 0


def test_a_replaced_database_is_reopened(
    db: Path, photo_folder: Path, other_model: Path, serve: Serve, tmp_path: Path
) -> None:
    with Database.create(tmp_path / "new", model=other_model) as database:
        database.index(photo_folder / "dogs")
    with serve(db) as served:
        before = served.client.get("/status").json()["model"]
        db.rename(tmp_path / "old")
        until(lambda: served.client.get("/status").json().get("error"))
        gone = served.client.get("/status")
        assert (gone.status_code, gone.json()["ready"]) == (503, False)
        shutil.move(tmp_path / "new", db)
        until(lambda: served.client.get("/status").status_code == 200)
        status = served.client.get("/status").json()
        assert status["model"] != before
        assert status["images"] == len(list((photo_folder / "dogs").iterdir()))
        content = (photo_folder / "dogs/00.jpg").read_bytes()
        assert served.client.post("/api/search", files={"file": content}).json()["hits"][0]["distance"] == 0


def test_another_model_is_taken_up(db: Path, photo_folder: Path, other_model: Path, serve: Serve) -> None:
    with serve(db) as served:
        content = (photo_folder / "cats/01.png").read_bytes()
        first = served.client.post("/api/search", files={"file": content}).json()
        cli("index", photo_folder, "--db", db, "--model", other_model, "--reindex")
        second = served.client.post("/api/search", files={"file": content})
        assert second.status_code == 200, second.text
        assert second.json()["hits"][0]["distance"] == 0
        assert second.json()["query"]["code"] != first["query"]["code"]


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it prints."""
    command = [sys.executable, "-m", "lookalike", "serve", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    """The child processes of all threads of a process."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended
            found += [int(child) for child in path.read_text().split()]
    return sorted(found)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told_to(db: Path, number: signal.Signals) -> None:
    with started("--db", db, "--port", 0) as (process, url):
        assert httpx.get(url, trust_env=False).status_code == 200
        workers = children(process.pid)
        assert httpx.get(f"{url}api/duplicates", trust_env=False).status_code in (200, 202)
        process.send_signal(number)
        process.send_signal(number)  # repeating it does no harm
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert said.endswith("Stopped\n")
        assert "Traceback" not in said
        until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))


def test_workers_end_with_a_server_that_is_killed(db: Path) -> None:
    with started("--db", db, "--port", 0) as (process, url):
        assert httpx.get(f"{url}status", trust_env=False).json()["decoders"] >= 2
        workers = children(process.pid)
        process.kill()
        process.communicate()
        until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))


def test_a_token_stands_in_the_address(db: Path) -> None:
    with started("--db", db, "--port", 0, "--token", "correct+horse") as (_, url):
        assert url.endswith("/?token=correct%2Bhorse")
        assert httpx.get(url, trust_env=False).status_code == 303
        assert httpx.get(url.partition("?")[0], trust_env=False).status_code == 401


def test_a_port_in_use_is_one_error(db: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "lookalike", "serve", "--db", str(db), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {port} is in use" in done.stderr
    assert done.stderr.count("\n") == 1
