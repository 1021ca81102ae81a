"""The shell: tabs and addresses, light and dark, keys and their help, the token, narrow screens, axe-core."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, Visits, until
from tests.web.conftest import Serve

READY = {
    "/": ".tried .tile", "/?id=1": ".asked .query-name", "/browse": ".grid .tile img", "/map": ".plane canvas",
    "/settings": ".panel", "/clean-up": ".tab.cleanup .inner > *",
}  # fmt: skip
TOKEN = "a token of this test"


def opened(visit: Visit, path: str) -> Page:
    page = visit.open(path)
    expect(page.locator(READY[path]).first).to_be_visible(timeout=90_000)
    return page


def test_tabs_have_addresses_titles_and_a_way_back(visit: Visit) -> None:
    page = visit.open()
    for name, path in (("Browse", "/browse"), ("Map", "/map"), ("Settings", "/settings"), ("Search", "/")):
        link = page.get_by_role("link", name=name, exact=True)
        link.click()
        expect(link).to_have_attribute("aria-current", "page")
        expect(page).to_have_title(f"{name} – lookalike")
        assert page.url == visit.url + path
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    expect(page).to_have_title("Settings – lookalike")
    expect(page.locator("#collection")).to_have_text("336 images")


def test_a_tab_comes_back_as_it_was_left(visit: Visit) -> None:
    page = opened(visit, "/browse")
    page.evaluate("scrollTo(0, 900)")
    page.wait_for_timeout(300)
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.locator(".panel").first).to_be_visible()
    page.go_back()
    until(page, "scrollY === 900")


def test_light_and_dark(visits: Visits) -> None:
    page = opened(visits(scheme="dark"), "/settings")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.locator("#theme").click()
    light = page.evaluate(colour)
    assert light != dark
    page.reload()
    expect(page.locator("#theme")).to_have_attribute("title", "Theme: light")
    assert page.evaluate(colour) == light
    page.locator("#theme").click()
    assert page.evaluate(colour) == dark


def test_keys_and_their_help(visit: Visit) -> None:
    page = opened(visit, "/browse")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.get_by_text("shuffle again")).to_be_visible()
    dialog.get_by_label("Use keyboard shortcuts on this page").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("7")
    assert page.url.endswith("/browse")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    page.get_by_role("dialog").get_by_label("Use keyboard shortcuts on this page").check()
    page.keyboard.press("Escape")
    page.keyboard.press("7")
    expect(page).to_have_url(re.compile("/settings"))


def test_the_first_tab_stop_skips_the_header(visit: Visit) -> None:
    page = opened(visit, "/browse")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Filters")).to_be_focused()


def test_a_token_is_asked_for(visits: Visits, serve: Serve, database: Path) -> None:
    with serve(database, token=TOKEN) as guarded:
        visit = visits(url=guarded.url)
        visit.expected = ("status of 401",)
        page = visit.open(f"/?token={TOKEN.replace(' ', '+')}")
        expect(page.locator(".tried .tile").first).to_be_visible()
        assert "token" not in page.url
        page.wait_for_load_state("networkidle")
        page.context.clear_cookies()
        page.get_by_role("link", name="Browse", exact=True).click()
        dialog = page.get_by_role("dialog", name="Sign in")
        dialog.get_by_label(re.compile("^Access token")).fill("not this one")
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog.get_by_role("alert")).to_have_text("Wrong token. Try again.")
        dialog.get_by_label(re.compile("^Access token")).fill(TOKEN)
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog).to_have_count(0)
        expect(page.locator(".tab.browse .tile img").first).to_be_visible()
        page.close()


def test_who_opens_the_bare_address_can_type_the_token(visits: Visits, serve: Serve, database: Path) -> None:
    with serve(database, token=TOKEN) as guarded:
        visit = visits(url=guarded.url)
        visit.expected = ("status of 401",)
        page = visit.open("/browse?sort=newest")
        assert serious(page) == []
        for given in ("not this one", TOKEN):
            page.get_by_label(re.compile("^Access token")).fill(given)
            page.get_by_role("button", name="Sign in").click()
            if given != TOKEN:
                expect(page.get_by_role("alert")).to_have_text("Wrong token. Try again.")
                assert serious(page) == []
        expect(page.locator(".grid .tile img").first).to_be_visible()
        assert page.url == f"{visit.url}/browse?sort=newest"
        page.close()


# A server stopped under a browser leaves an open connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_absent_server_is_reported_in_words(visits: Visits, serve: Serve, database: Path) -> None:
    with serve(database) as gone:
        visit = visits(url=gone.url)
        visit.expected = ("ERR_CONNECTION",)
        page = opened(visit, "/?id=1")
    page.get_by_role("link", name="Browse", exact=True).click()
    expect(page.locator(".tab.browse > .problem")).to_contain_text("The server does not answer.")
    expect(page.locator("#lost")).to_contain_text("Trying again")


@pytest.mark.parametrize("path", READY)
def test_narrow_screens_need_no_sideways_scrolling(visits: Visits, path: str) -> None:
    page = opened(visits(width=390, height=844, touch=True), path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    beyond = page.evaluate(
        "[...document.querySelectorAll('main button, main input, main a, header a, header button')]"
        ".filter((one) => one.offsetParent && !one.closest('.skip, .unseen'))"
        ".filter((one) => one.getBoundingClientRect().right > 391)"
        ".map((one) => one.outerHTML.slice(0, 80))"
    )
    assert beyond == []


@pytest.mark.parametrize("path", READY)
def test_axe_finds_nothing_serious_in_light_and_dark(visit: Visit, path: str) -> None:
    page = opened(visit, path)
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page) == []


def test_axe_finds_nothing_serious_in_dialogs(visit: Visit) -> None:
    page = opened(visit, "/?id=1")
    page.get_by_role("button", name="All", exact=True).click()
    page.locator(".answer .tile a").first.click()
    expect(page.get_by_role("dialog").get_by_role("row", name=re.compile("^Format"))).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("4")
    expect(page.get_by_label("Brightness")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filters", exact=True).click()
    expect(page.get_by_role("dialog", name="Filters")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert serious(page) == []


def serious(page: Page) -> list[str]:
    """Serious and critical violations by axe-core, with their elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found: list[dict[str, Any]] = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


