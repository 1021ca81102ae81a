"""Duplicates and decisions about them: by mouse and keys, decisions persist, and the plan is a file."""

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
from tests.browser.conftest import Visit, Visits, settled
from tests.browser.test_shell import serious
from tests.duplicates.test_verification import photograph
from tests.web.conftest import Serve, Served

GROUPS = 6


@pytest.fixture
def folder(photographs: Path, tmp_path: Path) -> Path:
    """Photographs, some of them with copies: equal bytes, equal pixels, and smaller."""
    folder = tmp_path / "copied"
    folder.mkdir()
    files = [file for file in sorted(photographs.rglob("*.jpg")) if not file.stem.endswith("again")]
    for number, file in enumerate(files[: 4 * GROUPS : 4]):
        shutil.copyfile(file, folder / f"{number} one.jpg")
        shutil.copyfile(file, folder / f"{number} two.jpg")
        with Image.open(file) as picture:
            picture.convert("RGB").save(folder / f"{number} exact.png")
            picture.resize((picture.width // 2, picture.height // 2)).save(folder / f"{number} small.png")
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
    expect(page.locator(".group").first).to_be_visible()
    expect(page.locator(".note", has_text="Reading")).to_be_hidden()
    return page


def groups(page: Page) -> Locator:
    return page.locator(".group:not(.done)")


def lines(page: Page) -> Locator:
    return page.locator(".group.done")


def counts(page: Page, *, undecided: int, decided: int = 0, later: int = 0) -> None:
    for name, number in (("undecided", undecided), ("decided", decided), ("later", later)):
        expect(page.locator(f"button[data-state={name}] .total")).to_have_text(str(number))


def test_other_shots_of_a_scene_are_counted_and_shown_apart(serve: Serve, visits: Visits, tmp_path: Path) -> None:
    folder, picture = tmp_path / "scene", photograph(3)
    folder.mkdir()
    picture.save(folder / "first.jpg", quality=95)
    picture.save(folder / "copy.png")
    moved = picture.copy()
    moved.paste(picture.crop((40, 40, 200, 180)), (47, 44))
    moved.save(folder / "next.jpg", quality=95)
    with Database.create(tmp_path / "db") as database:
        database.index(folder)
        (id_,) = (one.id for one in database.records() if one.name.endswith("next.jpg"))
    with serve(tmp_path / "db") as running:
        page = opened(visits(url=running.url))
        expect(groups(page)).to_have_count(1)
        expect(page.locator(".note", has_text="of other shots of one scene")).to_contain_text("--same-scene")
        page = visits(url=running.url).open(f"/?id={id_}")
        expect(page.locator(".hits .edge", has_text="Same scene, another shot")).to_be_visible()
        expect(page.locator(".hits .tier.same-scene")).to_have_count(2)


def test_the_last_choice_is_shown_even_if_an_earlier_one_is_answered_later(page: Page) -> None:
    expect(groups(page)).to_have_count(GROUPS)
    held: list[Route] = []
    page.route(re.compile("state=decided"), lambda route: held.append(route))
    page.locator("button[data-state=decided]").click()
    page.locator("button[data-state=all]").click()
    expect(page).to_have_url(re.compile("state=all"))
    expect(page.locator(".working")).to_be_empty()
    with page.expect_response(re.compile("state=decided")):
        held[0].continue_()
    settled(page)
    expect(groups(page)).to_have_count(GROUPS)
    expect(page.locator(".nothing")).to_be_hidden()


def test_the_best_copy_is_outlined_and_said_in_words(page: Page) -> None:
    expect(groups(page)).to_have_count(GROUPS)
    first = groups(page).first
    expect(first.locator("h2")).to_have_text("4 images")
    expect(first.locator(".why")).to_have_text(re.compile(r"^Best oldest file \([\d-]+\)$"))
    expect(first.locator(".best .whole")).to_have_text("0 one.jpg")
    expect(first.locator(".tier.same-bytes")).to_have_count(1)
    expect(first.locator(".tier.same-pixels")).to_have_count(1)
    expect(first.locator(".tier.near")).to_have_count(1)
    expect(first.locator(".kept .fate")).to_have_text("Keep")
    assert first.locator(".best .frame").evaluate("one => getComputedStyle(one).boxShadow") != "none"
    counts(page, undecided=GROUPS)


def test_the_number_of_rejected_pairs_is_reported(page: Page) -> None:
    answer = page.evaluate("fetch('/api/duplicates?top=1').then((found) => found.json())")
    note = page.locator(".note")
    assert answer["by_code"] == 0
    assert answer["differing"] > 1
    expect(note).to_contain_text(f"Skipped {answer['differing']} candidate pairs")
    expect(note).not_to_contain_text("not verified")
    told = {**answer, "differing": 12_345, "by_code": 1}
    page.route(re.compile("/api/duplicates"), lambda route: route.fulfill(json=told))
    page.reload()
    expect(note).to_contain_text("Skipped 12,345 candidate pairs whose pictures do not match.")
    expect(note).to_contain_text("1 image not verified: neither a thumbnail nor the file can be read.")


def test_groups_are_decided_by_keys(page: Page, writing: Served) -> None:
    page.keyboard.press("k")  # nothing has the focus yet, so it only goes to the first
    expect(groups(page).first).to_be_focused()
    page.keyboard.press("k")
    expect(lines(page).first).to_contain_text("Decided: 1 of 4 images kept")
    expect(groups(page).first).to_be_focused()
    page.keyboard.press("ArrowRight")  # the best
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(groups(page).first.get_by_text("Keep these 2, remove 2")).to_be_visible()
    page.keyboard.press("k")
    expect(lines(page).nth(1)).to_contain_text("Decided: 2 of 4 images kept")
    page.keyboard.press("l")
    expect(lines(page).nth(2)).to_contain_text("Skipped")
    counts(page, undecided=GROUPS - 3, decided=2, later=1)
    expect(page.locator(".told").first).to_contain_text(f"2 of {GROUPS} decided")
    page.keyboard.press("a")
    page.keyboard.press("k")
    expect(lines(page).nth(3)).to_contain_text("Decided: 4 of 4 images kept")
    for left in (3, 2, 1, 0):
        page.keyboard.press("u")
        expect(lines(page)).to_have_count(left)
    counts(page, undecided=GROUPS)
    with Database.open(writing.path) as database:
        assert database.decisions.newest() == []


def test_what_is_not_a_duplicate_is_gone_for_good(page: Page, writing: Served) -> None:
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")
    expect(lines(page).first).to_contain_text("Not duplicates")
    expect(groups(page)).to_have_count(GROUPS)  # one and two have the same bytes
    expect(groups(page).first.locator("h2")).to_have_text("2 images")
    expect(groups(page).first).to_be_focused()
    page.reload()
    expect(groups(page).first.locator(".whole")).to_have_text(["0 one.jpg", "0 two.jpg"])
    with Database.open(writing.path) as database:
        assert [one.kind for one in database.decisions.newest()] == ["different"]
    page.get_by_role("button", name="Not duplicates 1").click()
    expect(lines(page)).to_have_count(1)
    expect(lines(page)).to_contain_text("0 exact.png")
    expect(lines(page).locator("img")).to_have_count(4)
    for key in ("ArrowDown", "k", "k", "l"):  # there is no group
        page.keyboard.press(key)
    lines(page).get_by_role("button", name="Undo").click()
    expect(lines(page)).to_have_count(0)
    counts(page, undecided=GROUPS)
    page.locator("button[data-state=undecided]").click()
    expect(groups(page).first.locator(".whole")).to_have_count(4)


def test_what_has_the_same_bytes_cannot_be_called_different(
    serve: Serve, visits: Visits, folder: Path, tmp_path: Path
) -> None:
    for file in [*folder.glob("* exact.png"), *folder.glob("* small.png")]:
        file.unlink()
    with Database.create(tmp_path / "exact") as database:
        database.index(folder)
    with serve(tmp_path / "exact", write=True) as running:
        page = opened(visits(url=running.url))
        first = groups(page).first
        expect(first.locator(".tier.same-bytes")).to_have_count(1)
        expect(first.get_by_role("button", name="Skip")).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("^Not duplicates$"))).to_have_count(0)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("n")
        expect(first.locator(".problem")).to_have_text(re.compile("^These files are identical, so they are duplicates"))
        expect(lines(page)).to_have_count(0)
        page.close()


