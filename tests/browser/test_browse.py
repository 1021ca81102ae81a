"""Browse: every image can be reached, in every order, with few tiles in the document; by mouse and by keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Visit, Visits, settled, until
from tests.web.conftest import Serve, Served

IN_ORDER = """(wanted) => {
    const tiles = [...document.querySelectorAll(".grid .tile[data-id]")];
    return tiles.length > 0 && tiles.every((tile) => +tile.dataset.id === wanted[+tile.dataset.number]);
}"""


def ids(page: Page) -> list[int]:
    """Ids of the images in the document, in order."""
    found = page.locator(".grid .tile[data-id]").evaluate_all(
        "(tiles) => tiles.map((tile) => [+tile.dataset.number, +tile.dataset.id]).sort((a, b) => a[0] - b[0])"
    )
    return [id_ for _, id_ in found]


def opened(visit: Visit, path: str) -> Page:
    page = visit.open(path)
    expect(page.locator(".grid .tile[data-id]").first).to_be_visible()
    return page


def listed(site: Served, **values: str | int) -> list[int]:
    return [one["id"] for one in site.client.get("/api/v1/images", params={"limit": 1000, **values}).json()["items"]]


def test_orders(visit: Visit, site: Served) -> None:
    page = opened(visit, "/browse")
    expect(page.locator(".told")).to_have_text("336 images")
    for shown, sort in (("by name", "path"), ("newest first", "newest"), ("as indexed", "id")):
        page.get_by_label("Order").select_option(shown)
        wanted = listed(site, sort=sort)
        expect(page.locator(".grid .tile[data-number='0']")).to_have_attribute("data-id", str(wanted[0]))
        until(page, f"({IN_ORDER})({wanted})")  # the first image may be the same in the order before


def test_the_last_order_chosen_is_shown_even_if_an_earlier_one_is_answered_later(visit: Visit, site: Served) -> None:
    page = opened(visit, "/browse")
    held: list[Route] = []
    page.route(re.compile("sort=path"), lambda route: held.append(route))
    page.get_by_label("Order").select_option("by name")
    page.get_by_label("Order").select_option("newest first")
    wanted = listed(site, sort="newest")
    until(page, f"({IN_ORDER})({wanted})")
    with page.expect_response(re.compile("sort=path")):
        held[0].continue_()
    settled(page)
    assert page.evaluate(f"({IN_ORDER})({wanted})")
    page.get_by_label("Order").select_option("by name")
    page.get_by_label("Order").select_option("newest first")  # already shown, so it is not requested again
    with page.expect_response(re.compile("sort=path")):
        held[1].continue_()
    settled(page)
    assert page.evaluate(f"({IN_ORDER})({wanted})")


def test_a_random_order_can_be_shared(visit: Visit, visits: Visits, site: Served) -> None:
    page = opened(visit, "/browse")
    page.get_by_role("button", name="Shuffle").click()
    expect(page).to_have_url(re.compile(r"sort=random&seed=\d+"))
    seed = int(page.url.rpartition("=")[2])
    wanted = listed(site, sort="random", seed=seed)
    expect(page.locator(".grid .tile[data-number='0']")).to_have_attribute("data-id", str(wanted[0]))
    other = visits().page
    other.goto(page.url)
    expect(other.locator(".grid .tile[data-number='0']")).to_have_attribute("data-id", str(wanted[0]))
    page.keyboard.press("r")
    expect(page).not_to_have_url(re.compile(f"seed={seed}$"))


def test_filters(visit: Visit, site: Served) -> None:
    labels = site.client.get("/api/v1/labels").json()["items"]
    label = max(labels, key=lambda one: one["images"])
    page = opened(visit, "/browse")
    page.get_by_role("button", name="Filters", exact=True).click()
    dialog = page.get_by_role("dialog", name="Filters")
    dialog.locator("[data-name=label] button", has_text=label["label"]).first.click()
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator(".told")).to_have_text(f"{label['images']} images")
    assert ids(page) == listed(site, label=label["label"])
    page.get_by_role("button", name="Filters", exact=True).click()
    dialog.get_by_label("Folder").fill("/nowhere")
    dialog.get_by_label("Folder").press("Enter")
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator(".nothing")).to_have_text("No image matches these filters.")
    page.get_by_role("button", name="Remove the filter Folder: nowhere").click()
    expect(page.locator(".told")).to_have_text(f"{label['images']} images")


def test_many_are_selected_and_exported_and_two_compared(visit: Visit) -> None:
    page = opened(visit, "/browse")
    page.locator(".grid .tile[data-number='0']").hover()
    page.locator(".grid .tile[data-number='0'] .tick").click()
    page.locator(".grid .tile[data-number='1'] a").click()  # while some are selected, a click selects
    expect(page.locator(".selection")).to_contain_text("2 selected")
    page.get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog", name="Why do these match?")
    expect(dialog.locator(".verdict")).not_to_be_empty()
    page.keyboard.press("Escape")
    page.locator(".grid .tile[data-number='5'] a").click(modifiers=["Shift"])
    expect(page.locator(".selection")).to_contain_text("6 selected")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export list").click()
    lines = saved.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,path,label,width,height"
    assert len(lines) == 7
    page.keyboard.press("Escape")
    expect(page.locator(".selection")).to_be_hidden()


def test_all_are_reached_with_few_tiles_in_the_document(visit: Visit, site: Served) -> None:
    page = opened(visit, "/browse")
    seen = set(ids(page))
    height = page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, height, 500):
        page.evaluate(f"scrollTo(0, {top})")
        expect(page.locator(".grid .waiting")).to_have_count(0)
        seen.update(ids(page))
        assert page.locator(".grid li").count() < 150
    assert seen == set(listed(site))
    expect(page.locator(".grid .tile[data-number='335']")).to_be_in_viewport()


def test_keys_lead_to_the_end_and_the_size_changes(visit: Visit, site: Served) -> None:
    page = opened(visit, "/browse")
    page.locator(".grid .tile[data-number='0'] a").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    last = page.locator(".grid .tile[data-number='335']")
    expect(last.locator("a")).to_be_focused()
    expect(last).to_be_in_viewport()
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize") == "336"
    page.keyboard.press("Home")
    first = page.locator(".grid .tile[data-number='0']")
    expect(first.locator("a")).to_be_focused()
    before = first.bounding_box()
    page.get_by_role("slider", name="Size").fill("300")
    after = first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > 1.5 * before["width"]


def test_an_image_is_shown_large_and_searched_by(visit: Visit) -> None:
    page = opened(visit, "/browse")
    third = page.locator(".grid .tile[data-number='2']")
    third.locator("a").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name=re.compile("^Format JPEG"))).to_be_visible()
    wanted = third.get_attribute("data-id")
    dialog.get_by_role("link", name="Find similar images").click()
    expect(page).to_have_url(re.compile(rf"/\?id={wanted}$"))
    expect(page.locator(".found .sentence")).to_contain_text("cop")


def test_file_names_are_searched(visit: Visit, site: Served) -> None:
    page = opened(visit, "/browse")
    name = site.client.get("/api/v1/images/3").json()["name"].rpartition("/")[2]
    page.get_by_label("File name").fill(name[:-4].upper())
    expect(page.locator(".told")).to_have_text("1 image")
    assert ids(page) == listed(site, name=name[:-4])
    expect(page).to_have_url(re.compile("name="))


def test_labels_are_set_where_the_server_may_write(
    visits: Visits, serve: Serve, some_file: Path, tmp_path: Path
) -> None:
    from lookalike.database import Database

    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "one.jpg").write_bytes(some_file.read_bytes())
    with Database.create(tmp_path / "db") as made:
        made.index(tmp_path / "photographs")
    with serve(tmp_path / "db", write=True) as running:
        page = opened(visits(url=running.url), "/browse")
        page.locator(".grid .tile").first.hover()
        page.locator(".grid .tick").first.click()
        page.get_by_label("Label").fill("breakfast")
        page.get_by_role("button", name="Set label").click()
        expect(page.locator(".selection")).to_be_hidden()
        items = running.client.get("/api/v1/labels").json()["items"]
        assert items == [{"label": "breakfast", "images": 1}]
        page.close()