def test_names_are_text_never_markup(visits: Visits, serve: Serve, some_file: Path, tmp_path: Path) -> None:
    from lookalike.database import Database

    name = "<img src=x onerror=document.title=1>"
    folder = tmp_path / "photographs" / "<b>label</b>"
    folder.mkdir(parents=True)
    (folder / f"{name}.jpg").write_bytes(some_file.read_bytes())
    with Database.create(tmp_path / "db") as made:
        made.index(tmp_path / "photographs", labels_from_folders=True)
    with serve(tmp_path / "db") as running:
        visit = visits(url=running.url)
        for path in ("/", "/?id=1", "/browse", "/map", "/settings"):
            page = opened(visit, path)
            assert page.locator("main b:text('label'), img[src='x']").count() == 0
        page = opened(visit, "/?id=1")
        expect(page.locator(".query-name")).to_have_text(f"<b>label</b>/{name}.jpg")
        page.close()


def test_an_empty_collection_says_how_to_fill_it(visits: Visits, serve: Serve, tmp_path: Path) -> None:
    from lookalike.database import Database

    Database.create(tmp_path / "db").close()
    with serve(tmp_path / "db") as running:
        visit = visits(url=running.url)
        for path, where in (("/browse", ".nothing"), ("/map", ".working")):
            expect(visit.open(path).locator(where)).to_contain_text("The collection is empty")
        page = visit.open("/")
        expect(page.locator(".steps li")).to_have_count(3)
        expect(page.locator(".steps")).to_contain_text("lookalike index FOLDER --db DB")
        page.close()


def test_an_unknown_address_and_the_sign_in_have_the_style_of_the_page(visit: Visit) -> None:
    visit.expected = ("status of 404",)
    page = visit.open("/no/such/page")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    assert page.locator(".panel").evaluate("(one) => getComputedStyle(one).display") == "grid"
    assert serious(page) == []
    page.get_by_role("link", name="Go to the search").click()
    expect(page.locator(".drop")).to_be_visible()


@pytest.mark.parametrize("width", [640, 2560])
def test_a_zoom_of_200_percent_and_wide_screens(visits: Visits, width: int) -> None:
    page = opened(visits(width=width, height=450 if width < 1000 else 1400), "/?id=1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 1000:
        page.locator("#tabs").get_by_role("button", name="More").click()
    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page).to_have_title("Settings – lookalike")
