"""What is read of images, and the distances of all pairs, against going through them one by one."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike import data
from lookalike.core.codes import pack
from lookalike.core.errors import DataError
from lookalike.imaging.decode import Array
from lookalike.imaging.thumbnail_vector import thumbnail_vector
from lookalike.robustness import originals, peers
from lookalike.robustness.originals import Originals, Pair, pair_counts
from lookalike.robustness.peers import Peer, Row


def grid(pixels_HW3: Array) -> Row:
    """64 bits: where an image is lighter than its mean."""
    small = np.asarray(Image.fromarray(pixels_HW3).convert("L").resize((8, 8), Image.Resampling.BOX), float)
    return pack((small > small.mean()).ravel())


GRID = Peer(name="grid", measure=peers.hamming(64), note="", encode=grid)


def read(folder: Path, *, workers: int = 2, **options: int) -> Originals:
    items = data.find(folder)
    return originals.read(items, [GRID], workers=workers, max_pixels=10**8, progress=lambda *_: None, **options)


@pytest.fixture
def folder(pictures: list[Image.Image], tmp_path: Path) -> Path:
    for number, picture in enumerate(pictures[:12]):
        path = tmp_path / "album" / ("cats" if number % 3 else "dogs") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return tmp_path / "album"


def test_each_picture_is_read_once(folder: Path, pictures: list[Image.Image]) -> None:
    pictures[1].save(folder / "cats/again.bmp")
    (folder / "cats/broken.png").write_bytes((folder / "cats/01.png").read_bytes()[:200])
    found = read(folder)
    assert len(found.items) == len(found.rows[0]) == len(found.thumbnails_NM) == len(set(found.seeds)) == 12
    assert found.repeated == [("cats/again.bmp", "cats/01.png")] or found.repeated == [
        ("cats/01.png", "cats/again.bmp")
    ]
    assert [name for name, _ in found.skipped] == ["cats/broken.png"]
    assert "cats/02.png" in found.names


def test_equal_names_in_several_folders_are_distinguished(pictures: list[Image.Image], tmp_path: Path) -> None:
    for number, place in enumerate(("one/a.png", "two/a.png", "two/b.png")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        pictures[number].save(tmp_path / place)
    items = data.find([tmp_path / "one", tmp_path / "two"])
    found = originals.read(items, [GRID], workers=1, max_pixels=10**8, progress=lambda *_: None)
    assert sorted(found.names) == sorted([f"{tmp_path}/one/a.png", f"{tmp_path}/two/a.png", "b.png"])


def test_the_number_of_threads_and_other_images_change_nothing(folder: Path) -> None:
    one, two, part = read(folder, workers=1), read(folder, workers=3), read(folder / "cats")
    assert np.array_equal(one.rows[0], two.rows[0])
    assert one.seeds == two.seeds
    assert set(part.seeds) < set(one.seeds)


def test_large_images_are_reduced_and_all_are_rgb(tmp_path: Path) -> None:
    Image.new("L", (2000, 1000), 50).save(tmp_path / "a.png")
    assert originals.pixels(data.find(tmp_path)[0]).shape == (256, 512, 3)


def test_pairs_are_counted_one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(originals, "BLOCK", 5)
    found = read(folder)
    same = {(0, 3), (2, 7)}
    counts = pair_counts(found, [GRID], same)[0]
    expected, pairs = np.zeros(65, int), []
    for first, second in itertools.combinations(range(12), 2):
        if (first, second) in same:
            continue
        bits = [np.unpackbits(found.rows[0][row]) for row in (first, second)]
        distance = sum(int(a != b) for a, b in zip(*bits, strict=True))
        pairs.append(Pair(distance, first, second))
        expected[distance] += 1
    assert counts.counts_D.tolist() == expected.tolist()
    assert counts.closest == sorted(pairs)[: originals.CLOSEST]


def test_the_same_picture_again_is_suspected_and_flat_ones_are_not(folder: Path, pictures: list[Image.Image]) -> None:
    pictures[4].resize((50, 50)).save(folder / "cats/04-small.jpg", quality=80)
    for shade in (10, 200):
        Image.new("RGB", (40, 40), (shade, shade, shade)).save(folder / f"flat-{shade}.png")
    found = read(folder)
    names = [{found.names[first], found.names[second]} for first, second in originals.suspected(found)]
    assert {"cats/04.png", "cats/04-small.jpg"} in names
    assert not [pair for pair in names if any("flat" in name for name in pair)]
    assert not thumbnail_vector(np.full((9, 9, 3), 7, np.uint8)).any()


def test_too_little_to_read_is_an_error(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    with pytest.raises(DataError, match=r"1 of 2 images are left; two different .*; the first .* b\.png"):
        read(tmp_path)
