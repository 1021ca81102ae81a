"""The page of the API shows every route, offline and without an error."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.web.conftest import Served


def test_every_route_is_shown(visit: Visit, site: Served) -> None:
    paths = site.client.get("/openapi.json").json()["paths"]
    routes = [f"{method.upper()} {path}" for path, operations in paths.items() for method in operations]
    page = visit.open("/docs")
    expect(page.locator("section h2")).to_have_text(routes)
    search = page.locator("section", has_text="POST /api/v1/search").first
    expect(search).to_contain_text("curl -F file=@photo.jpg")
    expect(search).to_contain_text('"relation": "edited"')
