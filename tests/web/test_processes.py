"""Several processes that answer at one address."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest

from lookalike.database import Database
from lookalike.errors import ConfigError
from lookalike.web import processes
from lookalike.web.settings import Settings
from tests.web.test_life import children, started, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives connections to several processes")


@pytest.fixture(scope="module")
def db(photo_files: dict[str, bytes], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    for name, content in photo_files.items():
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with Database.create(folder / "db", model=model) as database:
        database.index(folder / "photos")
    return folder / "db"


def servers(pid: int) -> list[int]:
    """The processes that answer: each has some that decode, and the one that hands out resources has none."""
    return [child for child in children(pid) if children(child)]


def answered(url: str) -> int:
    """How many searches all processes have answered, as any of them says."""
    text = httpx.get(f"{url}metrics", trust_env=False).text
    found = re.search(r'requests_total\{method="POST",route="/api/search",status="200"\} (\d+)', text)
    return int(found[1]) if found else 0


def search(url: str) -> dict[str, object]:
    """A search on a connection of its own, which any process may get."""
    answer = httpx.post(f"{url}api/search", json={"id": 1, "top": 3}, trust_env=False)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_all_answer_and_any_tells_the_figures_of_all(db: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, url):
        assert len(servers(process.pid)) == 2
        hits = [search(url)["hits"] for _ in range(40)]
        assert all(found == hits[0] for found in hits)
        assert {answered(url) for _ in range(20)} == {40}


def test_one_that_ends_is_started_anew(db: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, url):
        killed, other = servers(process.pid)
        search(url)
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(servers(process.pid)) == 2 and killed not in servers(process.pid))
        assert other in servers(process.pid)
        until(lambda: httpx.get(f"{url}status", trust_env=False).status_code == 200)
        assert search(url)["images"] == 40
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert "a process of the server ended (by signal 9); another takes its place" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_all_stop_when_the_first_is_told_to(db: Path, number: signal.Signals) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, url):
        assert httpx.get(url, trust_env=False).status_code == 200
        family = [one for child in children(process.pid) for one in (child, *children(child))]
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
        assert said.endswith("Stopped\n")
        assert "Traceback" not in said
        until(lambda: not any(os.path.exists(f"/proc/{one}") for one in family))


def test_they_end_with_the_first(db: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, _):
        family = [one for child in children(process.pid) for one in (child, *children(child))]
        process.kill()
        process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{one}") for one in family))


def test_an_address_is_not_shared_with_another_server(db: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (_, url):
        port = url.rstrip("/").rpartition(":")[2]
        for more in ([], ["--processes", "2"]):
            with started("--db", db, "--port", port, *more) as (second, said):
                assert said == ""
                assert f"port {port} is in use" in second.communicate(timeout=60)[1]
                assert second.returncode == 1


def test_why_one_does_not_start_is_said(tmp_path: Path) -> None:
    settings = Settings(workers=1)
    with pytest.raises(ConfigError, match=r"a process of the server did not start: .*nothing"):
        processes.run(str(tmp_path / "nothing"), settings, port=0, count=2, on_ready=lambda url: None)


def test_elsewhere_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="processes is 2; only Linux gives connections to several"):
        processes.check(2)
