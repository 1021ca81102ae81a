"""The page of the model: its card, θ, how bits are used, what each reacts to, and what cannot be had."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from lookalike.database import Database
from lookalike.hasher import decoder_path
from tests.browser.conftest import Visit, Visits
from tests.browser.test_search import send
from tests.browser.test_shell import serious
from tests.references import models
from tests.web.conftest import Serve, Served

DROP = """([name, data]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([Uint8Array.from(atob(data), (one) => one.charCodeAt(0))], name));
  const how = {bubbles: true, cancelable: true, dataTransfer: carried};
  document.querySelector("#drawing .drop").dispatchEvent(new DragEvent("drop", how));
}"""


@pytest.fixture(scope="module")
def drawing(photographs: Path, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose model has a decoder."""
    folder = tmp_path_factory.mktemp("drawing")
    (folder / "m.onnx").write_bytes(models.tiny_model(seed=4, bits=32))
    decoder_path(folder / "m.onnx").write_bytes(models.tiny_decoder(seed=4, bits=32))
    with Database.create(folder / "db", model=folder / "m.onnx") as database:
        database.index(sorted(photographs.rglob("*.jpg"))[:8])
    with serve(folder / "db") as running:
        yield running


def drawn(page: Page, name: str) -> None:
    """Wait until an image stands beside what was drawn of it."""
    expect(page.locator(".drawn figcaption").first).to_have_text(name)
    for image in page.locator(".drawn img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("(one) => one.naturalWidth") > 0


def test_card_balance_and_thresholds(visit: Visit, site: Served) -> None:
    model = site.client.get("/api/model").json()
    page = visit.open("/model")
    expect(page.get_by_role("heading", name=model["name"])).to_be_visible()
    expect(page.locator(".about")).to_contain_text("knows edited copies of a picture")
    for name, fifth in (
        ("Share of ones", f"{100 * model['use']['balance'][5]:.1f} %"),
        ("Threshold", f"{model['theta'][5]:.4f}"),
    ):
        chart = page.get_by_role("img", name=re.compile(f"^{name} of .*bars for 64 bits, from"))
        expect(chart.locator(".bit")).to_have_count(64)
        panel = page.locator(".panel", has=chart)
        panel.get_by_text("All values").click()
        expect(panel.get_by_role("row")).to_have_count(65)
        expect(panel.get_by_role("row").nth(6)).to_have_text(f"5{fifth}")
    expect(page.locator(".panel").last).to_contain_text("This model has no decoder")
    expect(page.locator("#draw")).to_have_count(0)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_an_image_is_drawn_again(
    scheme: str, width: int, visits: Visits, drawing: Served, some_file: Path, photographs: Path
) -> None:
    visit = visits(url=drawing.url, scheme=scheme, width=width)
    page = visit.open("/model")
    page.set_input_files("#draw", some_file)
    drawn(page, some_file.name)
    expect(page.locator(".drawn figcaption").last).to_have_text("Drawn from 32 latents, 128 × 128 pixels, grey")
    left, right = (image.bounding_box() for image in page.locator(".drawn img").all())
    assert left is not None
    assert right is not None
    assert abs(left["width"] / left["height"] - right["width"] / right["height"]) < 0.05
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []

    other = sorted(photographs.rglob("*.jpg"))[0]
    page.evaluate(DROP, [other.name, base64.b64encode(other.read_bytes()).decode()])
    drawn(page, other.name)
    expect(page).to_have_url(re.compile("/model"))

    visit.expected = ("status of 422",)
    page.set_input_files("#draw", {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no image at all"})
    expect(page.locator(".drawn .problem")).to_contain_text("Cannot draw notes.jpg.")


def test_an_image_that_is_dropped_elsewhere_is_searched_for(visits: Visits, drawing: Served, some_file: Path) -> None:
    page = visits(url=drawing.url).open("/model")
    expect(page.locator("#drawing .drop")).to_be_visible()
    send(page, "dropped.jpg", some_file.read_bytes())
    expect(page.locator(".asked h2")).to_have_text("dropped.jpg")


def test_what_bits_react_to(visit: Visit, site: Served) -> None:
    page = visit.open("/model?bit=7")
    expect(page.get_by_role("list", name="Bit 7 is 1").locator(".tile")).to_have_count(12, timeout=90_000)
    expect(page.get_by_role("list", name="Bit 7 is 0").locator(".tile")).to_have_count(12)
    for value in "10":
        image = page.get_by_role("list", name=f"Bit 7 is {value}").locator(".tile").first.get_attribute("data-id")
        code = site.client.get(f"/api/images/{image}").json()["code"]
        assert f"{int(code, 16):064b}"[7] == value
    page.get_by_role("button", name="Next bit").click()
    expect(page.get_by_role("list", name="Bit 8 is 1")).to_be_visible()
    expect(page).to_have_url(re.compile("bit=8$"))
    page.locator(".bars").first.locator(".bit").nth(40).click()
    expect(page.get_by_role("list", name="Bit 40 is 0")).to_be_visible()
    page.get_by_label("Bit", exact=True).fill("63")
    page.get_by_label("Bit", exact=True).press("Enter")
    expect(page.get_by_role("list", name="Bit 63 is 1")).to_be_visible()
    expect(page.get_by_role("button", name="Next bit")).to_be_disabled()
    page.get_by_role("list", name="Bit 63 is 1").locator("a").first.click()
    expect(page.locator(".hits .tile").first).to_be_visible()
