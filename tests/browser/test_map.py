"""The map: moved and zoomed by mouse, fingers and keys; thumbnails when close; the lasso and its list."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, Visits, until
from tests.web.conftest import Served

PIXELS = "(canvas) => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"


def opened(visit: Visit, path: str = "/map") -> Page:
    page = visit.open(path)
    expect(page.locator(".plane canvas")).to_be_visible(timeout=90_000)
    return page


def middle(page: Page) -> tuple[float, float]:
    box = page.locator(".plane canvas").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def zoom(page: Page, *, least: float = 0, most: float = math.inf) -> float:
    """The zoom in the address, once it is within the limits."""
    for _ in range(100):
        page.wait_for_timeout(400)
        found = re.search(r"z=([\d.]+)", page.url)
        if least < (now := float(found[1]) if found else 1.0) <= most:
            return now
    raise AssertionError(f"the zoom is {now}; it was expected above {least} and at most {most}")


def test_wheel_keys_and_buttons_zoom_and_the_link_keeps_the_place(visit: Visit, visits: Visits) -> None:
    page = opened(visit)
    expect(page.locator(".told").last).to_have_text("336 images")
    page.mouse.move(*middle(page))
    page.mouse.wheel(0, -400)
    assert zoom(page, least=1.3) > 1.3
    page.locator(".plane canvas").focus()
    page.keyboard.press("+")
    nearer = zoom(page, least=1.9)
    assert nearer > 1.9
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Zoom in").click()
    assert zoom(page, least=1.4 * nearer) > 1.4 * nearer
    other = visits().page
    other.goto(page.url)
    expect(other.locator(".plane canvas")).to_be_visible(timeout=90_000)
    assert zoom(other) == zoom(page)
    page.keyboard.press("0")
    assert zoom(page, most=1) == 1


def test_points_become_thumbnails(visit: Visit) -> None:
    page = opened(visit)
    with page.expect_response(re.compile(r"/thumbnail\?size=128")):
        page.mouse.move(*middle(page))
        page.mouse.wheel(0, -600)
    until(page, f"({PIXELS})(document.querySelector('.plane canvas')) > 200")


def test_dragging_moves(visit: Visit) -> None:
    page = opened(visit)
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 120, y + 60, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"x=\d+&y=\d+&z=1"))
    assert int(re.findall(r"x=(\d+)", page.url)[0]) < 5000


def test_a_point_shows_its_image_and_a_click_tells_all(visit: Visit, site: Served) -> None:
    page = opened(visit)
    places = site.client.get("/api/map").json()
    point = len(places["ids"]) // 2
    x, y = middle(page)
    page.goto(f"{visit.url}/map?x={places['x'][point]}&y={places['y'][point]}&z=60")
    opened_again = page.locator(".plane canvas")
    expect(opened_again).to_be_visible()
    page.mouse.move(x + 1, y + 1)
    page.mouse.move(x, y)
    image = site.client.get(f"/api/images/{places['ids'][point]}").json()
    expect(page.locator(".card .name")).to_contain_text(image["name"].rpartition("/")[2])
    page.mouse.click(x, y)
    dialog = page.get_by_role("dialog", name=image["name"].rpartition("/")[2])
    expect(dialog.get_by_role("row", name=re.compile("^Format"))).to_be_visible()


def test_the_lasso_lists_and_saves(visit: Visit, site: Served, tmp_path: Path) -> None:
    page = opened(visit)
    x, y = middle(page)
    page.get_by_role("button", name="Lasso").click()
    page.mouse.move(x - 150, y - 150)
    page.mouse.down()
    for across, down in ((150, -150), (150, 150), (-150, 150)):
        page.mouse.move(x + across, y + down, steps=5)
    page.mouse.up()
    heading = page.locator(".listed h2")
    expect(heading).to_have_text(re.compile(r"^\d+ images$"))
    many = int(heading.inner_text().split()[0])
    assert 20 < many < 336
    expect(page.locator(".listed .tile[data-id]").first).to_be_visible()
    page.get_by_role("button", name="Wide").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "list.csv")
    rows = list(csv.DictReader((tmp_path / "list.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == many
    assert all(Path(row["path"]).is_file() for row in rows)
    places = site.client.get("/api/map").json()
    assert {int(row["id"]) for row in rows} <= set(places["ids"])
    page.locator(".listed .tile a").first.click()
    expect(page.get_by_role("dialog").get_by_role("link", name="Find similar images")).to_be_visible()
    page.keyboard.press("Escape")
    expect(heading).to_have_text(f"{many} images")


def test_what_is_in_sight_is_listed_by_keys(visit: Visit) -> None:
    page = opened(visit)
    page.locator(".plane canvas").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".listed h2")).to_have_text("336 images")
    page.keyboard.press("Escape")
    expect(page.locator(".listed")).to_be_hidden()


def test_two_fingers_zoom(visits: Visits) -> None:
    visit = visits(width=390, height=844, touch=True)
    page = opened(visit)
    x, y = middle(page)
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": left, "y": top, "id": number} for number, (left, top) in enumerate(places)]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 30, y), (x + 30, y))
    for apart in (50, 80, 110):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd")
    assert zoom(page, least=2) > 2


def test_a_label_is_shown_alone(visit: Visit) -> None:
    page = opened(visit)
    first = page.locator(".legend button").first
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Label")).to_have_value(str(first.get_attribute("data-label")))
    first.click()
    expect(page.get_by_label("Label")).to_have_value("-1")
