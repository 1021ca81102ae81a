"""The page of the model: its card, θ, how bits are used, what each reacts to, and what cannot be had."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.web.conftest import Served


def test_card_balance_and_thresholds(visit: Visit, site: Served) -> None:
    model = site.client.get("/api/model").json()
    page = visit.open("/model")
    expect(page.get_by_role("heading", name=model["name"])).to_be_visible()
    expect(page.locator(".about")).to_contain_text("A convolutional variational autoencoder with SimAM attention")
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
    expect(page.locator(".panel").last).to_contain_text("holds the encoder alone, so no image can be drawn from a code")


def test_what_bits_react_to(visit: Visit, site: Served) -> None:
    page = visit.open("/model?bit=7")
    expect(page.get_by_role("list", name="Bit 7 is 1").locator(".tile")).to_have_count(12, timeout=90_000)
    expect(page.get_by_role("list", name="Bit 7 is 0").locator(".tile")).to_have_count(12)
    for value in "10":
        image = page.get_by_role("list", name=f"Bit 7 is {value}").locator(".tile").first.get_attribute("data-id")
        code = site.client.get(f"/api/images/{image}").json()["code"]
        assert f"{int(code, 16):064b}"[7] == value
    page.get_by_role("button", name="The next bit").click()
    expect(page.get_by_role("list", name="Bit 8 is 1")).to_be_visible()
    expect(page).to_have_url(re.compile("bit=8$"))
    page.locator(".bars").first.locator(".bit").nth(40).click()
    expect(page.get_by_role("list", name="Bit 40 is 0")).to_be_visible()
    page.get_by_label("Bit", exact=True).fill("63")
    page.get_by_label("Bit", exact=True).press("Enter")
    expect(page.get_by_role("list", name="Bit 63 is 1")).to_be_visible()
    expect(page.get_by_role("button", name="The next bit")).to_be_disabled()
    page.get_by_role("list", name="Bit 63 is 1").locator("a").first.click()
    expect(page.locator(".hits .tile").first).to_be_visible()