def test_the_plan_is_in_one_row_on_a_narrow_screen(writing: Served, visits: Visits) -> None:
    page = opened(visits(url=writing.url, width=390, height=844, touch=True))
    boxes = [one.bounding_box() for one in page.get_by_role("link", name=re.compile("^Plan as")).all()]
    assert len({box["y"] for box in boxes if box}) == 1
    assert len({box["height"] for box in boxes if box}) == 1
    assert all(box and box["height"] < 40 and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def test_one_image_is_set_apart_by_mouse_and_comes_back(page: Page) -> None:
    small = groups(page).first.locator(".copy", has_text="0 small.png")
    small.hover()
    small.get_by_role("button", name="Not a duplicate of the others").click()
    expect(lines(page).first).to_contain_text("1 image set apart")
    expect(groups(page).first.locator(".copy")).to_have_count(3)
    lines(page).first.get_by_role("button", name="Undo").click()
    expect(lines(page)).to_have_count(0)
    expect(groups(page)).to_have_count(GROUPS)
    expect(groups(page).first.locator(".copy")).to_have_count(4)


def test_groups_are_decided_by_mouse_and_found_by_filters(page: Page) -> None:
    groups(page).first.locator(".copy", has_text="0 one.jpg").locator(".pick").click()
    groups(page).first.locator(".best .pick").click()
    groups(page).first.get_by_role("button", name="Keep this one, remove 3").click()
    expect(lines(page)).to_have_count(1)  # the first group is now another one
    groups(page).first.get_by_role("button", name="Skip").click()
    counts(page, undecided=GROUPS - 2, decided=1, later=1)
    page.locator("button[data-state=decided]").click()
    expect(page).to_have_url(re.compile("state=decided"))
    expect(groups(page)).to_have_count(1)
    expect(groups(page).locator(".state")).to_have_text("decided")
    expect(groups(page).locator(".kept .whole")).to_have_text("0 one.jpg")
    page.locator("button[data-state=later]").click()
    expect(groups(page).locator(".state")).to_have_text("skipped")
    page.locator("button[data-state=all]").click()
    expect(groups(page)).to_have_count(GROUPS)
    page.go_back()
    expect(page).to_have_url(re.compile("state=later"))
    expect(groups(page)).to_have_count(1)


def test_decisions_hold_for_files_that_were_renamed(writing: Served, visits: Visits, folder: Path) -> None:
    visit = visits(url=writing.url)
    visit.expected = ("404",)  # thumbnails, until the files are located
    page = opened(visit)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    expect(lines(page)).to_have_count(1)
    for file in list(folder.glob("0 *")):
        file.rename(file.with_name(f"renamed {file.name}"))
    with Database.open(writing.path) as database:
        database.index(folder)
    page.goto(f"{writing.url}/clean-up?state=decided")
    expect(groups(page).locator(".best .whole")).to_have_text("renamed 0 one.jpg", timeout=60_000)
    # the kept file and its exact copy were both renamed, and nothing tells them apart
    expect(groups(page).locator(".kept .whole")).to_have_text(["renamed 0 one.jpg", "renamed 0 two.jpg"])


def test_copies_are_compared_with_the_best(page: Page) -> None:
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("figcaption")).to_have_text(["Best", "Copy"])
    expect(dialog.locator(".facts")).to_contain_text("0 exact.png")
    expect(dialog.get_by_text("1 of 3")).to_be_visible()
    dialog.get_by_role("button", name="Difference").click()
    expect(dialog.locator(".told").first).to_contain_text("of 255")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("form", ["CSV", "JSON"])
