"""Cleaning up: groups decided by mouse, keys and rules; decisions that are never lost; the plan as a file."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from lookalike.database import Database
from lookalike.duplicates.cleanup import plan_file
from tests.browser.conftest import WAIT, Visit, Visits, settled
from tests.browser.test_shell import serious
from tests.duplicates.test_verification import photograph
from tests.web.conftest import Serve, Served

GROUPS = 6
MANY, PRESSED = 135, 50  # groups; decisions by keys
FAST = 125  # milliseconds between two keys


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """Photographs, some of them with copies: equal bytes, equal pixels, and smaller."""
    folder = tmp_path / "copied"
    files = [file for file in sorted(photographs.rglob("*.jpg")) if not file.stem.endswith("again")]
    for name in ("camera", "shared"):
        (folder / name).mkdir(parents=True)
    for number, file in enumerate(files[: 4 * GROUPS : 4]):
        shutil.copyfile(file, folder / "camera" / f"{number} one.jpg")
        shutil.copyfile(file, folder / "shared" / f"{number} two.jpg")
        with Image.open(file) as picture:
            picture.convert("RGB").save(folder / "shared" / f"{number} exact.png")
            picture.resize((picture.width // 2, picture.height // 2)).save(folder / "shared" / f"{number} small.png")
    return folder


@pytest.fixture
def writing(folder: Path, serve: Serve, tmp_path: Path) -> Iterator[Served]:
    """A server that stores decisions."""
    with Database.create(tmp_path / "db") as database:
        database.index(folder)
    with serve(tmp_path / "db", write=True) as running:
        yield running


@pytest.fixture
def page(writing: Served, visits: Visits) -> Page:
    return opened(visits(url=writing.url))


def opened(visit: Visit, path: str = "/clean-up") -> Page:
    page = visit.open(path)
    expect(page.locator(".group").first).to_be_visible(timeout=4 * WAIT)  # once images are compared
    expect(page.locator(".note", has_text="Reading")).to_be_hidden(timeout=4 * WAIT)
    return page


def groups(page: Page) -> Locator:
    return page.locator(".group:not(.done)")


def done(page: Page) -> Locator:
    return page.locator(".group.done")


def saved(page: Page) -> None:
    """Wait until the server has all decisions."""
    expect(page.locator(".saving")).to_be_hidden()


def counts(page: Page, **numbers: int) -> None:
    for name, number in numbers.items():
        expect(page.locator(f"button[data-name={name}] .total")).to_have_text(str(number))


def kinds(server: Served) -> list[str]:
    """The kinds of the stored decisions, newest first."""
    with Database.open(server.path) as database:
        return [str(one.kind) for one in database.decisions.newest()]


def test_totals_are_one_sentence_and_what_differs_is_in_bold(page: Page) -> None:
    sentence = re.compile(rf"^{GROUPS} groups · {3 * GROUPS} files can go · frees [\d.]+ [kM]B$")
    expect(page.locator(".sentence")).to_have_text(sentence)
    expect(groups(page)).to_have_count(GROUPS)
    first = groups(page).first
    expect(first.locator("h2")).to_have_text("4 copies")
    expect(first.locator(".best .place")).to_have_text("camera/0 one.jpg")
    expect(first.locator(".best b")).to_have_count(0)
    expect(first.locator(".copy", has_text="0 two.jpg").locator("b")).to_have_text(["shared/"])
    expect(first.locator(".copy", has_text="0 small.png").locator("b")).to_have_count(4)  # folder, pixels, size, format
    expect(first.locator(".fate")).to_have_text(["Keep", "Remove", "Remove", "Remove"])
    for picture in first.locator(".pick img").all():
        assert picture.evaluate("one => getComputedStyle(one).opacity") == "1"  # nothing that is judged is dimmed
    counts(page, undecided=GROUPS, decided=0, skipped=0, apart=0, strict=GROUPS, normal=GROUPS)


def test_the_last_choice_is_shown_even_if_an_earlier_one_is_answered_later(page: Page) -> None:
    expect(groups(page)).to_have_count(GROUPS)
    held: list[Route] = []
    page.route(re.compile("state=decided"), lambda route: held.append(route))
    page.locator("button[data-name=decided]").click()
    page.locator("button[data-name=edited]").click()
    page.locator("button[data-name=undecided]").click()
    expect(page).to_have_url(re.compile("kind=edited"))
    expect(page.locator(".working")).to_be_empty()
    with page.expect_response(re.compile("state=decided")):
        for one in held:
            one.continue_()
    settled(page)
    expect(groups(page)).to_have_count(GROUPS)
    expect(page.locator(".nothing")).to_be_hidden()


def test_groups_are_decided_by_keys(page: Page, writing: Served) -> None:
    page.keyboard.press("k")  # nothing has the focus yet, so it only goes to the first
    expect(groups(page).first).to_be_focused()
    page.keyboard.press("k")
    expect(done(page)).to_contain_text("1 kept, 3 to remove")
    expect(groups(page).first).to_be_focused()
    page.keyboard.press("ArrowRight")  # the best
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(groups(page).first.get_by_role("button", name="Keep 2, remove 2")).to_be_visible()
    page.keyboard.press("k")
    expect(done(page).nth(1)).to_contain_text("2 kept, 2 to remove")
    page.keyboard.press("s")
    expect(done(page).nth(2)).to_contain_text("Skipped")
    saved(page)
    counts(page, undecided=GROUPS - 3, decided=2, skipped=1)
    page.keyboard.press("a")
    page.keyboard.press("k")
    expect(done(page).nth(3)).to_contain_text("4 kept, 0 to remove")
    for left in (3, 2, 1, 0):
        page.keyboard.press("u")
        expect(done(page)).to_have_count(left)
    saved(page)
    counts(page, undecided=GROUPS, decided=0)
    assert kinds(writing) == []


def test_what_is_not_a_duplicate_is_gone_for_good(page: Page, writing: Served) -> None:
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")
    expect(done(page)).to_contain_text("Not duplicates")
    expect(groups(page)).to_have_count(GROUPS)  # one and two have the same bytes
    expect(groups(page).first.locator("h2")).to_have_text("2 copies")
    page.reload()
    expect(groups(page).first.locator(".place")).to_have_text(["camera/0 one.jpg", "shared/0 two.jpg"])
    assert kinds(writing) == ["different"]
    page.locator("button[data-name=apart]").click()
    expect(page.locator(".line")).to_contain_text("0 exact.png")
    page.locator(".line").get_by_role("button", name="Undo").click()
    expect(page.locator(".line")).to_have_count(0)
    page.locator("button[data-name=undecided]").click()
    expect(groups(page).first.locator("h2")).to_have_text("4 copies")


def test_identical_files_are_always_duplicates(page: Page) -> None:
    page.locator("button[data-name=strict]").click()
    expect(page).to_have_url(re.compile("strictness=strict"))
    expect(groups(page).first.locator("h2")).to_have_text("3 copies")
    two = groups(page).first.locator(".copy", has_text="0 two.jpg")
    two.hover()
    expect(two.get_by_role("button", name="Not a duplicate")).to_have_count(0)


def test_one_image_is_set_apart_by_mouse_and_comes_back(page: Page) -> None:
    small = groups(page).first.locator(".copy", has_text="0 small.png")
    small.hover()
    small.get_by_role("button", name="Not a duplicate").click()
    expect(done(page)).to_contain_text("1 image set apart")
    expect(groups(page).first.locator(".copy")).to_have_count(3)
    done(page).get_by_role("button", name="Undo").click()
    expect(done(page)).to_have_count(0)
    expect(groups(page)).to_have_count(GROUPS)
    expect(groups(page).first.locator(".copy")).to_have_count(4)


def test_decisions_are_found_and_undone_after_a_reload(page: Page, writing: Served) -> None:
    groups(page).first.locator(".copy", has_text="0 two.jpg").locator(".pick").click()
    groups(page).first.locator(".best .pick").click()
    groups(page).first.get_by_role("button", name="Keep 1, remove 3").click()
    expect(done(page)).to_have_count(1)
    groups(page).first.get_by_role("button", name="Skip").click()
    saved(page)
    page.reload()
    counts(page, undecided=GROUPS - 2, decided=1, skipped=1)
    page.locator("button[data-name=decided]").click()
    expect(groups(page)).to_have_count(1)  # the list follows its address
    expect(groups(page).locator(".kept .place")).to_have_text("shared/0 two.jpg")
    groups(page).get_by_role("button", name="Undo").click()
    saved(page)
    page.locator("button[data-name=skipped]").click()
    expect(groups(page).locator(".told")).to_have_text("Skipped")
    groups(page).get_by_role("button", name="Undo").click()
    saved(page)
    counts(page, undecided=GROUPS, decided=0, skipped=0)
    assert kinds(writing) == []


def test_copies_are_compared_with_the_best(page: Page) -> None:
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("0 exact.png")
    expect(dialog.locator(".outline")).to_have_count(2)  # what both show
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.locator(".verdict")).to_contain_text("reduced to half")
    expect(dialog.locator(".outline")).to_have_count(2)
    expect(dialog.get_by_role("row", name=re.compile("^Lost if removed"))).to_contain_text("resolution")
    expect(dialog.get_by_role("row", name=re.compile("^Compression"))).to_contain_text("lossless")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_plan_is_a_file_where_the_server_moves_none(page: Page, tmp_path: Path, folder: Path) -> None:
    page.get_by_role("button", name="Apply").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("lookalike serve --db DB --write --trash FOLDER")
    for form in ("csv", "json"):
        with page.expect_download() as download:
            dialog.get_by_role("button", name=f"Plan as {form.upper()}").click()
        path = tmp_path / f"plan.{form}"
        assert download.value.suggested_filename == path.name
        download.value.save_as(path)
        plan = plan_file.read(path)
        assert len(plan.groups) == GROUPS
        assert {Path(entry.path).name[2:] for entry in plan.removals} == {"exact.png", "two.jpg"}
    rows = csv.DictReader((tmp_path / "plan.csv").read_text().splitlines())
    assert {row["action"] for row in rows} == {"keep", "remove"}
    assert len(list(folder.rglob("*.*"))) == 4 * GROUPS  # the page changes no file


def test_what_the_server_refuses_is_reported_on_the_card(writing: Served, visits: Visits) -> None:
    visit = visits(url=writing.url)
    visit.expected = ("422",)
    page = opened(visit)
    page.route("**/api/v1/decisions", lambda route: route.fulfill(
        status=422, json={"error": {"type": "unprocessable", "message": "there is no image 7"}}
    ))  # fmt: skip
    groups(page).first.get_by_role("button", name=re.compile("^Keep 1")).click()
    expect(groups(page).first.locator(".problem")).to_have_text("There is no image 7")
    expect(done(page)).to_have_count(0)
    saved(page)


def test_decisions_wait_for_a_lost_server_and_outlive_the_browser(writing: Served, visits: Visits) -> None:
    visit = visits(url=writing.url)
    visit.expected = ("ERR_FAILED", "503")
    page = opened(visit)
    page.route("**/api/v1/decisions", lambda route: route.abort())
    page.keyboard.press("ArrowDown")
    for key in "kksn":
        page.keyboard.press(key)
    page.keyboard.press("u")
    expect(done(page)).to_have_count(3)
    expect(page.locator(".saving")).to_have_text(re.compile("^[34] decisions are kept here until the server answers"))
    assert kinds(writing) == []
    again = page.context.new_page()
    page.close()  # with decisions that the server never saw
    again.goto(f"{writing.url}/clean-up")
    expect(again.locator(".group")).to_have_count(GROUPS - 3)
    counts(again, undecided=GROUPS - 3, decided=2, skipped=1)
    assert sorted(kinds(writing)) == ["keep", "keep", "later"]


def test_no_key_is_lost_when_a_lost_server_is_back(page: Page) -> None:
    page.keyboard.press("ArrowDown")
    # The page is shown again, as it is once the server answers, and a key comes in the same moment.
    page.evaluate("""() => {
      dispatchEvent(new PopStateEvent("popstate"));
      document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "k", bubbles: true}));
    }""")
    expect(done(page)).to_have_count(1)
    saved(page)
    counts(page, decided=1)


@pytest.fixture(scope="module")
def many(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over 135 pictures, each twice: in `phone` and in `camera`."""
    folder = tmp_path_factory.mktemp("many")
    for name in ("phone", "camera"):
        (folder / "images" / name).mkdir(parents=True)
    for number in range(MANY):
        file = folder / "images" / "phone" / f"{number}.jpg"
        photograph(number, (160, 120)).save(file, quality=90)
        shutil.copyfile(file, folder / "images" / "camera" / f"{number}.jpg")
    with Database.create(folder / "db") as database:
        database.index(folder / "images")
    with serve(folder / "db", write=True) as running:
        yield running


