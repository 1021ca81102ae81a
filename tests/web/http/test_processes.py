"""Several processes that answer at one address."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lookalike.core.errors import ConfigError
from lookalike.database import Database
from lookalike.web.http import processes, serving
from lookalike.web.http.settings import Settings
from tests.web.conftest import write_photos
from tests.web.test_life import children, started, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives connections to several processes")


@pytest.fixture(scope="module")
def db(photo_files: dict[str, bytes], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    write_photos(folder, photo_files)
    shutil.copy(folder / "photos/cats/01.png", folder / "photos/again.png")
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
        (new,) = set(servers(process.pid)) - {other}
        assert other in servers(process.pid)
        for _ in range(20):  # for two seconds, and by both
            assert search(url)["images"] == 41
            time.sleep(0.1)
        assert set(servers(process.pid)) == {other, new}
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert said.count("takes its place") == 1
        assert "a process of the server ended (by signal 9); another takes its place" in said
        assert "Traceback" not in said


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


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for what is temporary, with a name that is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_they_end_with_the_first_and_leave_nothing(db: Path, place: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 2) as (process, _):
        assert "lookalike-serve-" in [path.name[:16] for path in place.iterdir()]
        family = [one for child in children(process.pid) for one in (child, *children(child))]
        process.kill()
        process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{one}") for one in family))
        until(lambda: not list(place.glob("lookalike-*")))


@pytest.mark.parametrize("seconds", [0.3, 1.5, 3])
def test_ctrl_c_while_they_start_is_no_error(db: Path, seconds: float) -> None:
    command = [sys.executable, "-m", "lookalike", "serve", "--db", str(db), "--port", "0", "--processes", "2"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: children(process.pid), seconds=60)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (0, False), said
    assert said.endswith("Stopped\n")


def test_two_that_start_at_once_do_not_share_an_address(db: Path) -> None:
    with serving.bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "lookalike", "serve", "--db", str(db), "--port", str(port), "--processes", "2"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    until(lambda: any(one.poll() is not None for one in both), seconds=60)
    (lost,) = [one for one in both if one.poll() is not None]
    (won,) = [one for one in both if one is not lost]
    assert won.stdout is not None
    assert won.stdout.readline().strip().endswith(f":{port}/")
    assert f"port {port} is in use" in lost.communicate()[1]
    won.send_signal(signal.SIGTERM)
    won.communicate(timeout=60)
    assert (won.returncode, lost.returncode) == (0, 1)


def test_one_works_in_the_background_for_all(db: Path) -> None:
    with started("--db", db, "--port", 0, "--processes", 3, "--write") as (process, url):
        path = f"{url}api/duplicates?radius=8"
        until(lambda: httpx.get(path, trust_env=False).status_code == 200)
        found = [httpx.get(path, trust_env=False) for _ in range(20)]  # each from whichever process
        assert {one.status_code for one in found} == {200}
        until(lambda: httpx.get(path, trust_env=False).json()["pixels"])
        assert all(httpx.get(path, trust_env=False).json()["pixels"] for _ in range(20))
        plans = {httpx.get(f"{url}api/duplicates/plan?radius=8&format=csv", trust_env=False).content for _ in range(9)}
        assert len(plans) == 1
        ids = [image["id"] for image in found[0].json()["groups"][0]["images"][:2]]
        for kind in ("later", "keep"):
            asked = {"kind": kind, "images": ids} | ({"chosen": ids[:1]} if kind == "keep" else {})
            made = httpx.post(f"{url}api/decisions", json=asked, trust_env=False)
            assert made.status_code == 201, made.text
        sizes = {len(httpx.get(f"{url}api/decisions", trust_env=False).json()["decisions"]) for _ in range(9)}
        assert sizes == {2}
        refused = httpx.post(f"{url}api/decisions", content=b"x" * (70 << 20), trust_env=False)
        assert refused.status_code == 413
        assert httpx.get(f"{url}api/model/bits/0", headers={"Host": "evil.example"}, trust_env=False).status_code == 403
        os.kill(min(servers(process.pid)), signal.SIGKILL)  # it was the first, which does it
        until(lambda: all(_answers(path) for _ in range(9)), seconds=60)


def _answers(path: str) -> bool:
    try:
        return httpx.get(path, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


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
