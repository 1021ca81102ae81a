"""Search as a user does it: files chosen, dropped and pasted, one or several; strictness, filters, comparison."""

from __future__ import annotations

import base64
import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit, Visits, settled
from tests.web.conftest import Served

SEND = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type}));
  const how = {bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried};
  const event = name.startsWith("pasted") ? new ClipboardEvent("paste", how) : new DragEvent("drop", how);
  document.body.dispatchEvent(event);
}"""

SEND_ADDRESS = """(text) => {
  const carried = new DataTransfer();
  carried.setData("text/plain", text);
  document.body.dispatchEvent(new ClipboardEvent("paste", {bubbles: true, cancelable: true, clipboardData: carried}));
}"""


def send(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the page, or paste it."""
    page.evaluate(SEND, [name, "image/jpeg", base64.b64encode(content).decode()])


def searched(page: Page) -> None:
    """Wait for hits."""
    expect(page.locator(".query-name")).to_be_visible()
    expect(page.locator(".answer .tile").first).to_be_visible()


def unfold(page: Page) -> None:
    """Show the similar images, too."""
    page.get_by_role("button", name=re.compile("^Show .* more similar image")).click()


def compared(page: Page, number: int) -> Locator:
    """The comparison with a hit."""
    page.locator(".answer .tile a").nth(number).click()
    return page.get_by_role("dialog", name="Why do these match?")


def test_one_sentence_says_whether_the_picture_is_here(visit: Visit, visits: Visits, some_file: Path) -> None:
    page = visit.open()
    expect(page.locator(".tried .tile")).to_have_count(18)
    page.set_input_files("#file", some_file)
    searched(page)
    expect(page.locator(".found .sentence")).to_have_text(
        re.compile(r"^This picture is here: 1 exact copy, \d edited cop")
    )
    expect(page.locator(".found .told")).to_have_text(re.compile(r"^336 images searched in (under )?\d+\.\d+ s$"))
    expect(page.locator(".query-name")).to_have_text(some_file.name)
    expect(page.locator("img.query")).to_have_js_property("complete", True)
    expect(page.locator(".answer .tile .badge").first).to_have_text("exact copy")
    assert not re.search(r"\bbits?\b|distance|[0-9a-f]{16}", page.locator(".found").inner_text())
    page.reload()
    searched(page)
    expect(page.locator(".query-name")).to_have_text(some_file.name)  # its preview outlives a reload
    assert page.locator("img.query").get_attribute("src").startswith("data:image/jpeg")  # type: ignore[union-attr]
    other = visits().page
    other.goto(page.url)
    searched(other)
    expect(other.locator(".found .told")).to_contain_text("Choose the image file to find its copies.")
    expect(other.locator(".block-copies")).to_be_hidden()  # a code does not tell copies


@pytest.mark.parametrize("name", ["dropped.jpg", "pasted.jpg"])
def test_files_are_dropped_and_pasted_on_any_tab(visit: Visit, some_file: Path, name: str) -> None:
    page = visit.open("/browse")
    expect(page.locator(".grid .tile img").first).to_be_visible()
    send(page, name, some_file.read_bytes())
    searched(page)
    expect(page.locator(".query-name")).to_have_text(name)
    expect(page.locator(".block-copies .badge").first).to_have_text("exact copy")
    expect(page.get_by_role("link", name="Search", exact=True)).to_have_attribute("aria-current", "page")


def test_a_file_that_is_not_an_image_is_refused_in_words(visit: Visit, some_file: Path) -> None:
    visit.expected = ("status of 422",)
    page = visit.open()
    for name, content in (("notes.jpg", b"no image at all"), ("half.jpg", some_file.read_bytes()[:200])):
        send(page, name, content)
        problem = page.locator(".start .problem")
        expect(problem).to_contain_text(f"Cannot search for {name}: ")
    page.locator(".tried a").first.click()
    searched_or_none(page)
    page.go_back()
    expect(page.locator(".start .problem")).to_be_empty()


def test_a_pasted_address_is_not_fetched(visit: Visit) -> None:
    page = visit.open()
    expect(page.locator(".tried .tile").first).to_be_visible()
    page.evaluate(SEND_ADDRESS, "https://example.org/photo.jpg")
    expect(page.locator(".start .problem")).to_contain_text("An address is not fetched")


def test_a_format_that_browsers_do_not_show_has_a_preview(visit: Visit, some_file: Path, tmp_path: Path) -> None:
    with Image.open(some_file) as image:
        image.convert("RGB").save(tmp_path / "photo.tiff")
    page = visit.open()
    page.set_input_files("#file", tmp_path / "photo.tiff")
    searched(page)
    expect(page.locator("img.query")).to_have_js_property("complete", True)
    assert page.locator("img.query").evaluate("(image) => image.naturalWidth") > 0
    expect(page.locator(".block-copies .tile").first).to_be_visible()


