"""The page of the model: its card, θ, and how bits are used."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.web.conftest import Served


def test_card_balance_and_thresholds(visit: Visit, site: Served) -> None:
    model = site.client.get("/api/model").json()
    page = visit.open("/settings")
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