def test_the_plan_is_a_file_that_can_be_applied(form: str, page: Page, tmp_path: Path, folder: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Plan as {form}").click()
    path = tmp_path / f"plan.{form.lower()}"
    assert download.value.suggested_filename == path.name
    download.value.save_as(path)
    plan = plan_file.read(path)
    assert len(plan.groups) == GROUPS
    assert {Path(entry.path).name[2:] for entry in plan.removals} == {"exact.png", "two.jpg"}
    if form == "CSV":
        assert {row["action"] for row in csv.DictReader(path.read_text().splitlines())} == {"keep", "remove"}
    assert len(list(folder.iterdir())) == 4 * GROUPS  # the page changes no file


def test_what_the_server_refuses_is_reported_on_the_card(writing: Served, visits: Visits) -> None:
    visit = visits(url=writing.url)
    visit.expected = ("503",)
    page = opened(visit)
    card = groups(page).first
    page.route("**/api/decisions", lambda route: route.fulfill(
        status=503, json={"error": {"type": "unavailable", "message": "the disk is full"}}
    ))  # fmt: skip
    card.get_by_role("button", name=re.compile("^Keep")).click()
    expect(card.locator(".problem")).to_have_text("The disk is full")
    expect(lines(page)).to_have_count(0)


def test_a_server_that_stores_nothing_says_how_to_decide(visits: Visits, site: Served) -> None:
    page = opened(visits())
    expect(page.locator(".note")).to_contain_text("lookalike serve --db DB --write")
    expect(page.locator(".group footer")).to_have_count(0)
    expect(page.locator(".keyline")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    expect(lines(page)).to_have_count(0)
    groups(page).first.locator(".pick").first.click()
    expect(page.get_by_role("dialog").locator("img.large")).to_be_visible()


def test_an_empty_collection_has_no_groups(visits: Visits, serve: Serve, tmp_path: Path) -> None:
    Database.create(tmp_path / "empty").close()
    with serve(tmp_path / "empty", write=True) as running:
        page = visits(url=running.url).open("/clean-up")
        expect(page.locator(".nothing")).to_have_text("No duplicates found.")
        page.close()  # before the server, which it polls


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_nothing_is_wider_than_the_page(scheme: str, width: int, writing: Served, visits: Visits) -> None:
    page = opened(visits(url=writing.url, width=width, scheme=scheme))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(groups(page).first.get_by_role("button", name="Skip")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(scheme: str, writing: Served, visits: Visits) -> None:
    page = opened(visits(url=writing.url, scheme=scheme))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("l")
    expect(lines(page)).to_have_count(1)
    page.keyboard.press("ArrowRight")
    assert serious(page) == []
