"""Several processes serve one address, and share background results."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lookalike.core.errors import ConfigError
from lookalike.database import Database
from lookalike.web.http import serving
from lookalike.web.http.settings import Settings
from tests.web.conftest import write_photos
from tests.web.test_life import children, started, until


@pytest.fixture(scope="module")
def db(photo_files: dict[str, bytes], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    write_photos(folder, photo_files)
    shutil.copy(folder / "photos/cats/01.png", folder / "photos/again.png")
    with Database.create(folder / "db", model=model) as database:
        database.index(folder / "photos")
    return folder / "db"


@pytest.fixture(scope="module")
def several(db: Path) -> Iterator[tuple[int, str]]:
    """The process id and the address of a server with three worker processes."""
    with started("--db", db, "--port", 0, "--processes", 3, "--write") as (process, url):
        until(lambda: len(servers(process.pid)) == 3, seconds=120)
        yield process.pid, url


def servers(pid: int) -> list[int]:
    """The serving processes: unlike the resource tracker, they have children that decode."""
    return [child for child in children(pid) if children(child)]


def get(url: str) -> httpx.Response:
    """The answer on a new connection, from any process."""
    return httpx.get(url, trust_env=False, timeout=60)


def search(url: str) -> dict[str, object]:
    answer = httpx.post(f"{url}api/search", json={"id": 1, "top": 3}, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def counted(url: str) -> int:
    """The total number of searches of all processes, as reported by any of them."""
    found = re.search(
        r'requests_total\{method="POST",route="/api/v1/search",status="200"\} (\d+)', get(f"{url}metrics").text
    )
    return int(found[1]) if found else 0


def test_any_answers_and_tells_the_metrics_of_all(several: tuple[int, str]) -> None:
    _, url = several
    hits = [search(url)["hits"] for _ in range(20)]
    assert all(found == hits[0] for found in hits)
    assert len({counted(url) for _ in range(9)}) == 1


def test_one_works_in_the_background_for_all(several: tuple[int, str], db: Path) -> None:
    _, url = several
    path = f"{url}api/duplicates?radius=8"
    until(lambda: get(path).status_code == 200, seconds=120)
    until(lambda: all(get(path).json().get("pixels") for _ in range(9)), seconds=120)
    assert {get(path).status_code for _ in range(9)} == {200}
    assert {one.name for one in (db / "background").iterdir()} >= {"duplicates-8.npz", "inspection-8.json"}
    assert len({get(f"{url}api/duplicates/plan?radius=8&format=csv").content for _ in range(9)}) == 1
    ids = [image["id"] for image in get(path).json()["groups"][0]["images"][:2]]
    for kind in ("later", "keep"):
        asked = {"kind": kind, "images": ids} | ({"chosen": ids[:1]} if kind == "keep" else {})
        made = httpx.post(f"{url}api/decisions", json=asked, trust_env=False, timeout=60)
        assert made.status_code == 201, made.text
    assert {len(get(f"{url}api/decisions").json()["decisions"]) for _ in range(9)} == {2}


def test_one_that_is_killed_is_replaced(several: tuple[int, str]) -> None:
    pid, url = several
    killed, *others = servers(pid)
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(servers(pid)) == 3 and killed not in servers(pid), seconds=120)
    assert set(others) < set(servers(pid))
    assert search(url)["images"] == 41


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_stop_when_the_first_is_told_to(db: Path, number: signal.Signals) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, url):
        assert get(url).status_code == 200
        family = [one for child in children(process.pid) for one in (child, *children(child))]
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert said.endswith("Stopped\n")
        assert "Traceback" not in said
        until(lambda: not any(os.path.exists(f"/proc/{one}") for one in family))


def test_they_end_with_the_first(db: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, url):
        assert get(url).status_code == 200
        family = [one for child in children(process.pid) for one in (child, *children(child))]
        process.kill()
        process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{one}") for one in family))


def test_a_worker_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    with (
        serving.bind("127.0.0.1", 0) as listening,
        pytest.raises(ConfigError, match="the server did not start"),
    ):
        serving.run(str(tmp_path / "nothing"), Settings(workers=1), listening, processes=2)
