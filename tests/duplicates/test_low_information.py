"""Low-information images are reported, and are duplicates only of identical files."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.database import Database
from lookalike.duplicates.request import DuplicateSearch
from lookalike.imaging.quality import LOW_INFORMATION


@pytest.fixture
def plain_folder(photo_folder: Path) -> Path:
    """The photographs, one of them twice, and among them four plain pictures, one of which is there twice."""
    shutil.copy(photo_folder / "cats/01.png", photo_folder / "cats/a copy.png")
    folder = photo_folder / "plain"
    folder.mkdir()
    Image.new("RGB", (64, 64), (0, 0, 0)).save(folder / "black.png")
    Image.new("RGB", (80, 64), (1, 1, 1)).save(folder / "nearly black.png")
    Image.new("L", (64, 64), 255).save(folder / "white.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9), np.uint8)).save(folder / "tiny.png")
    shutil.copy(folder / "black.png", folder / "black again.png")
    return photo_folder


def names(database: Database, *, with_plain: bool = False) -> list[set[str]]:
    return [
        {Path(one.path).name for one in group}
        for group in database.duplicates(DuplicateSearch(radius=4, include_blank=with_plain))
    ]


def test_plain_images_are_duplicates_of_their_own_bytes_only(db: Database, plain_folder: Path) -> None:
    report = db.index(plain_folder)
    assert (report.failed, report.plain) == (0, 5)
    assert db.info().plain == 5
    assert {"black.png", "black again.png"} in names(db)
    assert {"01.png", "a copy.png"} in names(db)
    found = names(db, with_plain=True)
    assert {"black.png", "black again.png"} in found
    assert {"01.png", "a copy.png"} in found
    assert names(db) == [group for group in names(db) if not {"nearly black.png", "white.png", "tiny.png"} & group]


def test_what_is_plain_is_known_by_quality(db: Database, plain_folder: Path) -> None:
    db.index(plain_folder)
    quality = {Path(record.name).name: record.quality for record in db.records()}
    assert {name for name in quality if (quality[name] or 0) < LOW_INFORMATION} == {
        "black.png", "black again.png", "nearly black.png", "white.png", "tiny.png"
    }  # fmt: skip
    assert None not in quality.values()


def test_a_search_calls_only_the_same_file_a_copy_of_a_plain_image(db: Database, plain_folder: Path) -> None:
    db.index(plain_folder)
    hits = {Path(hit.path).name: hit.relation for hit in db.search(plain_folder / "plain/black.png", top=10)}
    assert {name for name, relation in hits.items() if relation.is_copy} == {"black.png", "black again.png"}
    assert hits["nearly black.png"] == "similar"
    assert db.search(plain_folder / "cats/01.png", top=1)[0].relation == "exact"


def test_copies_across_parts_do_not_count_plain_ones(db: Database, photo_folder: Path) -> None:
    for part, grey in (("one", 0), ("two", 1)):
        (photo_folder / part).mkdir()
        Image.new("L", (64, 64), grey).save(photo_folder / part / "plain.png")
        dot = Image.new("L", (64, 64), 10 * grey)
        dot.paste(60 + 195 * (part == "two"), (30, 30, 30 + 12 * (part == "two"), 42))  # on the other side it is seen
        dot.save(photo_folder / part / "dot.png")
        shutil.copy(photo_folder / "cats/01.png", photo_folder / part / "photograph.png")
    db.index(photo_folder)
    found = db.leakage(str(photo_folder / "one"), str(photo_folder / "two"), DuplicateSearch(radius=4))
    assert [Path(match.record.name).name for match in found.matches] == ["photograph.png"]


def test_a_database_of_an_earlier_version_takes_none_for_plain_until_it_is_indexed_again(
    db: Database, plain_folder: Path
) -> None:
    db.index(plain_folder)
    db.close()
    connection = sqlite3.connect(db.folder / "catalog.sqlite")
    with connection:  # as the step that added the column left it
        connection.execute("UPDATE files SET quality = NULL")
    connection.close()
    with Database.open(db.path) as again:
        assert {record.quality for record in again.records()} == {None}
        assert again.info().plain == 0
        assert names(again) == names(again, with_plain=True)
        assert again.index(plain_folder).plain == 0
        assert again.index(plain_folder, reindex=True).plain == 5


def test_a_copy_of_a_plain_image_is_plain_without_being_decoded(
    db: Database, plain_folder: Path, decoded: list[bytes]
) -> None:
    db.index(plain_folder)
    decoded.clear()
    shutil.copy(plain_folder / "plain/white.png", plain_folder / "white again.png")
    assert db.index(plain_folder).plain == 1
    assert decoded == []
    assert {"white.png", "white again.png"} in names(db)