def test_several_files_at_once(visit: Visit, some_file: Path, tmp_path: Path) -> None:
    Image.effect_noise((256, 256), 90).save(tmp_path / "noise.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    visit.expected = ("status of 422",)  # there is no preview of what is no image
    page = visit.open()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/search") else None)
    page.set_input_files("#file", [some_file, tmp_path / "broken.jpg", tmp_path / "noise.png"])
    expect(page.locator(".batch .sentence")).to_have_text("1 of 3 pictures is here.")
    expect(page.locator(".start")).to_be_hidden()
    expect(page.locator(".strip li").first).to_contain_text("copies here")
    expect(page.locator(".strip li").last).to_contain_text("Not in this collection.")
    expect(page.locator(".strip li").nth(1)).to_contain_text("not an image")
    assert len(asked) == 1
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    lines = list(csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines()))
    assert [one["file"] for one in lines] == [some_file.name, "broken.jpg", "noise.png"]
    assert lines[0]["best_relation"] == "exact"
    page.locator(".strip button").first.click()
    searched(page)
    page.get_by_role("link", name="All files").click()
    expect(page.locator(".strip li")).to_have_count(3)


def test_one_of_the_collection_is_searched_for_and_the_way_back_leads_back(visit: Visit) -> None:
    page = visit.open()
    page.locator(".tried a").first.click()
    searched_or_none(page)
    unfold(page)
    before, name = page.url, page.locator(".query-name").inner_text()
    dialog = compared(page, 0)
    dialog.get_by_role("link", name="Search by this image").click()
    expect(page.locator(".query-name")).not_to_have_text(name)
    page.go_back()
    expect(page).to_have_url(before)
    expect(page.locator(".query-name")).to_have_text(name)
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.locator(".drop")).to_be_visible()


def searched_or_none(page: Page) -> None:
    expect(page.locator(".found .sentence")).to_have_text(re.compile("copy|copies"))
    expect(page.locator(".query-name")).to_be_visible()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("?code=0f", "This link is incomplete, or from another collection."),
        ("?code=hello", "This link is incomplete, or from another collection."),
        ("?id=abc", "“abc” is not an image number."),
        ("?id=0", "“0” is not an image number."),
        ("?id=987654321", "There is no image 987654321 in this collection. It may have been removed"),
    ],
)
def test_an_empty_address_is_reported_in_words(visit: Visit, address: str, words: str) -> None:
    visit.expected = ("status of 404",)
    page = visit.open(f"/{address}")
    problem = page.locator(".tab.search > .problem")
    expect(problem).to_contain_text(words)
    assert not re.search("should|valid|pattern|multipart|datetime", problem.inner_text())
    expect(page.locator(".answer .tile")).to_have_count(0)


def test_strictness_shows_more_or_less(visit: Visit, site: Served, some_file: Path) -> None:
    page = visit.open()
    page.set_input_files("#file", some_file)
    searched(page)
    answer = site.client.post("/api/v1/search", files={"image": some_file.read_bytes()}, data={"top": "1000"}).json()
    hits = answer["answers"][0]["hits"]
    relations = [hit["relation"] for hit in hits]
    copies = sum(one in ("exact", "same-pixels", "edited") for one in relations)
    similar = relations.count("similar")
    assert copies >= 3
    expect(page.locator(".block-copies h3")).to_have_text(f"Copies {copies}")
    expect(page.locator(".block-copies .tile")).to_have_count(copies)
    expect(page.locator(".block-similar")).to_be_hidden()
    page.get_by_role("button", name=f"Show {similar} more similar image").click()
    expect(page.locator(".block-similar h3")).to_contain_text(str(similar))
    expect(page).to_have_url(re.compile("show=similar"))
    page.get_by_role("slider", name="How much is shown").fill("0")
    expect(page.locator(".block-similar")).to_be_hidden()
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator(".block-similar h3")).to_contain_text(str(len(hits) - copies - relations.count("same-scene")))
    edited = page.locator(".block-copies .tile", has_text="edited copy").first
    expect(edited.locator(".done")).not_to_be_empty()


def test_a_thousand_hits_need_few_elements(visit: Visit, some_file: Path) -> None:
    page = visit.open()
    page.set_input_files("#file", some_file)
    searched(page)
    page.get_by_role("button", name="All", exact=True).click()
    for _ in range(6):
        page.mouse.wheel(0, 700)
        settled(page)
        assert page.evaluate("document.querySelectorAll('*').length") < 2000


def test_the_absence_of_copies_is_reported(visit: Visit, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).resize((512, 512), Image.Resampling.BICUBIC).save(tmp_path / "noise.png")
    page = visit.open()
    page.set_input_files("#file", tmp_path / "noise.png")
    expect(page.locator(".found .sentence")).to_have_text("Not in this collection.")
    expect(page.locator(".block-copies")).to_be_hidden()


