"""A server that is killed while files move into the trash: the history stays true, and all of them come back."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

import httpx
from playwright.sync_api import Page, expect

from lookalike.database import Database
from tests.browser.conftest import WAIT, Visits
from tests.duplicates.test_verification import photograph

SOURCE = Path(__file__).resolve().parents[2] / "src"
MANY = 400


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def applied(page: Page, *kinds: str) -> None:
    """Open the dialog, include undecided copies of some kinds, and wait for the dry run."""
    page.get_by_role("button", name="Apply").click()
    dialog = page.get_by_role("dialog")
    for kind in kinds:
        dialog.get_by_label(kind).check()
    expect(dialog.locator(".apply")).to_contain_text("will move to the trash", timeout=2 * WAIT)


@contextlib.contextmanager
def process(db: Path, trash: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process of its own, once it answers."""
    command = [sys.executable, "-m", "lookalike", "serve", "--db", str(db), "--port", str(port), "--write"]
    server = subprocess.Popen(
        [*command, "--trash", str(trash)], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(SOURCE)}
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().decode().strip()
        assert httpx.get(f"{url}status/live", timeout=60, trust_env=False).status_code == 200
        yield server
    finally:
        server.kill()
        server.communicate(timeout=60)


@pytest.mark.slow
def test_a_server_killed_while_files_move_leaves_a_true_history(visits: Visits, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    photograph(1, (96, 96)).save(folder / "0.png")
    for number in range(1, MANY):
        shutil.copyfile(folder / "0.png", folder / f"{number}.png")
    before = files(folder)
    with Database.create(tmp_path / "db") as database:
        database.index(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    visit = visits(url=f"http://127.0.0.1:{port}")
    visit.expected = ("ERR_",)
    with process(tmp_path / "db", tmp_path / "trash", port) as server:
        page = visit.open("/clean-up")
        expect(page.locator(".group").first).to_be_visible(timeout=4 * WAIT)
        applied(page, "Exact copies")
        page.get_by_role("dialog").get_by_role("button", name="Move 399 files").click()
        while len(list(folder.iterdir())) > MANY - 10:
            page.wait_for_timeout(1)
        os.kill(server.pid, signal.SIGKILL)
        server.wait(60)
    moved = MANY - len(files(folder))
    assert 0 < moved < MANY - 1, "the test was too slow"
    with process(tmp_path / "db", tmp_path / "trash", port):
        expect(page.get_by_role("dialog")).to_contain_text("Not everything was moved", timeout=2 * WAIT)
        page.get_by_role("dialog").get_by_role("link", name="History").click()
        run = page.locator(".run")
        expect(run.locator("h3")).to_contain_text(f"Interrupted: {moved} file")
        run.get_by_role("button", name="Resume").click()
        expect(run.locator("h3")).to_contain_text("399 files in the trash", timeout=2 * WAIT)
        run.get_by_role("button", name="Undo").click()
        page.get_by_role("dialog").get_by_role("button", name="Put 399 files back").click()
        expect(run.locator("h3")).to_contain_text("Undone: 399 files are back", timeout=2 * WAIT)
        assert files(folder) == before
        page.close()
