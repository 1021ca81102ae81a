"""Which pictures are taken, which are left out, and what is said of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import data
from lookalike.core.errors import DataError
from lookalike.demo import photos

pytest.importorskip("skimage")
pytest.importorskip("sklearn")


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_packaged_photographs(tmp_path: Path) -> None:
    collection = photos.gather(None, tmp_path, seed=0)
    assert 15 <= len(collection.photos) <= 25
    assert len(collection.crops) == photos.CROPS * len(collection.photos)
    assert len(collection.others) > 150
    assert not collection.skipped
    assert [picture.photo for picture in collection.photos] == list(range(len(collection.photos)))
    for picture in collection.pictures:
        assert max(size(picture.path)) <= photos.SIDE


def test_crops_are_parts_of_their_photographs(tmp_path: Path) -> None:
    collection = photos.gather(None, tmp_path, seed=0)
    for crop in collection.crops:
        assert crop.photo is not None
        shares = np.array(size(crop.path)) / size(collection.photos[crop.photo].path)
        assert (abs(shares - 0.5) < 0.11).all()


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first, second, other = (
        photos.gather(None, tmp_path / name, seed=seed) for name, seed in zip("abc", (0, 0, 1), strict=True)
    )
    contents = [[crop.path.read_bytes() for crop in one.crops] for one in (first, second, other)]
    assert contents[0] == contents[1] != contents[2]


def test_own_photographs_unreadable_repeated_and_tiny_ones(photo_folder: Path, tmp_path: Path) -> None:
    shutil.copy(min(photo_folder.rglob("*.png")), photo_folder / "zz again.png")
    (photo_folder / "notes.txt").write_text("no image")
    (photo_folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.new("RGB", (2, 1), "red").save(photo_folder / "tiny.png")
    collection = photos.gather(data.find(photo_folder), tmp_path / "demo", seed=0)
    assert {name for name, _ in collection.skipped} == {"notes.txt", "broken.png"}
    assert collection.repeated == 1
    assert collection.found == len(collection.photos) + 2 + 1
    assert any(picture.name == "chelsea.png" for picture in collection.others)
    assert all("tiny" not in crop.name for crop in collection.crops)


def test_own_photographs_that_the_packages_have_too_are_no_distractors(tmp_path: Path) -> None:
    shutil.copy(photos.packages_folder("skimage") / "data" / "coffee.png", tmp_path / "mine.png")
    collection = photos.gather(data.find(tmp_path / "mine.png"), tmp_path / "demo", seed=0)
    assert [picture.name for picture in collection.photos] == ["mine.png"]
    assert "coffee.png" not in {picture.name for picture in collection.others}


def test_at_most_so_many_are_drawn_by_the_seed(
    photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "MOST", 7)
    items = data.find(photo_folder)
    drawn = [
        [picture.name for picture in photos.gather(items, tmp_path / str(run), seed=seed).photos]
        for run, seed in enumerate((0, 0, 1))
    ]
    assert [len(set(names)) for names in drawn] == [7, 7, 7]
    assert drawn[0] == drawn[1] != drawn[2]


def test_nothing_readable_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for number in range(3):
        (tmp_path / "mine" / f"{number}.txt").write_text("no image")
    with pytest.raises(DataError, match=r"no file of 3 can be read as an image; the first: 0\.txt: "):
        photos.gather(data.find(tmp_path / "mine"), tmp_path / "demo", seed=0)
