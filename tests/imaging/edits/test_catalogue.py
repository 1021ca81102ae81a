"""Edits do what their names say, the same for the same seed, and more strongly at a higher strength.

Shapes: H, W pixels high and wide.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ConfigError, ImageError
from lookalike.imaging.decode import Array
from lookalike.imaging.edits import geometry
from lookalike.imaging.edits.catalogue import EDITS, KINDS, Variant, perturb, variants

ALL = list(variants())
SIZES = [(1, 1), (3, 150), (150, 3), (2, 2)]
LOSSY = (  # later strengths in the list are further from the original
    "jpeg", "webp", "avif", "resize", "blur", "noise", "sharpen", "brighter", "darker", "contrast-up", "contrast-down",
    "gamma-light", "gamma-dark", "saturation-up", "saturation-down", "posterise", "warm", "cold", "shift",
    "perspective", "watermark", "logo", "occlusion",
)  # fmt: skip
FRAMES = ("crop", "crop-aside", "border", "border-white", "letterbox", "screenshot", "caption", "aspect", "messenger")


@pytest.fixture(scope="module")
def photo(pictures: list[Image.Image]) -> Array:
    array = np.array(pictures[0].resize((120, 90)))
    array.flags.writeable = False  # an edit that changes it would fail
    return array


def name(variant: Variant) -> str:
    return f"{variant.edit}-{variant.strength:g}"


@pytest.mark.parametrize("variant", ALL, ids=name)
def test_same_seed_same_copy_of_the_right_kind(photo: Array, variant: Variant) -> None:
    one, two = (perturb(photo, *variant, seed=3) for _ in range(2))
    assert one.dtype == np.uint8
    assert one.ndim == 3
    assert one.shape[2] == 3
    assert np.array_equal(one, two)
    assert np.array_equal(one, photo) == (variant.edit == "none")
    assert variant.words.strip() == variant.words != ""
    assert "{" not in variant.words


@pytest.mark.parametrize("edit", EDITS)
def test_the_seed_matters_where_something_is_drawn(photo: Array, edit: str) -> None:
    strength = EDITS[edit].strengths[-1]
    copies = {perturb(photo, edit, strength, seed=seed).tobytes() for seed in range(12)}
    assert (len(copies) > 1) == EDITS[edit].seeded


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("edit", EDITS)
def test_any_size_can_be_edited(photo: Array, edit: str, size: tuple[int, int]) -> None:
    small = np.array(Image.fromarray(photo).resize(size))
    for strength in EDITS[edit].strengths:
        assert perturb(small, edit, strength).size > 0


@pytest.mark.parametrize("edit", LOSSY)
def test_harder_strengths_leave_less_of_the_picture(photo: Array, edit: str) -> None:
    errors = [
        np.abs(perturb(photo, edit, strength, seed=1).astype(int) - photo).mean() for strength in EDITS[edit].strengths
    ]
    assert errors[0] > 0
    assert errors == sorted(errors)


@pytest.mark.parametrize("edit", FRAMES)
def test_harder_strengths_move_the_frame_further(photo: Array, edit: str) -> None:
    sizes = [perturb(photo, edit, strength).size for strength in EDITS[edit].strengths]
    changes = [abs(size - photo.size) for size in sizes]
    assert changes[0] > 0
    assert changes == sorted(set(changes))


def test_what_is_drawn_does_not_depend_on_the_strength(photo: Array) -> None:
    black = np.zeros((100, 100, 3), np.uint8)
    masks = [perturb(black, "logo", share, seed=5).any(axis=2) for share in (0.1, 0.2, 0.35)]
    corners = {tuple(np.round(np.argwhere(mask).mean(axis=0) / 100).astype(int)) for mask in masks}
    assert len(corners) == 1
    turned = [perturb(photo, "rotate", degrees, seed=2) for degrees in (5, 355)]
    assert np.array_equal(turned[0], np.array(geometry._rotate(Image.fromarray(photo), degrees=5))) != np.array_equal(
        turned[0], np.array(geometry._rotate(Image.fromarray(photo), degrees=-5))
    )


def test_frames_are_what_they_are_defined_as(photo: Array) -> None:
    assert np.array_equal(perturb(photo, "crop", 0.1), photo[4:85, 6:114])  # 81 of 90 rows, 108 of 120 columns
    assert perturb(photo, "crop-aside", 0.25).shape == (68, 90, 3)
    bordered = perturb(photo, "border", 0.1)
    assert bordered.shape == (108, 144, 3)
    assert np.array_equal(bordered[9:99, 12:132], photo)
    assert bordered.sum() == photo.sum(dtype=np.uint64)
    boxed = perturb(photo, "letterbox", 0.1)
    assert np.array_equal(boxed[9:99], photo)
    assert boxed.shape == (108, 120, 3)
    assert np.array_equal(perturb(photo, "mirror", 1), photo[:, ::-1])
    assert np.array_equal(perturb(photo, "flip", 1), photo[::-1])
    assert np.array_equal(perturb(photo, "turn", 90), np.rot90(photo))
    assert np.array_equal(perturb(photo, "turn", 270), np.rot90(photo, 3))
    assert np.array_equal(perturb(photo, "caption", 0.2)[18:], photo)
    assert np.array_equal(perturb(photo, "shift", 0.1)[9:, 12:], photo[:-9, :-12])


def test_values_are_what_they_are_defined_as() -> None:
    flat = np.full((8, 8, 3), (100, 50, 200), np.uint8)
    assert perturb(flat, "brighter", 1.3)[0, 0].tolist() == [130, 65, 255]
    assert perturb(flat, "warm", 0.1)[0, 0].tolist() == [110, 50, 180]
    assert perturb(flat, "cold", 0.1)[0, 0].tolist() == [90, 50, 220]
    assert perturb(flat, "posterise", 2)[0, 0].tolist() == [64, 0, 192]
    assert perturb(flat, "gamma-dark", 2)[0, 0].tolist() == [39, 10, 157]
    noisy = perturb(np.full((200, 200, 3), 128, np.uint8), "noise", 10).astype(float)
    assert noisy.std() == pytest.approx(10, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.2)


def test_straightened_copies_have_no_empty_corners() -> None:
    white = np.full((90, 120, 3), 255, np.uint8)
    for degrees in EDITS["straighten"].strengths:
        copy = perturb(white, "straighten", degrees)
        assert copy.min() > 200, degrees
        assert copy.shape[1] / copy.shape[0] == pytest.approx(4 / 3, rel=0.03)


def test_perspective_fills_the_whole_frame() -> None:
    for seed in range(5):
        assert perturb(np.full((60, 80, 3), 255, np.uint8), "perspective", 0.2, seed=seed).min() == 255


def test_text_is_drawn_without_fonts_of_the_system() -> None:
    grey = np.full((100, 140, 3), 128, np.uint8)
    written = perturb(grey, "text", 0.15)
    assert 0.03 < (written != 128).any(axis=2).mean() < 0.5
    assert {0, 255} <= set(np.unique(written))


def test_the_table_is_whole() -> None:
    assert {edit.kind for edit in EDITS.values()} == set(KINDS)
    assert len(set(ALL)) == len(ALL) > 120
    assert [variant.edit for variant in variants(["crop", "jpeg"])][:1] == ["crop"]
    assert [*variants(["crop 0.5", "jpeg  20"])] == [("crop", 0.5), ("jpeg", 20)]
    for edit in EDITS.values():
        assert len(set(edit.strengths)) == len(edit.strengths) > 0
        assert edit.argument or len(edit.strengths) == 1


def test_what_there_is_not_is_refused_by_name(photo: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="unknown edit 'swirl'; it must be one of none, jpeg"):
        perturb(photo, "swirl", 1)
    for wrong in (photo.astype(float), photo[..., 0], np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ImageError, match=r"expected uint8 \(H, W, 3\)"):
            perturb(wrong, "crop", 0.1)
    with pytest.raises(
        ConfigError, match=r"'crop half' is not an edit: the strength of crop must be a number, such as 0\.02"
    ):
        list(variants(["crop half"]))
    monkeypatch.setattr("PIL.features.check", lambda codec: codec != "avif")
    with pytest.raises(ConfigError, match="needs a Pillow built with AVIF"):
        perturb(photo, "avif", 40)
    assert "avif" not in {variant.edit for variant in variants()}


@pytest.mark.parametrize(("edit", "strength"), [("turn", 45), ("posterise", 0), ("posterise", 9)])
def test_a_strength_that_an_edit_does_not_have_is_refused(photo: Array, edit: str, strength: float) -> None:
    with pytest.raises(ConfigError, match=f"{edit} does not work at strength {strength}; usual strengths: "):
        perturb(photo, edit, strength)
