"""Media files that cannot be decoded are exact copies of those with the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from lookalike.database import Database, Group
from lookalike.duplicates.cleanup import plan
from lookalike.duplicates.request import DuplicateSearch
from lookalike.duplicates.review import ReviewOptions
from tests.conftest import encoded

VIDEO = b"\0\0\0\x18ftypisom" + bytes(300)
RAW = b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(200)


@pytest.fixture
def folder(tmp_path: Path, pictures: list[Image.Image]) -> Path:
    folder = tmp_path / "files"
    cut = encoded(pictures[0], "jpg")[:400]  # far too little
    photo = encoded(pictures[1], "jpg")
    for name, content in {
        "a.cr3": RAW, "b/a copy.cr3": RAW, "cut.jpg": cut, "b/cut.jpg": cut, "film.mp4": VIDEO, "b/film.mp4": VIDEO,
        "design.psd": b"8BPS" + bytes(99), "b/design.psd": b"8BPS" + bytes(99), "other.psd": b"8BPS" + bytes(98),
        "empty.jpg": b"", "b/empty.jpg": b"", "README.txt": b"read me", "b/README.txt": b"read me",
        "p.jpg": photo, "p.mov": VIDEO[:-1], "p.aae": b"<plist/>", "p.jpg.xmp": b"<x/>",
        "b/p.jpg": photo, "b/p.mov": VIDEO[:-1], "b/p.aae": b"<plist/>", "b/p.jpg.xmp": b"<x/>",
        "orphan.xmp": b"<x/>", "b/orphan.xmp": b"<x/>",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def shown(groups: Iterable[Group], folder: Path) -> list[list[str]]:
    return [[str(Path(one.path).relative_to(folder)) for one in group] for group in groups]


def test_media_of_the_same_bytes_are_copies(db: Database, folder: Path) -> None:
    db.index(folder)
    found = shown(db.duplicates(radius=0), folder)
    assert sorted(found) == [
        ["a.cr3", "b/a copy.cr3"], ["b/cut.jpg", "cut.jpg"], ["b/design.psd", "design.psd"], ["b/film.mp4", "film.mp4"],
        ["b/p.jpg", "p.jpg"],
    ]  # fmt: skip
    reviews = db.review(db.duplicates(radius=0), ReviewOptions(compare_pixels=False, inspect_files=False))
    assert {str(one.tier) for review in reviews for one in review.images} == {"kept", "same bytes"}
    assert len(plan.make(reviews).removals) == 5
    (folder / "b/film.mp4").unlink()
    db.index(folder)
    assert len(db.duplicates(radius=0)) == 4


def test_they_leak_from_one_part_to_another(db: Database, folder: Path) -> None:
    db.index(folder)
    (folder / "alone").mkdir()
    found = db.leakage(str(folder / "b"), str(folder), DuplicateSearch(radius=0))
    pairs = {(Path(one.record.name).name, Path(one.copy.name).name, one.distance) for one in found.matches}
    assert {("a.cr3", "a copy.cr3", 0), ("film.mp4", "film.mp4", 0), ("p.jpg", "p.jpg", 0)} <= pairs
    assert len(pairs) == 5
    report = db.duplicates(DuplicateSearch(radius=0, reference=(str(folder / "b"),)))
    assert len(report) == 5
    assert all(group[0].id in report.references for group in report)