def test_filters_are_behind_one_button_and_chips_remove_them(visit: Visit, site: Served, some_file: Path) -> None:
    items = site.client.get("/api/v1/labels").json()["items"]
    label = max(items, key=lambda one: one["images"])["label"]
    page = visit.open()
    page.set_input_files("#file", some_file)
    searched(page)
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("button", name="Filters", exact=True).click()
    dialog = page.get_by_role("dialog", name="Filters")
    dialog.get_by_label("Label").fill(label)
    dialog.locator("[data-name=label] button", has_text=label).first.click()
    dialog.get_by_role("button", name="Done").click()
    expect(page).to_have_url(re.compile("label="))
    chip = page.get_by_role("button", name=f"Remove the filter Label: {label}")
    expect(chip).to_be_visible()
    expect(page.locator(".answer .tile").first).to_have_attribute("data-id", re.compile("."))
    page.get_by_role("button", name="Filters", exact=True).click()
    dialog.get_by_label("From").fill("2124-01-01")
    dialog.get_by_role("button", name="Done").click()
    expect(page.locator(".answer .nothing")).to_have_text("No image matches these filters.")
    page.get_by_role("button", name="Remove the filter Taken").click()
    chip.click()
    expect(page).not_to_have_url(re.compile("label="))
    expect(page.locator(".block-copies .tile").first).to_be_visible()


def test_why_two_images_match(visit: Visit, some_file: Path) -> None:
    page = visit.open()
    page.set_input_files("#file", some_file)
    searched(page)
    dialog = compared(page, 1)
    expect(dialog.locator(".verdict")).to_have_text(re.compile(r"^Edited copy: .*\.$"))
    expect(dialog.locator(".pane img")).to_have_count(2)
    expect(dialog.locator(".outline")).to_have_count(2)  # what both show
    expect(
        dialog.locator("tr.differs", has_text="Pixels").or_(dialog.locator("tr.differs", has_text="Size")).first
    ).to_be_visible()
    expect(dialog.get_by_role("link", name="Open original")).to_have_attribute("href", re.compile("/images/.*/file"))
    dialog.get_by_role("button", name="Outline").click()
    expect(dialog.locator(".outline").first).to_be_hidden()
    dialog.get_by_role("button", name="Zoom in").click()
    assert "scale(1.5)" in dialog.locator(".sheet").first.evaluate("(sheet) => sheet.style.transform")
    page.keyboard.press("2")
    dialog.get_by_role("slider", name="Where one image ends").fill("30")
    assert dialog.locator(".common").evaluate("(one) => one.style.getPropertyValue('--at')") == "30%"
    page.keyboard.press("3")
    dialog.get_by_role("button", name="Flip").click()
    expect(dialog.locator(".told").first).to_have_text("Now: Found")
    page.keyboard.press("4")
    dialog.get_by_label("Brightness").fill("16")
    assert dialog.locator(".common").evaluate("(one) => one.style.filter") == "brightness(16)"
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.locator("footer")).to_contain_text(re.compile(r"3 of \d+"))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('.tile') !== null")


@pytest.mark.parametrize("transposed", [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90])
def test_a_turned_copy_is_laid_over_what_it_matches(
    transposed: Image.Transpose, visit: Visit, some_file: Path, tmp_path: Path
) -> None:
    with Image.open(some_file) as image:
        image.convert("RGB").transpose(transposed).save(tmp_path / "turned.png")
    page = visit.open()
    page.set_input_files("#file", tmp_path / "turned.png")
    searched(page)
    dialog = compared(page, 0)
    page.keyboard.press("4")
    dialog.get_by_label("Brightness").fill("1")
    settled(page)
    page.wait_for_timeout(300)
    shown = Image.open(io.BytesIO(dialog.locator(".pane").screenshot())).convert("L")
    middle = shown.crop((shown.width * 2 // 5, shown.height * 2 // 5, shown.width * 3 // 5, shown.height * 3 // 5))
    assert np.asarray(middle).mean() < 16  # not aligned, it would be over 40


def test_keys_move_among_hits(visit: Visit) -> None:
    page = visit.open("/?id=1")
    searched_or_none(page)
    page.get_by_role("button", name="All", exact=True).click()
    tiles = page.locator(".block-similar .tile")
    tiles.first.locator("a").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".block-similar .tile[data-number='1'] a")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.locator(".block-similar .tile[data-number='0'] a")).to_be_focused()
    page.keyboard.press("i")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name=re.compile("^Format"))).to_be_visible()
    assert not re.search("[0-9a-f]{16}", dialog.inner_text())
    page.keyboard.press("ArrowRight")
    dialog.get_by_role("link", name="Find similar images").click()
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile(r"id=1$"))


def test_a_mirrored_copy_is_found_and_said_to_be_one(visit: Visit, some_file: Path, tmp_path: Path) -> None:
    mirrored = tmp_path / "mirrored.png"
    with Image.open(some_file) as image:
        image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
    page = visit.open()
    page.set_input_files("#file", mirrored)
    searched(page)
    best = page.locator(".block-copies .tile").first
    expect(best.locator(".badge")).to_have_text("edited copy")
    expect(best.locator(".done")).to_contain_text("mirrored")
