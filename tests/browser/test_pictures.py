"""Screenshots of every tab: light, dark, and on a narrow screen. To update those in docs/web:

LOOKALIKE_PICTURES=docs/web python -m pytest tests/browser/test_pictures.py
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, Visits

ROOT = Path(__file__).resolve().parents[2]
SHOWN = ROOT / "docs/web.md"  # the page that shows some of them
LARGEST = 150_000  # bytes
HIDE_FOLDER = """(folder) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.data = walker.currentNode.data.replaceAll(folder, "/home/ada/photos");
}"""


def search(visit: Visit, file: Path) -> Page:
    page = visit.open()
    page.set_input_files("#file", file)
    expect(page.locator(".block-copies .tile").first).to_be_visible()
    return page


def start(visit: Visit, file: Path) -> Page:
    page = visit.open()
    expect(page.locator(".tried .tile").first).to_be_visible()
    return page


def compared(visit: Visit, file: Path) -> Page:
    page = search(visit, file)
    page.locator(".answer .tile a").nth(1).click()
    expect(page.get_by_role("dialog").get_by_text("Format")).to_be_visible()
    return page


def browse(visit: Visit, file: Path) -> Page:
    page = visit.open("/browse?sort=random&seed=5")
    expect(page.locator(".grid .tile[data-id]").first).to_be_visible()
    return page


def cleanup(visit: Visit, file: Path) -> Page:
    page = visit.open("/clean-up")
    expect(page.locator(".cleanup img").first).to_be_visible(timeout=90_000)
    return page


def map_(visit: Visit, file: Path) -> Page:
    page = visit.open("/map?x=5000&y=5000&z=1.3")
    expect(page.locator(".plane canvas")).to_be_visible(timeout=90_000)
    return page


def settings(visit: Visit, file: Path) -> Page:
    page = visit.open("/settings")
    expect(page.locator(".panel").first).to_be_visible()
    return page


TABS: dict[str, Callable[[Visit, Path], Page]] = {
    "start": start, "search": search, "compare": compared, "browse": browse, "cleanup": cleanup, "map": map_,
    "settings": settings,
}  # fmt: skip
SHAPES: dict[str, tuple[Literal["light", "dark"], int]] = {
    "light": ("light", 1200),
    "dark": ("dark", 1200),
    "narrow": ("light", 390),
}
HIGH = 760


@pytest.mark.parametrize("name", TABS)
def test_pictures(visits: Visits, some_file: Path, photographs: Path, tmp_path: Path, name: str) -> None:
    page = TABS[name](visits(width=1200, height=HIGH), some_file)
    for shape, (scheme, width) in SHAPES.items():
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": HIGH})
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(600)
        page.evaluate(HIDE_FOLDER, str(photographs))
        picture = Image.open(io.BytesIO(page.screenshot()))
        assert picture.size == (width, HIGH)
        path = place(tmp_path, f"{name}-{shape}.webp")
        picture.convert("RGB").save(path, quality=80, method=6)
        assert 4_000 < path.stat().st_size < LARGEST


def place(tmp_path: Path, file: str) -> Path:
    """Path of a screenshot: in the documentation if it is used there and updates are requested."""
    wanted = "LOOKALIKE_PICTURES" in os.environ and f"web/{file}" in SHOWN.read_text(encoding="utf-8")
    folder = ROOT / os.environ["LOOKALIKE_PICTURES"] if wanted else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder / file
