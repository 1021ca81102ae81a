"""A collection of 20,000 images: nothing holds the page up, and long lists need few elements.

The images are rows alone, without files: every fourth has three exact copies. The browser gets one picture for all.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from lookalike.data import Item
from lookalike.database import Database
from lookalike.store.records import IndexOutcome
from tests.browser.conftest import WAIT, Visits, settled
from tests.web.conftest import Serve, Served

pytestmark = pytest.mark.slow
IMAGES, COPIES, PER_FOLDER = 20_000, 4, 500
LONGEST = 100  # milliseconds of work that hold up a page
STEPS = 20  # a move of the wheel, or a decision


@pytest.fixture(scope="module")
def large(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over the rows; their codes have nothing to do with each other, and are too plain to be compared."""
    folder = tmp_path_factory.mktemp("large")
    codes = np.random.default_rng(0).integers(0, 256, (IMAGES, 8), np.uint8)
    with Database.create(folder / "db") as database, database.store.transaction():
        for number in range(IMAGES):
            path, content = f"{number // PER_FOLDER:02}/photograph {number:05}.jpg", number // COPIES
            database.store.write(
                IndexOutcome(
                    item=Item(str(folder / "images"), path, 90_000, 1), digest=content.to_bytes(16), length=90_000,
                    code=codes[content].tobytes(), width=640, height=480, format="JPEG", quality=0,
                )
            )  # fmt: skip
        database.store.touch()
    with serve(folder / "db", write=True) as running:
        yield running


@pytest.fixture
def page(large: Served, visits: Visits) -> Page:
    visit = visits(url=large.url)
    visit.expected = ("status of 404", "status of 410")  # originals: there are no files
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(out, "JPEG")
    picture = out.getvalue()

    def show(route: Route) -> None:
        route.fulfill(body=picture, content_type="image/jpeg")

    visit.page.route("**/thumbnail*", show)
    return visit.page


class Work:
    """Records what a page's thread does. Its own time counts, so that a busy machine makes no task longer."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self._browser, self._page = browser, page

    def __enter__(self) -> Work:
        self._browser.start_tracing(page=self._page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
        return self

    def __exit__(self, *failure: object) -> None:
        settled(self._page)
        events: list[dict[str, Any]] = json.loads(self._browser.stop_tracing())["traceEvents"]
        mains = {(one["pid"], one["tid"]) for one in events if one.get("args", {}).get("name") == "CrRendererMain"}
        tasks = [one for one in events if one["name"].endswith("RunTask") and (one["pid"], one["tid"]) in mains]
        assert tasks
        self.longest = max(one["tdur"] for one in tasks if "tdur" in one) / 1000


def wheel(page: Page, most: int) -> None:
    """Scroll; there are never more than so many elements."""
    page.mouse.move(600, 500)
    for _ in range(STEPS):
        page.mouse.wheel(0, 1500)
        settled(page)
        assert page.evaluate("document.querySelectorAll('*').length") <= most


def test_browse_is_never_held_up(browser: Browser, large: Served, page: Page) -> None:
    page.goto(f"{large.url}/browse")
    expect(page.locator(".grid .tile[data-id]").first).to_be_visible()
    with Work(browser, page) as work:
        wheel(page, 2000)
        page.get_by_label("Order").select_option("by name")
        expect(page).to_have_url(f"{large.url}/browse?sort=path")
        page.get_by_label("File name").fill("photograph 0001")
        expect(page.locator(".told")).to_have_text("10 images")
        page.get_by_label("File name").fill("")
        expect(page.locator(".told")).to_have_text("20,000 images")
        page.locator(".grid .tile a").first.focus()
        page.keyboard.press("End")
        expect(page.locator(f".grid .tile[data-number='{IMAGES - 1}'] a")).to_be_focused()
    assert work.longest < LONGEST


def test_clean_up_is_never_held_up(browser: Browser, large: Served, page: Page) -> None:
    page.goto(f"{large.url}/clean-up")
    expect(page.locator(".sentence")).to_contain_text(f"{IMAGES // COPIES:,} groups", timeout=4 * WAIT)
    expect(page.locator(".note", has_text="Reading")).to_be_hidden(timeout=8 * WAIT)
    with Work(browser, page) as work:
        wheel(page, 12_000)
        page.keyboard.press("ArrowDown")
        for _ in range(STEPS):
            page.keyboard.press("k")
        expect(page.locator(".saving")).to_be_hidden()
        page.keyboard.press("u")
        page.locator("button[data-name=decided]").click()
        expect(page.locator(".group").first.get_by_role("button", name="Undo")).to_be_visible()
    assert work.longest < LONGEST


def test_a_search_with_a_thousand_hits_is_never_held_up(browser: Browser, large: Served, page: Page) -> None:
    page.goto(f"{large.url}/?id=1")
    expect(page.locator(".found .told")).to_contain_text("20,000 images searched")
    with Work(browser, page) as work:
        page.get_by_role("button", name="All", exact=True).click()
        expect(page.locator(".block-similar .tile").first).to_be_visible()
        assert int(page.locator(".block-similar h3 .soft").inner_text()) > 900
        wheel(page, 2000)
    assert work.longest < LONGEST
