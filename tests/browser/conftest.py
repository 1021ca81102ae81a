"""A browser, and a real server over public-domain photographs from a table of food.

Codes come from the built-in model. A page must not write errors to its console or contact another server.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from lookalike.database import Database
from tests.web.conftest import Serve, Served
from tests.web.conftest import serve as serve

NEEDED = os.environ.get("LOOKALIKE_NEEDS_BROWSER") == "1"  # then a missing browser is a failure
NAMES = ("chromium", "chromium-browser", "google-chrome")
PHOTOS = 320
COPIES = 8  # photographs with two more copies: a smaller one and one compressed more strongly
WAIT = 30_000  # milliseconds: this machine may be busy

expect.set_options(timeout=WAIT)


@dataclass
class Visit:
    """A page, and a record of its errors and foreign requests."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()  # fragments of console messages that are allowed

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.url + path)
        return self.page

    def check(self) -> None:
        assert [one for one in self.problems if not any(part in one for part in self.expected)] == []


Visits = Callable[..., Visit]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium from Debian, or another installed browser of its kind."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        missing = f"there is no browser: none of {', '.join(NAMES)}"
        if NEEDED:
            pytest.fail(f"{missing}; install one, or unset LOOKALIKE_NEEDS_BROWSER")
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [], timeout=90_000
        )
        yield running
        running.close()


@pytest.fixture(scope="session")
def photographs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs, sorted into folders by what they show, with some copies."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = shared_data / "tagged_food.parquet"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    rows = [row for row in parquet.read_table(path).to_pylist() if row["license"].lower() == "public domain"]
    folder = tmp_path_factory.mktemp("browser") / "photographs"
    for number, row in enumerate(rows[:PHOTOS]):
        write(folder, row, number)
    return folder


def write(folder: Path, row: dict[str, object], number: int) -> None:
    """Write a row of the table as a file, and for some rows two copies."""
    labels, image, title = row["labels"], row["image"], str(row["title"] or "")
    assert isinstance(labels, list)
    assert isinstance(image, bytes)
    label = re.sub(r"[^a-z ]", "", str(labels[0] if labels else "other").lower()).strip() or "other"
    name = re.sub(r"[^A-Za-z ]", "", title).strip()[:40] or "Photograph"
    path = folder / label / f"{name} {number}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    if number % (PHOTOS // COPIES) == 0:
        picture = Image.open(io.BytesIO(image)).convert("RGB")
        picture.save(path.with_name(f"{name} {number} again.jpg"), quality=40)
        picture.resize((picture.width // 2, picture.height // 2)).save(path.with_name(f"{name} {number} small.png"))


@pytest.fixture(scope="session")
def database(photographs: Path) -> Path:
    """A database of them, labelled by folder; read-only."""
    path = photographs.parent / "db"
    with Database.create(path) as made:
        made.index(photographs, labels_from_folders=True)
    return path


@pytest.fixture(scope="session")
def site(database: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over them, for all tests that change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKALIKE_CACHE", str(tmp_path_factory.mktemp("maps")))
        with serve(database) as running:
            yield running


@pytest.fixture
def visits(browser: Browser, site: Served) -> Iterator[Visits]:
    """A function that opens a page in a new browser profile; all pages are checked at the end."""
    made: list[Visit] = []

    def start(
        *,
        width: int = 1280,
        height: int = 800,
        scheme: Literal["light", "dark"] = "light",
        url: str = site.url,
        touch: bool = False,
        scale: float = 1,
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch, is_mobile=touch,
            reduced_motion="reduce", accept_downloads=True, device_scale_factor=scale, locale="en-GB",
        )  # fmt: skip
        context.set_default_timeout(WAIT)
        visit = Visit(context.new_page(), url)
        watch(visit)
        made.append(visit)
        return visit

    yield start
    for visit in made:
        visit.page.context.close()
        visit.check()


@pytest.fixture
def visit(visits: Visits) -> Visit:
    """One page."""
    return visits()


def until(page: Page, expression: str) -> None:
    """Wait until a condition holds in a page. Playwright's own method evaluates text, which the policy forbids."""
    for _ in range(WAIT // 100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"it never held that {expression}")


def settled(page: Page) -> None:
    """Wait until a page has processed an answer."""
    page.evaluate(
        "() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done))))"
    )


def _told(said: ConsoleMessage) -> str:
    return f"console {said.text} {said.location.get('url', '')}".rstrip()


def watch(visit: Visit) -> None:
    """Record a page's console messages, errors and requests to other servers."""

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(visit.url).netloc:
            visit.problems.append(f"asked {request.url}")

    page = visit.page
    page.context.on("request", on_request)
    page.on("pageerror", lambda error: visit.problems.append(f"error {error}"))
    page.on("console", lambda said: visit.problems.append(_told(said)) if said.type == "error" else None)


@pytest.fixture(scope="session")
def some_file(photographs: Path) -> Path:
    """A photograph with three copies in the collection."""
    return next(iter(sorted(photographs.rglob("* 40.jpg"))))
