"""Codes propose, pixels decide: which images are grouped, and the relations of the others."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lookalike.database import Database
from lookalike.duplicates import proposals, variant_codes
from lookalike.duplicates.request import DuplicateSearch, Strictness
from lookalike.imaging.edits.catalogue import perturb
from lookalike.store.derived.results import Member
from lookalike.verification import looks
from lookalike.verification.verdict import Relation

EDITS = (
    ("crop", 0.25), ("crop", 0.4), ("mirror", 1), ("rotate", 15), ("grey", 1), ("caption", 0.2), ("screenshot", 0.06),
    ("border", 0.1), ("collage", 0.5),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "images"
    found.mkdir()
    return found


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Database]:
    """An empty database of the built-in model."""
    with Database.create(tmp_path / "base") as database:
        yield database


def photograph(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with shapes and texture, another one for each seed."""
    random_ = np.random.default_rng(seed)
    picture = Image.new("RGB", size, tuple(random_.integers(60, 255, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y, w, h = (int(value) for value in random_.integers(-30, 300, 4))
        fill = tuple(random_.integers(0, 255, 3).tolist())
        (draw.ellipse if random_.random() < 0.6 else draw.rectangle)((x, y, x + 8 + w // 4, y + 8 + h // 4), fill=fill)
    noise = random_.normal(0, 2, (size[1], size[0], 1))
    return Image.fromarray(np.clip(np.asarray(picture, float) + noise, 0, 255).astype(np.uint8))


def page(seed: int) -> Image.Image:
    """A page of text: one layout, other words."""
    words, picture = random.Random(seed), Image.new("L", (595, 770), 255)
    draw = ImageDraw.Draw(picture)
    draw.text((230, 30), f"Chapter {seed}", fill=0, font_size=26)
    for line in range(42):
        text = " ".join("".join(words.choices("abcdefghilmnoprstuv", k=words.randint(2, 9))) for _ in range(11))
        draw.text((60, 80 + 16 * line), text[:76], fill=20, font_size=12)
    return picture


def names(groups: Iterable[Sequence[Member]]) -> list[set[str]]:
    return [{Path(one.path).name for one in group} for group in groups]


def test_edited_copies_are_found_and_described(base: Database, folder: Path) -> None:
    for number, (edit, strength) in enumerate(EDITS):
        picture = photograph(number)
        picture.save(folder / f"{number}-a.png")
        copy = perturb(np.asarray(picture), edit, strength, seed=number)
        Image.fromarray(copy).save(folder / f"{number}-b.jpg", quality=85)
    base.index(folder)
    report = base.duplicates()
    assert sorted(map(sorted, names(report))) == [[f"{n}-a.png", f"{n}-b.jpg"] for n in range(len(EDITS))]
    for review in base.review(report):
        relations = {image.verdict.relation for image in review.images}
        assert relations == {Relation.EXACT, Relation.EDITED}  # the best, and the other to it
    assert names(base.duplicates(DuplicateSearch(strictness=Strictness.STRICT))) == []


def test_pages_of_one_layout_are_not_copies_and_scanned_again_they_are(base: Database, folder: Path) -> None:
    for number in range(8):
        page(number).save(folder / f"{number}.png")
    base.index(folder)
    assert names(base.duplicates()) == []
    for number in range(2):
        scan = page(number).rotate(1, Image.Resampling.BICUBIC, fillcolor=255).crop((6, 8, 589, 762))
        scan.save(folder / f"{number}.jpg", quality=60)
    base.index(folder)
    assert sorted(map(sorted, names(base.duplicates()))) == [["0.jpg", "0.png"], ["1.jpg", "1.png"]]


def test_same_pixels_and_exact_copies(base: Database, folder: Path) -> None:
    photograph(1).save(folder / "a.png")
    photograph(1).save(folder / "b.bmp")
    shutil.copy(folder / "a.png", folder / "c.png")
    base.index(folder)
    report = base.duplicates(DuplicateSearch(strictness=Strictness.STRICT))
    (review,) = base.review(report)
    kinds = {Path(one.record.name).name: one.verdict.relation for one in review.images}
    best = next(Path(one.record.name).name for one in review.images if one.record.id == review.best)
    assert kinds[best] is Relation.EXACT
    assert sorted(kinds.values()) == [Relation.EXACT, Relation.EXACT, Relation.SAME_PIXELS]


def test_a_shot_of_the_same_scene_is_listed_apart(base: Database, folder: Path) -> None:
    picture = photograph(3)
    picture.save(folder / "a.png")
    moved = picture.copy()
    moved.paste(picture.crop((40, 40, 200, 180)), (47, 44))
    moved.save(folder / "b.png")
    base.index(folder)
    report = base.duplicates()
    assert names(report) == []
    assert names(report.same_scene) == [{"a.png", "b.png"}]
    (scene,) = base.same_scene(report)
    assert {shot.record.id for shot in scene.images} >= {scene.sharpest.id}


def test_verdicts_are_kept_and_found_again(base: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photograph(1).save(folder / "a.png")
    photograph(1).convert("L").save(folder / "b.jpg")
    base.index(folder)
    expected = names(base.duplicates())
    monkeypatch.setattr(looks, "verdict", lambda *_, **__: pytest.fail("looked at again"))
    assert names(base.duplicates()) == expected == [{"a.png", "b.jpg"}]


def test_thumbnails_are_enough_while_files_are_out_of_reach(base: Database, folder: Path) -> None:
    photograph(1).save(folder / "a.png")
    photograph(1).save(folder / "b.jpg", quality=90)
    for number in range(2, 6):
        photograph(number).save(folder / f"{number}.png")
    base.index(folder)
    shutil.rmtree(folder)
    assert names(base.duplicates()) == [{"a.png", "b.jpg"}]


def test_what_cannot_be_verified_is_compared_by_code_and_counted(base: Database, folder: Path) -> None:
    photograph(1).save(folder / "a.png")
    photograph(1).save(folder / "b.jpg", quality=90)
    base.index(folder)
    base.close()
    connection = sqlite3.connect(base.folder / "catalog.sqlite")
    connection.executescript("DELETE FROM thumbnails;")
    connection.close()
    shutil.rmtree(folder)
    with Database.open(base.path) as again:
        report = again.duplicates()
        assert (names(report), report.unverified) == ([{"a.png", "b.jpg"}], 2)
        (review,) = again.review(report)
        assert {one.words for one in review.images} == {"exact copy", "similar, not verified"}


def test_very_many_copies_of_one_picture_are_one_group(
    base: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "MOST", 4)
    for quality in range(60, 90, 2):
        photograph(1).save(folder / f"{quality}.jpg", quality=quality)
    base.index(folder)
    (group,) = base.duplicates()
    assert len(group) == 15


def test_variants_are_encoded_once(base: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photograph(1).save(folder / "a.png")
    photograph(2).save(folder / "b.png")
    base.index(folder)
    codes = base.store.code_array()
    first = variant_codes.read(base.store, codes, lambda: base.hasher)
    assert first.codes_MVW.shape == (2, len(variant_codes.NAMES) + 1, 8)
    again = variant_codes.read(base.store, codes, lambda: pytest.fail("encoded again"))
    assert np.array_equal(first.codes_MVW, again.codes_MVW)
    (base.folder / variant_codes.FILE).write_bytes(b"PK damaged")
    assert variant_codes.is_damaged(base.folder / variant_codes.FILE)
    assert [one.ok for one in base.verify() if "variants" in one.what] == [True]
    assert not (base.folder / variant_codes.FILE).exists()


def test_leakage_says_what_the_images_are_to_each_other(base: Database, tmp_path: Path) -> None:
    first, second = tmp_path / "train", tmp_path / "test"
    for part in (first, second):
        part.mkdir()
    photograph(1).save(first / "a.png")
    photograph(2).save(first / "b.png")
    photograph(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(second / "mirrored.png")
    photograph(3).save(second / "c.png")
    base.index(first)
    base.index(second)
    (match,) = base.leakage(str(first), str(second)).matches
    assert (Path(match.copy.name).name, Path(match.record.name).name) == ("a.png", "mirrored.png")
    assert (match.verdict.relation, match.verdict.edits[0]) == (Relation.EDITED, "mirror")
