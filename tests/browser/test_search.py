"""Search as a user does it: files chosen, dropped and pasted, hits clicked, codes, the slider, filters, comparison."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit, Visits, until
from tests.web.conftest import Served

SEND = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type}));
  const how = {bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried};
  const event = name.startsWith("pasted") ? new ClipboardEvent("paste", how) : new DragEvent("drop", how);
  document.body.dispatchEvent(event);
}"""

BRIGHT = """() => {
  const canvas = document.querySelector("dialog canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, at) => at % 4 < 3 && value > 30);
}"""


def send(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the page, or paste it."""
    page.evaluate(SEND, [name, "image/jpeg", base64.b64encode(content).decode()])


def searched(page: Page) -> None:
    """Wait for hits."""
    expect(page.locator(".asked h2")).to_be_visible()
    expect(page.locator(".hits .tile").first).to_be_visible()


def unfold(page: Page) -> None:
    """Show the similar images, too."""
    page.get_by_role("button", name=re.compile("^Show .* similar image")).click()


def first_id(page: Page) -> int:
    return int(page.locator(".hits .tile").first.get_attribute("data-id") or 0)


def visible(page: Page) -> Locator:
    return page.locator(".hits .tile:not([hidden])")


def shown(page: Page) -> int:
    return visible(page).count()


def test_a_chosen_file_is_found_and_its_link_finds_the_same(visit: Visit, visits: Visits, some_file: Path) -> None:
    page = visit.open()
    expect(page.locator(".tried .tile")).to_have_count(14)
    page.set_input_files("#file", some_file)
    searched(page)
    expect(page.locator(".asked h2")).to_have_text(some_file.name)
    expect(page.locator("img.thumb")).to_have_js_property("complete", True)
    assert page.locator("img.thumb").get_attribute("src").startswith("blob:")  # type: ignore[union-attr]
    best = page.locator(".hits .tile").first
    expect(best.locator(".tier")).to_have_text("exact copy")
    expect(page.locator(".found .told")).to_have_text(
        re.compile(r"^\d copies found · 336 images searched in (under )?\d+\.\d+ s$")
    )
    assert re.fullmatch(r".*/\?code=[0-9a-f]{16}", page.url)
    page.reload()
    searched(page)
    expect(page.locator(".asked h2")).to_have_text(some_file.name)  # its thumbnail outlives a reload
    assert page.locator("img.thumb").get_attribute("src").startswith("data:image/jpeg")  # type: ignore[union-attr]
    other = visits().page
    other.goto(page.url)
    searched(other)
    expect(other.locator(".asked h2")).to_have_text("Search by code")
    expect(other.locator(".found .told")).to_contain_text("Choose the image file to find its copies.")
    expect(other.locator(".hits .tier").first).to_have_text("similar")  # a code does not tell copies


@pytest.mark.parametrize("name", ["dropped.jpg", "pasted.jpg"])
def test_files_are_dropped_and_pasted_on_any_tab(visit: Visit, some_file: Path, name: str) -> None:
    page = visit.open("/browse")
    expect(page.locator(".grid .tile img").first).to_be_visible()
    send(page, name, some_file.read_bytes())
    searched(page)
    expect(page.locator(".asked h2")).to_have_text(name)
    expect(page.locator(".hits .tier").first).to_have_text("exact copy")
    expect(page.get_by_role("link", name="Search", exact=True)).to_have_attribute("aria-current", "page")


def test_a_file_that_is_not_an_image_is_refused_in_words(visit: Visit, some_file: Path) -> None:
    visit.expected = ("status of 422",)
    page = visit.open()
    for name, content in (("notes.jpg", b"no image at all"), ("half.jpg", some_file.read_bytes()[:200])):
        send(page, name, content)
        problem = page.locator(".start .problem")
        expect(problem).to_contain_text(f"Cannot search for {name}: ")
    page.locator(".tried a").first.click()
    searched(page)
    page.go_back()
    expect(page.locator(".start .problem")).to_be_empty()


def test_a_click_on_a_hit_searches_by_it_and_the_way_back_leads_back(visit: Visit) -> None:
    page = visit.open()
    page.locator(".tried a").first.click()
    searched(page)
    unfold(page)
    before, name = page.url, page.locator(".asked h2").inner_text()
    second = page.locator(".hits .tile").nth(1)
    wanted = second.get_attribute("data-id")
    second.locator("a").click()
    expect(page.locator(f".hits .tile[data-id='{wanted}'] .tier").first).to_have_text("exact copy")
    assert page.url.endswith(f"?id={wanted}")
    page.go_back()
    expect(page).to_have_url(before)
    expect(page.locator(".asked h2")).to_have_text(name)
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page.locator(".drop")).to_be_visible()


def test_a_code_finds_its_image_and_a_wrong_one_is_refused(visit: Visit, site: Served) -> None:
    image = site.client.get("/api/images/5").json()
    page = visit.open()
    page.get_by_label("or enter an image's code").fill(image["code"].upper())
    page.get_by_role("button", name="Search", exact=True).click()
    searched(page)
    expect(page.locator(".hits .tile[data-id='5'] .tier")).to_have_text("similar")
    page.get_by_role("link", name="Clear", exact=True).click()
    page.get_by_label("or enter an image's code").fill("0f")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#code:invalid")).to_be_visible()
    assert page.locator("#code").get_attribute("title") == "16 digits, each 0 to 9 or a to f"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("?code=0f", "The code “0f” has 2 digits; codes of this collection have 16."),
        ("?code=hello", "“hello” is not a code. A code of this collection has 16 digits, each 0 to 9 or a to f."),
        ("?id=abc", "“abc” is not an image number."),
        ("?id=0", "“0” is not an image number."),
        ("?id=987654321", "There is no image 987654321 in this collection. It may have been removed"),
        ("?id=1&since=soon", "“soon” is not a date. Write it like 2026-05-01."),
    ],
)
def test_an_empty_address_is_reported_in_words(visit: Visit, address: str, words: str) -> None:
    visit.expected = ("status of 404",)
    page = visit.open(f"/{address}")
    problem = page.locator(".tab.search > .problem")
    expect(problem).to_contain_text(words)
    assert not re.search("should|valid|pattern|multipart|datetime", problem.inner_text())
    expect(page.locator(".hits .tile")).to_have_count(0)


def test_copies_come_first_and_similar_images_are_folded_away(visit: Visit, site: Served, some_file: Path) -> None:
    page = visit.open()
    page.set_input_files("#file", some_file)
    searched(page)
    hits = site.client.post("/api/search", files={"file": some_file.read_bytes()}, data={"top": "100"}).json()["hits"]
    relations = [hit["relation"] for hit in hits]
    copies = sum(one in ("exact", "same-pixels", "edited") for one in relations)
    scene, similar = relations.count("same-scene"), relations.count("similar")
    assert copies >= 3
    assert similar
    expect(page.locator(".hits .edge.copies")).to_have_text("Copies")
    expect(page.locator(".found .told b")).to_have_text(f"{copies} copies found")
    assert shown(page) == copies + scene
    page.get_by_role("button", name=re.compile(f"Show {similar} similar image")).click()
    assert shown(page) == copies + scene + similar
    expect(page.locator(".hits .tile a").nth(copies + scene)).to_be_focused()
    edited = page.locator(".hits .tile", has=page.locator(".tier.edited")).first
    expect(edited.locator(".done")).not_to_be_empty()
    assert not re.search(r"\bbits?\b|distance", page.locator(".found").inner_text())


def test_the_absence_of_copies_is_reported(visit: Visit, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).resize((512, 512), Image.Resampling.BICUBIC).save(tmp_path / "noise.png")
    page = visit.open()
    page.set_input_files("#file", tmp_path / "noise.png")
    expect(page.locator(".found .told b")).to_have_text("No copy of this picture here")
    expect(page.locator(".hits .edge.copies")).to_have_count(0)


def test_filters(visit: Visit, site: Served, photographs: Path) -> None:
    labels = site.client.get("/api/labels").json()["labels"]
    label = max(labels, key=labels.get)
    code = site.client.get("/api/images/1").json()["code"]
    page = visit.open(f"/?code={code}")
    searched(page)

    def found() -> int:
        asked = {"code": code, "top": 100, "label": label}
        return sum(hit["relation"] == "similar" for hit in site.client.post("/api/search", json=asked).json()["hits"])

    page.get_by_label("Label").fill(label)
    page.get_by_label("Label").press("Enter")
    expect(page).to_have_url(re.compile(f"label={label.replace(' ', '.')}"))
    expect(visible(page)).to_have_count(found())
    page.get_by_label("Label").fill("")
    page.get_by_label("Folder").fill(str(photographs / label))
    page.get_by_label("Folder").press("Enter")
    expect(visible(page)).to_have_count(found())
    page.get_by_label("Added since").fill("2124-01-01")
    expect(visible(page)).to_have_count(0)
    assert page.locator(".hits").get_attribute("data-empty") == "No image matches these filters."
    page.go_back()
    expect(visible(page)).to_have_count(found())


def test_the_original_opens(visit: Visit, site: Served) -> None:
    page = visit.open("/?id=1")
    searched(page)
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Original").click()
    expect(opened.value).to_have_url(re.compile("/api/images/1/original$"))


def test_two_images_are_compared(visit: Visit, some_file: Path) -> None:
    page = visit.open()
    page.set_input_files("#file", some_file)
    searched(page)
    unfold(page)
    page.locator(".hits .tile").first.hover()
    page.locator(".hits .tile").first.get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog", name="Compare")
    expect(dialog.locator(".stage.beside img")).to_have_count(2)
    expect(dialog.get_by_role("row", name=re.compile("^Pixels"))).to_be_visible()
    expect(dialog.get_by_role("link", name="Open original")).to_have_attribute(
        "href", re.compile("/api/images/.*/original")
    )
    page.keyboard.press("4")
    expect(dialog.locator(".told").first).to_have_text(re.compile(r"Mean difference \d+\.\d of 255"))
    dialog.get_by_label("Brightness").fill("16")
    dialog.get_by_role("button", name="Next").click()
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".told").last).to_have_text(re.compile(r"3 of \d+"))
    expect(dialog.locator("canvas")).to_be_visible()
    until(page, BRIGHT)
    page.keyboard.press("2")
    dialog.get_by_role("slider", name="Where one image ends").fill("30")
    assert "30%" in dialog.locator(".over img").nth(1).evaluate("(image) => image.style.clipPath")
    page.keyboard.press("3")
    dialog.get_by_role("button", name="Flip").click()
    expect(dialog.locator(".told").first).to_contain_text("Now: found.")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('.tile') !== null")


def test_keys_move_among_hits(visit: Visit) -> None:
    page = visit.open("/?id=1")
    searched(page)
    unfold(page)
    page.locator(".hits a").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".hits .tile a").nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.locator(".hits .tile a").first).to_be_focused()
    page.keyboard.press("i")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name=re.compile("^Code [0-9a-f]{16}"))).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".told")).to_have_text(re.compile(r"2 of \d+"))
    dialog.get_by_role("link", name="Find similar images").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".hits .tier").first).to_have_text("exact copy")


def test_a_mirrored_copy_is_found_and_said_to_be_one(visit: Visit, some_file: Path, tmp_path: Path) -> None:
    mirrored = tmp_path / "mirrored.png"
    with Image.open(some_file) as image:
        image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
    page = visit.open()
    page.set_input_files("#file", mirrored)
    searched(page)
    best = page.locator(".hits .tile").first
    expect(best.locator(".tier")).to_have_text("edited copy")
    expect(best.locator(".done")).to_contain_text("mirrored")


@pytest.mark.parametrize(
    ("transposed", "turn"),
    [
        (Image.Transpose.FLIP_LEFT_RIGHT, "mirrored"),
        (Image.Transpose.ROTATE_90, "turned right"),  # by the other way round
        (Image.Transpose.ROTATE_180, "upside down"),
    ],
)
def test_a_turned_copy_is_compared_in_its_turn(
    transposed: Image.Transpose, turn: str, visit: Visit, some_file: Path, tmp_path: Path
) -> None:
    with Image.open(some_file) as image:
        image.convert("RGB").transpose(transposed).save(tmp_path / "turned.png")
    page = visit.open()
    page.set_input_files("#file", tmp_path / "turned.png")
    searched(page)
    tile = page.locator(".hits .tile", has=page.locator(f'a[title$="{some_file.name}"]'))
    tile.hover()
    tile.get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog", name="Compare")
    expect(dialog.locator(".stage figcaption").first).to_have_text(f"Your image, {turn}")
    page.keyboard.press("4")
    told = dialog.locator(".told").first
    expect(told).to_have_text(re.compile("Mean difference .* of 255"))
    said = told.inner_text()
    assert float(said.split()[2]) < 8  # in another turn it would be 60
    assert "proportions differ" not in said
    assert said.endswith(f"Your image is shown {turn}.")
    page.keyboard.press("3")
    expect(told).to_have_text(f"Now: your image, {turn}.")
