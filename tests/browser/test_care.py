"""Care and Same scene: a folder is indexed, problems have a remedy, and the sharpest shot of a burst is proposed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import expect

from lookalike.database import Database
from tests.browser.conftest import WAIT, Visits
from tests.browser.test_shell import serious
from tests.duplicates.test_verification import photograph
from tests.web.conftest import Serve


def test_a_folder_is_indexed_and_what_is_wrong_has_a_remedy(serve: Serve, visits: Visits, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "new").mkdir(parents=True)
    photograph(1).save(folder / "first.jpg")
    with Database.create(tmp_path / "db") as database:
        database.index(folder)
    photograph(2).save(folder / "new" / "second.jpg")
    (folder / "new" / "broken.jpg").write_bytes((folder / "first.jpg").read_bytes()[:900])
    with serve(tmp_path / "db", write=True, roots=(str(folder),)) as running:
        page = visits(url=running.url).open("/care")
        expect(page.locator(".news")).to_have_text("No new images since you last looked.")
        page.get_by_label("below it").fill("new")
        page.get_by_role("button", name="Index", exact=True).click()
        expect(page.locator(".jobs")).to_contain_text("1 new or changed", timeout=2 * WAIT)
        expect(page.locator(".news")).to_contain_text("1 new image")
        problem = page.locator(".problems li")
        expect(problem).to_contain_text("broken.jpg Cannot be read")
        expect(problem).to_contain_text("index its folder again")
        assert serious(page) == []
        page.close()


def test_the_sharpest_of_a_burst_comes_first(serve: Serve, visits: Visits, tmp_path: Path) -> None:
    folder, picture = tmp_path / "images", photograph(3)
    folder.mkdir()
    picture.save(folder / "first.jpg", quality=95)
    moved = picture.copy()
    moved.paste(picture.crop((40, 40, 200, 180)), (47, 44))
    moved.save(folder / "next.jpg", quality=95)
    with Database.create(tmp_path / "db") as database:
        database.index(folder)
    with serve(tmp_path / "db") as running:
        page = visits(url=running.url).open("/same-scene")
        expect(page.locator(".sentence")).to_have_text("1 scene", timeout=4 * WAIT)
        expect(page.locator(".scene li")).to_have_count(2)
        expect(page.locator(".scene li").first.locator(".fate")).to_have_text("Sharpest")
        assert serious(page) == []
        page.close()
