"""Agreement of two aligned pictures in detail, motion and colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lookalike.verification import agreement as measures
from lookalike.verification.features import Array
from lookalike.verification.verdict import Picture

SAME = np.eye(3)


@pytest.fixture
def picture(photographs: list[Array]) -> Picture:
    return Picture(photographs[2])


def test_a_picture_agrees_with_itself(picture: Picture) -> None:
    found = measures.agreement(picture.grey, picture.grey, SAME)
    assert found.blocks > 100
    assert (found.same, found.differing, found.moved, found.quiet, found.loud) == (1, 0, 0, 1, 0)
    assert found.overlaps == (1, 1)
    assert found.agreed.mean() > 0.8


@pytest.mark.parametrize("change", ["darker", "contrast", "gamma", "blurred", "sharpened"])
def test_tones_and_sharpness_do_not_matter(picture: Picture, change: str) -> None:
    grey = picture.grey.astype(np.float32)
    changed = {
        "darker": grey * 0.5,
        "contrast": (grey - 128) * 0.6 + 128,
        "gamma": 255 * (grey / 255) ** 0.7,
        "blurred": cv2.GaussianBlur(grey, (0, 0), 1.5),
        "sharpened": 1.6 * grey - 0.6 * cv2.GaussianBlur(grey, (0, 0), 1.5),
    }[change]
    found = measures.agreement(picture.grey, changed.clip(0, 255).astype(np.uint8), SAME)
    assert found.same > 0.95
    assert found.loud < 0.01
    assert found.moved == 0


def test_what_is_covered_differs_and_is_painted(picture: Picture) -> None:
    covered = picture.grey.copy()
    covered[100:150, 60:200] = 255
    found = measures.agreement(picture.grey, covered, SAME)
    assert 0.03 < found.loud < 0.1
    assert found.painted > 0.95
    assert found.quiet > 0.85
    assert not found.agreed[105:145, 70:190].any()


def test_what_moved_is_found_elsewhere(picture: Picture) -> None:
    other = picture.grey.copy()
    other[106:206, 66:266] = picture.grey[100:200, 60:260]
    found = measures.agreement(picture.grey, other, SAME)
    assert found.moved > 0.1
    assert found.moved > 5 * measures.agreement(picture.grey, picture.grey, SAME).moved


def test_overlaps_are_shares_of_each_picture(picture: Picture) -> None:
    height, width = picture.grey.shape
    part = np.ascontiguousarray(picture.grey[height // 4 : height // 4 * 3, : width // 2])
    matrix = np.array([[1.0, 0, 0], [0, 1, -(height // 4)], [0, 0, 1]])
    found = measures.agreement(picture.grey, part, matrix)
    assert found.overlaps == pytest.approx((0.25, 1), abs=0.01)
    assert found.same == 1


@pytest.mark.parametrize("size", [(1, 1), (5, 3000), (3000, 5), (11, 11), (12, 12)])
def test_degenerate_pictures_agree_in_nothing(size: tuple[int, int]) -> None:
    plain, noise = np.full(size, 80, np.uint8), np.random.default_rng(0).integers(0, 256, size, np.uint8)
    for first, second in ((plain, plain), (plain, noise), (noise, noise)):
        found = measures.agreement(first, second, SAME)
        assert found.blocks <= 1
        assert np.isfinite([found.same, found.differing, found.moved, found.quiet, found.loud]).all()
    assert measures.agreement(plain, noise, SAME).same == 0


def test_pictures_that_do_not_overlap_agree_in_nothing(picture: Picture) -> None:
    away = np.array([[1.0, 0, 10_000], [0, 1, 0], [0, 0, 1]])
    found = measures.agreement(picture.grey, picture.grey, away)
    assert (found.blocks, found.same) == (0, 0)


def colours_of(first: Array, second: Array) -> measures.Colours:
    agreed = np.ones(first.shape[:2], bool)
    return measures.colours(first, second, SAME, agreed)


def test_colours_of_equal_pictures_do_not_differ(picture: Picture) -> None:
    found = colours_of(picture.pixels, picture.pixels)
    assert found.grey == (False, False)
    assert (found.brightness, found.contrast, found.saturation, found.other) == pytest.approx((0, 1, 1, 0), abs=0.01)


def test_a_picture_in_grey_has_no_other_colours(picture: Picture) -> None:
    grey = np.repeat(picture.grey[..., None], 3, axis=2)
    assert colours_of(picture.pixels, grey).grey == (False, True)
    assert colours_of(grey, picture.pixels).grey == (True, False)
    assert colours_of(picture.pixels, grey).other == 0


def test_brightness_has_a_sign(picture: Picture) -> None:
    darker = (picture.pixels * 0.6).astype(np.uint8)
    assert colours_of(picture.pixels, darker).brightness < -20
    assert colours_of(darker, picture.pixels).brightness > 20


def test_white_balance_is_not_another_colour_but_another_hue_is(picture: Picture) -> None:
    warm = (picture.pixels * np.array([1, 0.9, 0.75])).astype(np.uint8)
    assert colours_of(picture.pixels, warm).other < 0.03
    thing = picture.pixels.copy()
    thing[150:280, 60:220] = thing[150:280, 60:220][..., ::-1]
    assert colours_of(picture.pixels, thing).other > 0.1


def test_colours_where_nothing_agrees(picture: Picture) -> None:
    found = measures.colours(picture.pixels, picture.pixels, SAME, np.zeros(picture.grey.shape, bool))
    assert found == measures.Colours((False, False), 0.0, 1.0, 1.0, 0.0)


def test_tones_keep_their_order() -> None:
    shades = np.arange(256, dtype=np.float32)
    found = measures.toned(shades, shades, 255 - 0.5 * shades[::-1])
    assert (np.diff(found) >= 0).all()
    assert found[0] == pytest.approx(127.5, abs=1)
    plain = measures.toned(shades, np.full(300, 90, np.float32), np.full(300, 40, np.float32))
    assert np.isfinite(plain).all()
