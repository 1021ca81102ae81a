"""The whole way of somebody who has never seen the page: index, ask for pictures, remove all copies, bring them back.

By clicks alone, in light and dark, on a desktop and a phone, with a picture of each step in `build/journey`.
LOOKALIKE_JOURNEY is the number of photographs; each fifteenth has a copy, of all kinds by turns. Without the shared
photographs, drawings take their place.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

pytest.importorskip("playwright.sync_api")

from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from playwright.sync_api import Locator, Page, expect

from lookalike.database import Database
from tests.browser.conftest import WAIT, Visits
from tests.browser.test_apply import applied, files
from tests.browser.test_shell import serious
from tests.duplicates.test_verification import photograph
from tests.web.conftest import Serve

PHOTOS = int(os.environ.get("LOOKALIKE_JOURNEY", "210"))
EVERY = 15  # one of so many photographs has a copy
STRANGERS = 6  # queries that are not in the collection, of 20
PATIENCE = WAIT + 200 * PHOTOS  # milliseconds
STEPS = Path(__file__).resolve().parents[2] / "build/journey"

Edit = Callable[[Image.Image], Image.Image]


def captioned(picture: Image.Image) -> Image.Image:
    wide = ImageOps.expand(picture, (0, 0, 0, 28), "white")
    ImageDraw.Draw(wide).text((8, picture.height + 6), "A day to remember", "black")
    return wide


def cropped(picture: Image.Image) -> Image.Image:
    return picture.crop((picture.width // 12, picture.height // 12, picture.width, picture.height))


EDITS: dict[str, Edit] = {
    "recompressed": lambda picture: picture,
    "smaller": lambda picture: picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)),
    "cropped": cropped,
    "mirrored": ImageOps.mirror,
    "turned": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
    "captioned": captioned,
    "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
}
KINDS = ("exact", "same pixels", *EDITS)


def contents(shared_data: Path, wanted: int) -> list[bytes]:
    """Different photographs as JPEG files, or drawings."""
    path = shared_data / "imagenette224.parquet"
    if path.exists():
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(path, columns=["image"])["image"]
        chosen = np.random.default_rng(5).permutation(len(rows))[:wanted]
        return [bytes(rows[int(at)].as_py()) for at in chosen]
    return [_jpeg(photograph(number, (320, 240)), 95) for number in range(wanted)]


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def copied(content: bytes, kind: str) -> tuple[bytes, str]:
    """A copy of a photograph, and the ending of its file."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    if kind == "same pixels":
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue(), "png"
    return (content if kind == "exact" else _jpeg(EDITS[kind](picture), 80)), "jpg"


