"""From copies to the trash and back, by clicks alone; also if the server is killed in the middle."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright.sync_api")

import httpx
from PIL import Image, ImageOps
from playwright.sync_api import Page, expect

from lookalike.database import Database
from tests.browser.conftest import WAIT, Visits
from tests.browser.test_shell import serious
from tests.duplicates.test_verification import photograph
from tests.web.conftest import Serve

SOURCE = Path(__file__).resolve().parents[2] / "src"
PICTURES, MANY = 6, 400


def planted(folder: Path) -> Path:
    """Pictures, and copies of all kinds: the same bytes, the same pixels, smaller, cropped, and mirrored."""
    for name in ("camera", "backup", "sent"):
        (folder / name).mkdir(parents=True)
    for number in range(PICTURES):
        picture, file = photograph(number, (480, 360)), folder / "camera" / f"{number}.jpg"
        picture.save(file, quality=95)
        shutil.copyfile(file, folder / "backup" / file.name)
        edits = (picture.resize((240, 180)), picture.crop((40, 30, 440, 330)), ImageOps.mirror(picture))
        edits[number % 3].save(folder / "sent" / f"{number} edited.jpg", quality=88)
        if number % 2:
            with Image.open(file) as decoded:
                decoded.save(folder / "sent" / f"{number} same.png")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def applied(page: Page, *kinds: str) -> None:
    """Open the dialog, include undecided copies of some kinds, and wait for the dry run."""
    page.get_by_role("button", name="Apply").click()
    dialog = page.get_by_role("dialog")
    for kind in kinds:
        dialog.get_by_label(kind).check()
    expect(dialog.locator(".apply")).to_contain_text("will move to the trash", timeout=2 * WAIT)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_copies_go_to_the_trash_and_come_back_by_clicks_alone(
    scheme: Literal["light", "dark"], width: int, serve: Serve, visits: Visits, tmp_path: Path
) -> None:
    folder, trash, steps = planted(tmp_path / "images"), tmp_path / "trash", iter(range(100))
    before = files(folder)
    with Database.create(tmp_path / "db") as database:
        database.index(folder)

    def step(page: Page) -> None:
        """A picture of each step; nothing serious in any."""
        page.screenshot(path=tmp_path / f"step {next(steps)}.png")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    with serve(tmp_path / "db", write=True, trash=trash, roots=(str(folder),)) as running:
        page = visits(url=running.url, width=width, height=844, scheme=scheme, touch=width < 500).open("/clean-up")
        expect(page.locator(".sentence")).to_contain_text(f"{PICTURES} groups · 15 files can go", timeout=4 * WAIT)
        step(page)
        page.locator("summary.button").click()
        page.get_by_role("button", name="All groups").click()
        expect(page.locator(".nothing", has_text="All groups are decided")).to_be_visible()
        step(page)
        applied(page)
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".apply")).to_contain_text("15 files will move to the trash (")  # the count and the size
        expect(dialog.locator(".folder")).to_contain_text(str(trash))
        assert files(folder) == before  # until it is confirmed
        step(page)
        dialog.get_by_role("button", name=re.compile(r"^Move 15 files \(.*B\) to the trash$")).click()
        expect(dialog.locator(".apply")).to_contain_text("Done: 15 files", timeout=2 * WAIT)
        assert set(files(folder)) == {f"camera/{number}.jpg" for number in range(PICTURES)}
        step(page)
        dialog.get_by_role("link", name="History").click()
        run = page.locator(".run")
        expect(run.locator("h3")).to_contain_text("15 files in the trash")
        run.get_by_text("Files", exact=True).click()
        expect(run.locator("li")).to_have_count(15)
        step(page)
        run.get_by_role("button", name="Undo").click()
        expect(dialog).to_contain_text(re.compile(r"15 files \(.*B\) go back to where they were"))
        step(page)
        dialog.get_by_role("button", name="Put 15 files back").click()
        expect(run.locator("h3")).to_contain_text("Undone: 15 files are back", timeout=2 * WAIT)
        assert files(folder) == before
        step(page)
        page.close()


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
