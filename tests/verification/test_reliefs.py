"""Whether two images show the same picture, once one is laid over the other."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from lookalike.imaging.decode import Array, ImageSpec
from lookalike.imaging.edits.catalogue import perturb
from lookalike.robustness.peers import as_read
from lookalike.verification import reliefs as module
from lookalike.verification.reliefs import (
    BYTES,
    SIDE,
    agreements,
    alignment_thumbnail,
    same_picture,
    same_pictures,
    units,
)
from lookalike.verification.reliefs import _levels as levels

LIGHT = (("jpeg", 30), ("resize", 0.25), ("brighter", 1.3), ("darker", 0.5), ("contrast-up", 1.5), ("grey", 1))
SEEN = ImageSpec(side=112, trim=True)  # as the built-in models see images
RESHAPED = (("crop", 0.1), ("crop", 0.25), ("rotate", 5), ("border", 0.1), ("letterbox", 0.125))


@pytest.fixture
def photos(tiny_bytes: list[bytes]) -> list[Array]:
    """Photographs of 64 pixels a side, which are seldom alike."""
    return [_pixels(image) for image in tiny_bytes[:40]]


def _pixels(image: bytes) -> Array:
    return np.array(Image.open(io.BytesIO(image)).convert("RGB"))


def test_a_relief_says_how_pixels_differ_from_their_surroundings() -> None:
    square = np.full((64, 64), 100, np.uint8)
    square[24:40, 24:40] = 110
    found = alignment_thumbnail(square)
    assert found is not None
    assert len(found) == BYTES
    pixels = levels(found)
    assert pixels.shape == (SIDE, SIDE)
    assert pixels[6:10, 6:10].min() > 0 > pixels[5, 5]
    assert np.array_equal(pixels, pixels.T)
    assert abs(pixels[0, 0]) <= 1
    lighter = np.clip(square.astype(int) * 2 - 60, 0, 255).astype(np.uint8)
    assert alignment_thumbnail(lighter) == found


def test_colour_and_grey_pixels_have_the_same(photos: list[Array]) -> None:
    for photo in photos:
        assert alignment_thumbnail(np.array(Image.fromarray(photo).convert("L"))) == alignment_thumbnail(photo)


@pytest.mark.parametrize(("edit", "strength"), LIGHT)
def test_edited_copies_are_the_same_picture(photos: list[Array], edit: str, strength: float) -> None:
    copies = [perturb(photo, edit, strength, seed=1) for photo in photos]
    same = [
        same_picture(alignment_thumbnail(photo), alignment_thumbnail(copy))
        for photo, copy in zip(photos, copies, strict=True)
    ]
    assert sum(same) >= 39


@pytest.mark.parametrize(("edit", "strength"), RESHAPED)
def test_reshaped_copies_are_the_same_picture(photos: list[Array], edit: str, strength: float) -> None:
    copies = [perturb(photo, edit, strength, seed=1) for photo in photos]
    read = [
        (alignment_thumbnail(as_read(photo, SEEN)), alignment_thumbnail(as_read(copy, SEEN)))
        for photo, copy in zip(photos, copies, strict=True)
    ]
    assert sum(same_picture(*pair) for pair in read) >= 36


@pytest.mark.parametrize("side", range(4))
def test_a_band_over_a_quarter_hides_no_picture(photos: list[Array], side: int) -> None:
    same = []
    for number, photo in enumerate(photos):
        copy = np.rot90(photo, side).copy()
        copy[-len(copy) // 4 :] = 255 * (number % 2)
        same.append(
            same_picture(alignment_thumbnail(photo), alignment_thumbnail(np.ascontiguousarray(np.rot90(copy, -side))))
        )
    assert sum(same) >= 38


def test_different_pictures_are_not(photos: list[Array]) -> None:
    reliefs = [alignment_thumbnail(photo) for photo in photos]
    same = [same_picture(*pair) for pair in itertools.combinations(reliefs, 2)]
    assert sum(same) <= len(same) // 200


def test_the_order_of_the_two_does_not_matter(photos: list[Array]) -> None:
    reliefs = [one for one in map(alignment_thumbnail, photos[:10]) if one is not None]
    for one, other in itertools.combinations(reliefs, 2):
        assert same_picture(one, other) == same_picture(other, one)
        assert agreements([one], [other]) == pytest.approx(agreements([other], [one]), abs=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_turned_copies_are_the_same_picture_where_that_is_asked(
    photos: list[Array], quarters: int, mirrored: bool
) -> None:
    straight = turned = 0
    for photo in photos[:15]:
        copy = np.rot90(photo[:, ::-1] if mirrored else photo, quarters)
        turned += same_picture(
            alignment_thumbnail(photo), alignment_thumbnail(np.ascontiguousarray(copy)), any_orientation=True
        )
        straight += same_picture(alignment_thumbnail(photo), alignment_thumbnail(np.ascontiguousarray(copy)))
    assert turned == 15
    assert straight == 15 if (quarters, mirrored) == (0, False) else straight < 8


def test_what_is_unknown_or_even_speaks_for_nothing(photos: list[Array]) -> None:
    assert alignment_thumbnail(np.full((32, 32), 77, np.uint8)) is None
    photo = alignment_thumbnail(photos[0])
    assert same_picture(None, photo)
    assert same_picture(photo, None)
    assert same_picture(None, None)


def test_products_of_units_are_correlations_with_nothing_moved(photos: list[Array]) -> None:
    reliefs = [one for one in map(alignment_thumbnail, photos) if one is not None]
    expected = np.corrcoef(np.stack([levels(one).ravel() for one in reliefs]))
    assert units(reliefs) @ units(reliefs).T == pytest.approx(expected, abs=1e-5)
    assert units([]).shape == (0, SIDE * SIDE)


def test_many_pairs_are_judged_as_each_is(photos: list[Array], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 7)
    edited = [perturb(photo, "crop", 0.1, seed=1) for photo in photos[:10]]
    reliefs = [None, *map(alignment_thumbnail, photos[:10]), *map(alignment_thumbnail, edited)]
    pairs = list(itertools.product(reliefs, repeat=2))
    found = np.concatenate(list(same_pictures([one for one, _ in pairs], [other for _, other in pairs])))
    assert found.tolist() == [same_picture(*pair) for pair in pairs]
    assert 0 < found.sum() < len(pairs)
    assert list(same_pictures([], [])) == []
    with pytest.raises(ValueError, match="0 thumbnails cannot be paired with 1"):
        next(same_pictures([], [None]))
