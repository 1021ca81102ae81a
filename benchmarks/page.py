"""Does the page pause? The longest task of its main thread, while somebody browses, searches, compares, moves the map.

    lookalike serve --db DB
    python benchmarks/page.py http://127.0.0.1:8765

A task is what the thread does without a break: while it lasts the page answers nobody. What counts is its processor
time; the time on the clock, recorded beside it, also holds what other processes took from it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from typing import Any, NamedTuple

import record
from playwright.sync_api import Browser, Page, expect, sync_playwright

MOST = 200  # milliseconds that a pause may take
PATIENCE = 600_000  # milliseconds for the map to be made


class Step(NamedTuple):
    """What a person does, and where that begins."""

    name: str
    do: Callable[[Page], None]
    path: str | None = None


def tasks(trace: bytes) -> list[tuple[float, float]]:
    """Milliseconds of the processor, and on the clock, of each task of a page's main thread."""
    events = json.loads(trace)["traceEvents"]
    threads = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    return [
        (one.get("tdur", 0) / 1000, one["dur"] / 1000)
        for one in events
        if one["ph"] == "X" and "RunTask" in one["name"] and threads.get((one["pid"], one["tid"])) == "CrRendererMain"
    ]


def measured(browser: Browser, page: Page, url: str, step: Step) -> dict[str, Any]:
    browser.start_tracing(page=page, categories=["toplevel"])
    if step.path is not None:
        page.goto(url + step.path)
    step.do(page)
    found = tasks(browser.stop_tracing())
    longest = max(found)
    print(f"{step.name}: longest of {len(found)} tasks {longest[0]:.0f} ms of the processor")
    return {"tasks": len(found), "processor_ms": round(longest[0], 1), "clock_ms": round(max(c for _, c in found), 1)}


def wheel(page: Page, by: float, times: int) -> None:
    for _ in range(times):
        page.mouse.wheel(0, by)
        page.wait_for_timeout(50)
    page.wait_for_timeout(1500)


def ready(*places: str) -> Callable[[Page], None]:
    """Wait until the first of each of these is seen, and a while longer."""

    def wait(page: Page) -> None:
        for place in places:
            expect(page.locator(place).first).to_be_visible(timeout=PATIENCE)
        page.wait_for_timeout(1500)

    return wait


def jump(page: Page) -> None:
    for part in (0.2, 0.5, 0.9, 0.99, 0):
        page.evaluate(f"scrollTo(0, {part} * document.documentElement.scrollHeight)")
        page.wait_for_timeout(800)


def slide(page: Page) -> None:
    page.get_by_role("slider", name="Distance").focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(50)
    page.wait_for_timeout(1500)


def compare(page: Page) -> None:
    page.locator(".hits a").first.focus()
    for key in ("c", "2", "3", "4", "ArrowRight", "Escape"):
        page.keyboard.press(key)
        page.wait_for_timeout(600)


def pan(page: Page) -> None:
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(800, 600, steps=30)
    page.mouse.up()


def lasso(page: Page) -> None:
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(300, 200)
    page.mouse.down()
    for x, y in ((900, 200), (900, 700), (300, 700)):
        page.mouse.move(x, y, steps=15)
    page.mouse.up()
    page.wait_for_timeout(2500)


def closer(page: Page) -> None:
    page.mouse.move(640, 420)
    wheel(page, -120, 15)


STEPS = (
    Step("open Browse", ready(".grid .tile[data-id]"), "/browse"),
    Step("scroll", lambda page: wheel(page, 1500, 30)),
    Step("jump to far places", jump),
    Step("search", ready(".hits .tile"), "/?id=1"),
    Step("move the slider", slide),
    Step("compare", compare),
    Step("open Duplicates", ready(".group"), "/duplicates"),
    Step("scroll groups", lambda page: wheel(page, 1500, 20)),
    Step("open the map", ready(".plane canvas"), "/map"),
    Step("come closer", closer),
    Step("move", pan),
    Step("back to all", lambda page: wheel(page, 120, 20)),
    Step("lasso", lasso),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="where lookalike serve answers")
    url = parser.parse_args().url.rstrip("/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        images = page.request.get(f"{url}/api/info").json()["images"]
        found = {step.name: measured(browser, page, url, step) for step in STEPS}
        about = {"machine": record.machine("playwright"), "browser": browser.version, "images": images}
    longest = max(one["processor_ms"] for one in found.values())
    path = record.write("page", {**about, "allowed_ms": MOST, "longest_ms": longest, "steps": found})
    print(f"{images} images: the longest task takes {longest:.0f} ms, of {MOST} that are allowed; {path}")


if __name__ == "__main__":
    main()