@pytest.mark.slow
def test_no_key_is_lost_at_eight_a_second(many: Served, visits: Visits) -> None:
    page = opened(visits(url=many.url))
    expect(page.locator(".sentence")).to_contain_text(f"{MANY} groups")
    page.keyboard.press("ArrowDown")
    for _ in range(PRESSED):
        page.keyboard.press("k")
        page.wait_for_timeout(FAST)
    saved(page)
    counts(page, undecided=MANY - PRESSED, decided=PRESSED)
    assert kinds(many) == ["keep"] * PRESSED


@pytest.mark.slow
def test_many_groups_are_decided_by_a_rule_in_five_clicks(many: Served, visits: Visits) -> None:
    page = opened(visits(url=many.url))
    left = int(page.locator("button[data-name=undecided] .total").inner_text())
    page.get_by_role("button", name="Rules").click()  # 1
    dialog = page.get_by_role("dialog")
    dialog.locator("#rule-folder").select_option(value=str(many.path.parent / "images" / "phone"))  # 2
    dialog.get_by_role("button", name="Add", exact=True).click()  # 3
    expect(dialog.locator(".preview")).to_contain_text(f"of {left} groups")
    dialog.get_by_role("button", name="Use them and accept all groups").click()  # 4
    expect(page.locator(".nothing")).to_contain_text("All groups are decided")
    counts(page, undecided=0, decided=MANY)
    assert kinds(many) == ["keep"] * MANY
    page.keyboard.press("u")  # all of them at once
    counts(page, undecided=left, decided=MANY - left)


def test_a_server_that_stores_nothing_says_how_to_decide(visits: Visits, site: Served) -> None:
    page = opened(visits())
    expect(page.locator(".note")).to_contain_text("lookalike serve --db DB --write --trash FOLDER")
    expect(page.locator(".group footer")).to_have_count(0)
    expect(page.locator(".keyline")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    expect(done(page)).to_have_count(0)
    groups(page).first.locator(".pick").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_an_empty_collection_has_no_groups(visits: Visits, serve: Serve, tmp_path: Path) -> None:
    Database.create(tmp_path / "empty").close()
    with serve(tmp_path / "empty", write=True) as running:
        page = visits(url=running.url).open("/clean-up")
        expect(page.locator(".nothing")).to_have_text("No duplicates found.")
        page.close()  # before the server, which it polls


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_are_narrow_enough_and_axe_finds_nothing_serious(
    scheme: str, width: int, writing: Served, visits: Visits
) -> None:
    page = opened(visits(url=writing.url, width=width, scheme=scheme, touch=width < 500))
    groups(page).first.get_by_role("button", name="Skip").click()
    expect(done(page)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    page.locator("summary.button").click()
    assert serious(page) == []
