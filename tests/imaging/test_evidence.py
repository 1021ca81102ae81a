"""Pixel measurements of one image and comparisons of two, on photographs if available, otherwise on drawings."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from lookalike.core.errors import ImageError
from lookalike.imaging import comparison, detail, evidence
from lookalike.imaging.evidence import Evidence
from tests.conftest import encoded

RESIZE = Image.Resampling.LANCZOS


def textured(seed: int, size: tuple[int, int] = (240, 160)) -> Image.Image:
    """An image with details of all sizes in several colours, like a photograph."""
    random = np.random.default_rng(seed)
    values = np.zeros((size[1], size[0], 3))
    for side in (3, 6, 12, 24, 48, 96):
        noise = Image.fromarray(random.integers(0, 256, (side, side, 3), np.uint8))
        values += np.asarray(noise.resize(size, Image.Resampling.BICUBIC), float) / 6
    values += random.normal(0, 5, (size[1], size[0], 1))
    return Image.fromarray(np.clip((values - 128) * 1.8 + 128, 0, 255).astype(np.uint8))


def of(picture: Image.Image, ending: str = "png", **options: object) -> Evidence:
    return evidence.inspect(encoded(picture, ending, **options))


def scaled(picture: Image.Image, scale: float) -> Image.Image:
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), RESIZE)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_enlarged_has_no_more_detail(seed: int) -> None:
    picture = textured(seed)
    bands = of(picture).bands
    assert detail.sharpness(bands) == 1
    for scale in (1.5, 2.0, 3.0):
        for larger in (of(scaled(picture, scale)), of(scaled(picture, scale), "jpg", quality=92)):
            assert detail.has_no_more(larger.bands, bands, scale)
        smaller = of(scaled(picture, 1 / scale))
        assert not detail.has_no_more(bands, smaller.bands, scale)
    assert detail.sharpness(of(scaled(picture, 2)).bands) <= 0.75


def test_grey_and_tinted_pictures_have_no_colours() -> None:
    picture = textured(0)
    colours = of(picture).colourfulness
    grey = picture.convert("L")
    tinted = ImageOps.colorize(grey, "black", "white", mid=(150, 120, 90))
    for other in (grey, grey.convert("RGB"), tinted):
        assert of(other).colourfulness < 0.25 * colours
        assert of(other, "jpg", quality=70).colourfulness < 0.25 * colours


def test_the_blocks_of_a_jpeg_are_seen_in_a_lossless_copy() -> None:
    picture = textured(1).filter(ImageFilter.GaussianBlur(1))
    assert not of(picture).has_blocks
    stored = Image.open(io.BytesIO(encoded(picture, "jpg", quality=60)))
    assert of(stored).has_blocks
    assert of(stored, "tif").has_blocks
    assert not of(stored, "jpg").has_blocks  # it is one


def test_transparency_counts_where_something_is_transparent() -> None:
    picture = textured(0).convert("RGBA")
    assert of(picture).extras == ()
    picture.putalpha(128)
    assert of(picture).extras == ("transparency",)


def test_codec_and_depth_are_reported() -> None:
    picture = textured(2)
    assert of(picture, "webp", lossless=True).lossless
    assert not of(picture, "webp", quality=80).lossless
    assert of(Image.fromarray(np.asarray(picture.convert("L"), np.uint16) << 8)).depth == 16
    assert of(picture.quantize(256), "gif").reduced_to_palette
    assert not of(picture.quantize(8), "png").reduced_to_palette  # a drawing has no more
    one = of(picture, "jpg", quality=90)
    assert detail.is_standard(one.table)
    assert 1 < detail.coarseness(one.table) < detail.coarseness(of(picture, "jpg", quality=60).table)
    with pytest.raises(ImageError):
        evidence.inspect(b"no image")


@pytest.mark.parametrize("quality", [75, 90, 96])
@pytest.mark.parametrize("again", [60, 85, 98])
def test_which_of_two_was_encoded_from_the_other_is_reported(quality: int, again: int) -> None:
    original = encoded(textured(3), "jpg", quality=quality)
    decoded = Image.open(io.BytesIO(original))
    first, second = evidence.inspect(original), of(decoded, "jpg", quality=again)
    assert comparison.is_encoded_from(second, first)
    assert not comparison.is_encoded_from(first, second)


def test_conversions_are_distinguished_from_their_sources() -> None:
    picture = textured(4)
    drawn, stored = of(picture), of(picture, "jpg", quality=92)
    assert comparison.is_encoded_from(stored, drawn)
    assert not comparison.is_encoded_from(drawn, stored)
    converted = of(Image.open(io.BytesIO(encoded(picture, "jpg", quality=92))))
    assert comparison.is_encoded_from(converted, stored)
    assert not comparison.is_encoded_from(stored, converted)
    other = of(textured(5), "jpg")
    assert not comparison.is_encoded_from(other, stored)


@pytest.mark.parametrize("quality", [80, 90, 98])
@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_a_drawing_is_not_a_conversion_of_a_fine_jpeg_made_of_it(ending: str, quality: int) -> None:
    picture = Image.new("RGB", (400, 300), (250, 250, 250))
    pen, rng = ImageDraw.Draw(picture), np.random.default_rng(1)
    for left, top, wide, high, *colour in rng.integers(0, 250, (40, 7)).tolist():
        pen.rectangle((left, top, left + wide // 2 + 20, top + high // 2 + 20), fill=tuple(colour))
    drawn = of(picture, ending, **({"lossless": True} if ending == "webp" else {}))
    stored = of(picture, "jpg", quality=quality, subsampling=0)
    assert not comparison.is_encoded_from(drawn, stored)
    assert comparison.is_encoded_from(stored, drawn)


@pytest.mark.parametrize("scale", [1.5, 2])
def test_an_enlarged_picture_with_grain_has_no_more_detail(scale: float) -> None:
    rng = np.random.default_rng(7)
    smooth = np.linspace(40, 200, 480)[:, None, None] + np.zeros((480, 640, 3))
    grainy = Image.fromarray(np.clip(smooth + rng.normal(0, 6, (480, 640, 1)), 0, 255).astype(np.uint8))
    larger = grainy.resize((int(640 * scale), int(480 * scale)), Image.Resampling.LANCZOS)
    smaller = grainy.resize((int(640 / scale), int(480 / scale)), Image.Resampling.LANCZOS)
    bands, enlarged, reduced = (of(one, "jpg", quality=95).bands for one in (grainy, larger, smaller))
    assert detail.has_no_more(enlarged, bands, scale)
    assert not detail.has_no_more(bands, reduced, scale)


def test_frames_are_found_in_each_other() -> None:
    picture = textured(6)
    whole = of(picture)
    framed = of(ImageOps.expand(picture, 20, "white"))
    frames = comparison.frames(whole, framed)
    assert frames is not None
    assert comparison.is_whole(frames.first, whole.picture)
    assert comparison.has_border(framed.picture, frames.second)
    cropped = of(picture.crop((20, 16, 220, 144)))
    frames = comparison.frames(whole, cropped)
    assert frames is not None
    assert comparison.is_whole(frames.second, cropped.picture)
    assert not comparison.is_whole(frames.first, whole.picture)
    assert not comparison.has_border(whole.picture, frames.first)
    assert comparison.frames(whole, of(textured(7))) is None


def test_writing_is_seen_where_it_is() -> None:
    picture = textured(8)
    written = picture.copy()
    ImageDraw.Draw(written).text(
        (12, 120), "WHEN YOU SEE IT", fill="white", font_size=24, stroke_width=2, stroke_fill="black"
    )
    plain, captioned = of(picture), of(written)
    frames = comparison.frames(plain, captioned)
    assert frames is not None
    assert (comparison.writing(plain, captioned, frames) or 0) < 0 < (comparison.writing(captioned, plain, frames) or 0)
    saved = of(picture, "jpg", quality=80)
    same = comparison.frames(plain, saved)
    assert same is not None
    assert comparison.writing(plain, saved, same) is None


def test_evidence_goes_through_a_pipe() -> None:
    for one in (of(textured(9), "jpg"), of(textured(9), "png"), of(textured(9), "jpg").without_samples()):
        about, content = evidence.pack(one)
        back = evidence.unpack(json.loads(json.dumps(about)), content)
        for name in evidence.ARRAYS:
            assert np.array_equal(getattr(back, name), getattr(one, name))
        assert (back.metadata, back.table, back.bands) == (one.metadata, one.table, one.bands)
