"""Mirrored and turned copies are found, and it is said how they are turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.database import Database
from lookalike.duplicates import orientations
from lookalike.imaging import decode
from tests.conftest import encoded

TURNED = {
    "upright": [],
    "turned right": [Image.Transpose.ROTATE_270],
    "upside down": [Image.Transpose.ROTATE_180],
    "turned left": [Image.Transpose.ROTATE_90],
    "mirrored": [Image.Transpose.FLIP_LEFT_RIGHT],
    "mirrored, turned right": [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270],
    "mirrored, upside down": [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180],
    "mirrored, turned left": [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90],
}


def as_turned(picture: Image.Image, how: str) -> Image.Image:
    for step in TURNED[how]:
        picture = picture.transpose(step)
    return picture


def test_orientations_are_those_of_the_names(pictures: list[Image.Image]) -> None:
    array = np.asarray(pictures[0].resize((16, 16)))
    found = orientations.orientations(array)
    assert len(np.unique(found.reshape(8, -1), axis=0)) == 8
    for name, one in zip(orientations.TURNS, found, strict=True):
        assert np.array_equal(one, np.asarray(as_turned(Image.fromarray(array), name)))


@pytest.mark.parametrize("how", TURNED)
def test_a_turned_copy_is_found(how: str, db: Database, pictures: list[Image.Image], tmp_path: Path) -> None:
    folder = tmp_path / "turned"
    folder.mkdir()
    picture = pictures[3].resize((96, 64))
    as_turned(picture, how).save(folder / "copy.png")
    for number in range(5, 20):
        pictures[number].save(folder / f"{number}.png")
    db.index(folder)
    codes_OW = orientations.encode(db.hasher, decode.read(encoded(picture, "png"), db.hasher.spec))
    (hits,) = db.search_codes(codes_OW[list(TURNED).index(how)][None], top=3)
    assert Path(hits[0].path).name == "copy.png"
    assert hits[0].distance <= 1  # scaling rounds the other way round
    plain = orientations.encode(db.hasher, decode.read(encoded(picture, "png"), db.hasher.spec), turned=False)
    assert np.array_equal(plain, db.hasher.encode(encoded(picture, "png")))
