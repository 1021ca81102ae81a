"""Verdicts on pairs of scikit-image's photographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from lookalike.imaging.edits.catalogue import perturb
from lookalike.verification.features import Array
from lookalike.verification.looks import reversed_
from lookalike.verification.verdict import Picture, Relation, Verdict, compare

COPIES = [
    ("jpeg", 20, "recompress"), ("resize", 0.25, "recompress"), ("blur", 0.02, ""), ("grey", 1, "grey"),
    ("border", 0.1, "extend"), ("letterbox", 0.125, "extend"), ("caption", 0.2, "extend"), ("collage", 0.5, "extend"),
    ("screenshot", 0.06, "extend"), ("crop", 0.1, "crop"), ("crop", 0.5, "crop"), ("rotate", 30, "rotate"),
    ("mirror", 1, "mirror"), ("turn", 90, "rotate"), ("text", 0.1, "overlay"), ("brighter", 1.6, "brighter"),
    ("aspect", 1.33, "stretch"),
]  # fmt: skip


def verdict(first: Array, second: Array) -> Verdict:
    return compare(Picture(first), Picture(second))


@pytest.mark.parametrize(("edit", "strength", "named"), COPIES)
def test_an_edited_copy_is_called_one_and_its_edit_is_named(
    photographs: list[Array], edit: str, strength: float, named: str
) -> None:
    for number, picture in enumerate(photographs):
        found = verdict(picture, perturb(picture, edit, strength, seed=number))
        assert (found.relation, found.verified) == (Relation.EDITED, True), (number, found)
        assert not named or named in found.edits, (number, found)


def test_different_photographs_are_different(photographs: list[Array]) -> None:
    for number, picture in enumerate(photographs):
        for other in photographs[:number]:
            assert verdict(picture, other).relation is Relation.DIFFERENT


def test_what_moved_between_two_shots_makes_them_one_scene(photographs: list[Array]) -> None:
    first, second = (np.array(Image.fromarray(photographs[0]).copy()) for _ in range(2))
    face = first[60:180, 80:220].copy()
    second[64:184, 87:227] = face
    assert verdict(first, second).relation is Relation.SAME_SCENE


def test_a_thing_in_another_colour_is_not_a_copy(photographs: list[Array]) -> None:
    first, second = photographs[1].copy(), photographs[1].copy()
    part = (slice(40, 160), slice(80, 220))
    first[part] = first[part] // 2 + np.array([120, 10, 10], np.uint8)
    second[part] = second[part] // 2 + np.array([10, 10, 120], np.uint8)
    found = verdict(first, second)
    assert found.relation is Relation.SAME_SCENE
    assert "colours" in found.edits


def test_the_transform_says_where_the_crop_lies(photographs: list[Array]) -> None:
    picture = photographs[2]
    height, width = picture.shape[:2]
    found = verdict(picture, picture[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4])
    assert found.transform is not None
    matrix = np.array(found.transform).reshape(3, 3)
    for there, here in (((0, 0), (0.25, 0.25)), ((1, 1), (0.75, 0.75)), ((1, 0), (0.75, 0.25))):
        x, y, depth = matrix @ (*here, 1)
        assert (x / depth, y / depth) == pytest.approx(there, abs=0.02)
    assert found.overlaps == pytest.approx((0.25, 1.0), abs=0.02)


def test_a_verdict_in_the_other_order_says_what_was_undone(photographs: list[Array]) -> None:
    found = verdict(photographs[0], perturb(photographs[0], "crop", 0.25))
    back = reversed_(found)
    assert (found.edits, back.edits) == (("crop",), ("extend",))
    assert back.overlaps == (found.overlaps[1], found.overlaps[0])
    assert reversed_(back).transform == pytest.approx(found.transform, abs=1e-3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_cut_out_is_a_copy_of_what_is_on_black(mirrored: bool, photographs: list[Array]) -> None:
    picture = Image.fromarray(photographs[0])
    opacity = Image.new("L", picture.size)
    ImageDraw.Draw(opacity).ellipse((40, 20, picture.width - 40, picture.height - 20), fill=255)
    black = Image.new("RGB", picture.size)
    black.paste(picture, (0, 0), opacity)
    picture.putalpha(opacity)
    found = verdict(np.asarray(picture), np.asarray(ImageOps.mirror(black) if mirrored else black))
    assert found.relation is Relation.EDITED
    assert "background" in found.edits
    assert ("mirror" in found.edits) == mirrored


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (16, 16)])
def test_tiny_and_plain_pictures_get_a_verdict(size: tuple[int, int]) -> None:
    plain = np.full((*size, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    assert verdict(plain, noise).relation is Relation.DIFFERENT
    assert verdict(plain, plain).verified


def invoice(seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    page = Image.new("RGB", (425, 550), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((30, 30, 150, 70), fill=(20, 80, 160))
    for row in range(7):
        word = "".join(random.choice(list("aeioubcdfglmnprst"), 12))
        draw.text((35, 150 + 24 * row), word, "black", font_size=14)
        draw.text((325, 150 + 24 * row), f"{random.random() * 900:.2f}", "black", font_size=14)
        draw.line((30, 168 + 24 * row, 395, 168 + 24 * row), fill=(200, 200, 200))
    return page


def test_a_form_and_filled_ones_are_not_copies_of_each_other() -> None:
    blank = invoice(0)
    filled = [blank.copy() for _ in range(2)]
    for seed, page in enumerate(filled):
        random, draw = np.random.default_rng(seed), ImageDraw.Draw(page)
        for row in range(5):
            words = "".join(random.choice(list("abcdefghijk "), 18))
            draw.text((60, 340 + 36 * row), words, (20, 20, 120), font_size=16)
    pages = [np.asarray(page) for page in (blank, *filled)]
    for first, second in ((0, 1), (1, 0), (1, 2)):
        assert verdict(pages[first], pages[second]).relation is Relation.SAME_SCENE


def test_large_letters_over_a_document_are_an_overlay() -> None:
    page = np.asarray(invoice(0))
    found = verdict(page, perturb(page, "text", 0.06))
    assert found.relation is Relation.EDITED
    assert "overlay" in found.edits


def test_compression_takes_a_documents_faint_detail_but_its_paper_stays_white() -> None:
    page = np.full((300, 384, 3), 248.0)
    page[40:260, 40:340] += np.random.default_rng(0).normal(0, 3, (220, 300, 1))
    for row in range(6):
        page[50 + 30 * row : 62 + 30 * row, 60 + 40 * row : 110 + 40 * row] = 60
    picture = page.clip(0, 255).astype(np.uint8)
    assert verdict(picture, perturb(picture, "jpeg", 30)).relation is Relation.EDITED


def test_an_alignment_may_start_from_a_known_transform(photographs: list[Array]) -> None:
    picture = perturb(photographs[0], "blur", 0.06)
    height, width = picture.shape[:2]
    part = np.ascontiguousarray(picture[: height * 3 // 4, : width * 3 // 4, :])
    for other, transform in (
        (part, (4 / 3, 0, 0, 0, 4 / 3, 0, 0, 0, 1)),
        (part[:, ::-1], (-4 / 3, 0, 1, 0, 4 / 3, 0, 0, 0, 1)),
    ):
        pictures = Picture(picture), Picture(np.ascontiguousarray(other))
        assert compare(*pictures).relation is not Relation.EDITED
        assert compare(*pictures, start=transform).relation is Relation.EDITED


def test_invoices_of_one_layout_are_not_copies_and_a_scan_of_one_is() -> None:
    pages = [invoice(seed) for seed in range(3)]
    for number, page in enumerate(pages):
        for other in pages[:number]:
            assert not verdict(np.asarray(page), np.asarray(other)).relation.is_copy
        scan = page.rotate(1, Image.Resampling.BICUBIC, fillcolor=(250, 250, 250))
        scan = scan.crop((4, 5, page.width - 4, page.height - 5))
        assert verdict(np.asarray(page), perturb(np.asarray(scan), "jpeg", 60)).relation is Relation.EDITED


@pytest.mark.parametrize(("edit", "strength"), [("crop", 0.25), ("text", 0.1), ("rotate", 15), ("mirror", 1)])
def test_a_pair_has_one_relation_in_either_order_and_every_time(
    photographs: list[Array], edit: str, strength: float
) -> None:
    for number, picture in enumerate(photographs[1:3]):
        copy = perturb(picture, edit, strength, seed=number)
        found = verdict(picture, copy)
        assert verdict(picture, copy) == found
        back = verdict(copy, picture)
        assert back.relation is found.relation
        assert back.overlaps[::-1] == pytest.approx(found.overlaps, abs=0.02)


def test_relations_have_an_order_and_words() -> None:
    assert [one.rank for one in Relation] == list(range(6))
    assert [one.words for one in Relation] == [
        "exact copy", "same pixels", "edited copy", "same scene", "similar", "different",
    ]  # fmt: skip
    assert [one for one in Relation if one.is_copy] == [Relation.EXACT, Relation.SAME_PIXELS, Relation.EDITED]


@pytest.mark.parametrize("gains", [(2, 0.5, 1), (2, 0.6, 2)])
def test_a_copy_with_another_tone_curve_for_each_colour_is_a_copy(gains: tuple[float, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)  # its channels have nothing in common
    original = np.asarray(Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC))
    filtered = np.clip(original * np.array(gains), 0, 255).astype(np.uint8)
    found = compare(Picture(original), Picture(filtered))
    assert (found.relation, "saturation" in found.edits) == (Relation.EDITED, True)
    assert found.agreement >= 0.95
