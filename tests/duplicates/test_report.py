"""The report of copies: one HTML file that opens offline, and a table with stable columns."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.cli.conftest import run as run

COLUMNS = [
    "group", "path", "action", "relation", "edits", "words", "verified", "agreement", "inliers", "width", "height",
    "bytes", "loses", "why",
]  # fmt: skip
ODD = "a\u202ecopy\n<b>.png"  # turns its direction, breaks the line, and looks like a tag


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph, its crop, an exact copy with an odd name, and another photograph."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path / "photos"
    (folder / "old").mkdir(parents=True)
    photo = Image.fromarray(data.astronaut())
    photo.save(folder / "photo.png")
    photo.crop((64, 64, 448, 448)).save(folder / "crop.png")
    (folder / "old" / ODD).write_bytes((folder / "photo.png").read_bytes())
    Image.fromarray(data.chelsea()).save(folder / "cat.png")
    return folder


@pytest.fixture
def db(run: Run, folder: Path, tmp_path: Path) -> Path:
    assert run("index", folder, "--db", tmp_path / "db", "--no-isolation").code == 0
    return tmp_path / "db"


def test_the_report_shows_each_copy_and_what_would_be_removed(run: Run, db: Path, folder: Path) -> None:
    assert run("duplicates", "--db", db, "--report", "copies.html").code == 0
    text = Path("copies.html").read_text()
    assert text.count('src="data:image/webp;base64,') == 3
    assert "edited copy: cropped to the middle 56 %" in text
    assert text.count("would be removed</b>") == 1
    assert f"{(folder / 'photo.png').stat().st_size / 1e6:.1f} MB</b>would be freed" in text
    assert "cat.png" not in text


def test_the_report_is_one_file_that_opens_offline(run: Run, db: Path) -> None:
    run("duplicates", "--db", db, "--report", "copies.html")
    text = Path("copies.html").read_text()
    assert re.findall(r"https?://|<script|<link|@import|url\(", text) == []
    assert all(found.startswith("data:") for found in re.findall(r'(?:src|href)="([^"]*)', text))


def test_names_act_on_no_reader(run: Run, db: Path) -> None:
    run("duplicates", "--db", db, "--report", "copies.html", "--csv", "copies.csv")
    text, table = Path("copies.html").read_text(), Path("copies.csv").read_text()
    for content in (text, table):
        assert "\u202e" not in content
        assert r"a\u202ecopy\x0a" in content.replace("<wbr>", "")
    assert "<b>.png" not in text.replace("<wbr>", "")


def test_the_table_has_a_row_for_each_image(run: Run, db: Path, folder: Path) -> None:
    assert run("duplicates", "--db", db, "--csv", "copies.csv").code == 0
    with open("copies.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert [row["group"] for row in rows] == ["1"] * 3
    by_relation = {row["relation"]: row for row in rows}
    assert by_relation.keys() == {"", "edited", "exact"}
    assert by_relation["edited"]["edits"] == "crop"
    assert (by_relation["edited"]["action"], by_relation["exact"]["action"]) == ("keep", "remove")
    assert (by_relation["edited"]["width"], by_relation["edited"]["verified"]) == ("384", "yes")
    assert by_relation[""]["words"].startswith("best: ")
    assert int(by_relation[""]["bytes"]) == (folder / "photo.png").stat().st_size


def test_a_report_of_leakage_names_both_sides(run: Run, db: Path, folder: Path) -> None:
    done = run("leakage", folder / "old", folder, "--db", db, "--report", "leaks.html", "--csv", "leaks.csv")
    assert done.code == 0
    assert "with a copy in" in Path("leaks.html").read_text()
    with open("leaks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert {row["relation"] for row in rows} == {"", "edited", "exact"}
    assert {row["action"] for row in rows} == {""}


@pytest.mark.parametrize("option", ["--report", "--csv"])
def test_a_place_that_cannot_be_written_is_an_error_before_any_work(run: Run, db: Path, option: str) -> None:
    for place in (".", "absent/copies.html"):
        done = run("duplicates", "--db", db, option, place)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert place in done.err


def test_without_copies_the_report_says_so(run: Run, folder: Path, tmp_path: Path) -> None:
    run("index", folder / "cat.png", "--db", tmp_path / "one", "--no-isolation")
    assert run("duplicates", "--db", tmp_path / "one", "--report", "copies.html", "--csv", "copies.csv").code == 0
    assert "No copies found." in Path("copies.html").read_text()
    assert Path("copies.csv").read_text().splitlines() == [",".join(COLUMNS)]
