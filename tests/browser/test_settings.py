"""Settings: how sure answers are here, and the model with its card for those who want it."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.web.conftest import Served


def test_settings_say_how_sure_answers_are_and_fold_the_model_card(visit: Visit, site: Served) -> None:
    model = site.client.get("/api/v1/model").json()
    page = visit.open("/settings")
    expect(page.get_by_role("heading", name="How sure answers are")).to_be_visible()
    expect(page.locator(".panel").first).to_contain_text("Not measured yet for this collection.")
    panel = page.locator(".panel", has_text=model["name"])
    expect(panel.locator("dl")).to_be_hidden()
    panel.get_by_text("Model card").click()
    expect(panel).to_contain_text("knows edited copies of a picture")
    expect(panel.locator("dl")).to_contain_text(f"{model['use']['effective']:.1f} / 64")