@pytest.fixture(scope="module")
def photos(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`collection`: photographs, and copies in a folder of their own; `queries`: 20 pictures to ask for."""
    folder = tmp_path_factory.mktemp("journey")
    found = contents(shared_data, PHOTOS + STRANGERS)
    for name in ("collection/camera", "collection/from friends", "queries"):
        (folder / name).mkdir(parents=True)
    for number, content in enumerate(found[:PHOTOS]):
        (folder / "collection/camera" / f"{number:04}.jpg").write_bytes(content)
        if number % EVERY == 0:
            kind = KINDS[number // EVERY % len(KINDS)]
            copy, ending = copied(content, kind)
            (folder / "collection/from friends" / f"{number:04} {kind}.{ending}").write_bytes(copy)
    here = [EVERY * at + 1 for at in range(20 - STRANGERS)]  # photographs without a copy
    for at, number in enumerate(here):
        copy, ending = copied(found[number], KINDS[at % len(KINDS)])
        (folder / "queries" / f"{number:04}.{ending}").write_bytes(copy)
    for at, content in enumerate(found[PHOTOS:]):
        (folder / "queries" / f"stranger {at}.jpg").write_bytes(content)
    return folder


class Journey:
    """A page, with pictures of the steps."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self._folder, self._step = page, folder, 0
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def step(self, name: str) -> None:
        """A picture; nothing serious for axe, and nothing too wide."""
        self._step += 1
        self.page.screenshot(path=self._folder / f"{self._step:02} {name}.png")
        assert serious(self.page) == []
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def go(self, name: str) -> None:
        """Follow a link of the header; on a phone, some are behind a button."""
        link = self.page.get_by_role("link", name=name, exact=True)
        if not link.is_visible():
            self.page.locator("#tabs").get_by_role("button", name="More").click()
        link.click()

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")


def index(journey: Journey, folder: Path) -> None:
    """From the first visit, which leads to a folder to index."""
    page = journey.page
    expect(page.locator(".steps li")).to_have_count(3)
    journey.step("first visit")
    page.get_by_role("link", name="Choose a folder").click()
    page.get_by_role("button", name="Index", exact=True).click()
    expect(page.locator(".jobs")).to_contain_text(f"{PHOTOS + PHOTOS // EVERY - copies('exact')} new", timeout=PATIENCE)
    expect(page.locator(".news")).to_contain_text(f"{len(list(folder.rglob('*.*')))} new images")
    journey.step("indexed")


def copies(kind: str) -> int:
    """How many copies of a kind were planted."""
    return sum(KINDS[at % len(KINDS)] == kind for at in range(-(-PHOTOS // EVERY)))


def ask(journey: Journey, queries: Path) -> None:
    """Ask for 20 pictures: each is known to be here, and which one, or not to be."""
    page, asked = journey.page, sorted(queries.iterdir())
    journey.go("Search")
    page.set_input_files("#file", asked)
    expect(page.locator(".batch .sentence")).to_have_text(
        f"{len(asked) - STRANGERS} of {len(asked)} pictures are here.", timeout=PATIENCE
    )
    expect(page.locator(".start")).to_be_hidden()
    journey.step("twenty pictures")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    for row in csv.DictReader(saved.value.path().read_text(encoding="utf-8").splitlines()):
        name = Path(row["file"]).stem
        assert (int(row["copies"]) > 0) == name.isdigit(), row
        assert not name.isdigit() or Path(row["best_path"]).stem == name, row
    page.locator(".strip li").first.get_by_role("button").click()
    expect(page.locator(".found .sentence")).to_have_text(re.compile(r"^This picture is here: 1 \w+ copy\.$"))
    journey.step("here")
    page.get_by_role("link", name="All files").click()
    page.locator(".strip li").last.get_by_role("button").click()
    expect(page.locator(".found .sentence")).to_have_text("Not in this collection.")
    journey.step("not here")


def remove(journey: Journey, folder: Path, trash: Path) -> None:
    """Move all copies into the trash: of each picture, one file stays."""
    page, before = journey.page, files(folder)
    planted = len([name for name in before if name.startswith("from friends")])
    journey.go("Clean up")
    expect(page.locator(".cleanup .sentence")).to_contain_text(
        f"{planted} groups · {planted} files can go", timeout=4 * PATIENCE
    )
    expect(page.locator(".cleanup .note", has_text="Reading")).to_be_hidden(timeout=PATIENCE)
    journey.step("groups")
    page.locator(".group").first.get_by_role("button", name="Compare").first.click()
    expect(journey.dialog.locator(".outline")).to_have_count(2)
    journey.step("compared")
    page.keyboard.press("Escape")
    page.locator("summary.button").click()
    page.get_by_role("button", name="All groups").click()
    expect(page.locator(".nothing", has_text="All groups are decided")).to_be_visible()
    journey.step("decided")
    applied(page)
    expect(journey.dialog.locator(".apply")).to_contain_text(f"{planted} files will move to the trash (")
    expect(journey.dialog.locator(".folder")).to_contain_text(str(trash))
    assert files(folder) == before  # until it is confirmed
    journey.step("dry run")
    journey.dialog.get_by_role("button", name=re.compile(rf"^Move {planted} files \(.*B\) to the trash$")).click()
    expect(journey.dialog.locator(".apply")).to_contain_text(f"Done: {planted} files", timeout=PATIENCE)
    numbers = sorted(Path(name).name[:4] for name in files(folder))
    assert numbers == [f"{number:04}" for number in range(PHOTOS)]
    journey.step("removed")


def restore(journey: Journey, before: dict[str, bytes], folder: Path) -> None:
    """Bring them back from the history."""
    planted = len(before) - PHOTOS
    journey.dialog.get_by_role("link", name="History").click()
    run = journey.page.locator(".run")
    expect(run.locator("h3")).to_contain_text(f"{planted} files in the trash")
    run.get_by_text("Files", exact=True).click()
    expect(run.locator("li")).to_have_count(min(planted, 100))
    expect(journey.page.locator(".cleanup .sentence")).not_to_contain_text("can go")  # they are gone
    journey.step("history")
    run.get_by_role("button", name="Undo").click()
    expect(journey.dialog).to_contain_text(re.compile(rf"{planted} files \(.*B\) go back to where they were"))
    journey.step("back")
    journey.dialog.get_by_role("button", name=f"Put {planted} files back").click()
    expect(run.locator("h3")).to_contain_text(f"Undone: {planted} files are back", timeout=PATIENCE)
    assert files(folder) == before
    journey.step("undone")


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_somebody_finds_pictures_and_removes_all_copies_and_brings_them_back(
    scheme: Literal["light", "dark"], width: int, photos: Path, serve: Serve, visits: Visits, tmp_path: Path
) -> None:
    folder, trash = photos / "collection", tmp_path / "trash"
    before = files(folder)
    Database.create(tmp_path / "db").close()
    with serve(tmp_path / "db", write=True, trash=trash, roots=(str(folder),)) as running:
        page = visits(url=running.url, width=width, height=844, scheme=scheme, touch=width < 500).open("/")
        journey = Journey(page, STEPS / f"{scheme} {width}")
        index(journey, folder)
        ask(journey, photos / "queries")
        remove(journey, folder, trash)
        restore(journey, before, folder)
        page.close()
