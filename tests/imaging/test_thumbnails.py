"""Thumbnails have a bounded size in bytes and show the image.

Shapes: H by W pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging import decode, opening, thumbnails
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.quality import LOW_INFORMATION, quality
from lookalike.imaging.thumbnails import BYTES, LATER_SIDE, SIDE, pack, unpack

SPECS = [ImageSpec(side=64), ImageSpec(side=64, colour=True), ImageSpec(side=64, trim=True)]


def noise(width: int, height: int, channels: int = 3, *, seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(values)


def waves(width: int = 320, height: int = 214, *, turn: int = 0) -> Image.Image:
    """A smooth image in colour."""
    y, x = np.mgrid[:height, :width] * 10 / max(width, height)
    planes = [np.sin(x + turn) * np.cos(y * 1.3), np.sin(x * 0.7 - y + turn), np.cos(y * 0.5 + 2 * turn)]
    return Image.fromarray(np.stack([127 + 120 * plane for plane in planes], axis=-1).astype(np.uint8))


def saved(picture: Image.Image, format_: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format_, **options)
    return out.getvalue()


def clip(frames: Sequence[Image.Image], format_: str, **options: Any) -> bytes:
    return saved(frames[0], format_, save_all=True, append_images=frames[1:], **options)


def thumbnails_of(data: bytes, spec: ImageSpec = SPECS[0]) -> thumbnails.Thumbnails:
    packed = decode.decode(data, spec, with_thumbnail=True).thumbnail
    assert packed is not None
    assert len(packed) <= BYTES
    return unpack(packed)


def difference(one: npt.NDArray[np.uint8], picture: Image.Image) -> float:
    """Mean difference of colours, of 255, between a thumbnail and an image."""
    other = np.asarray(picture.convert("RGB").resize((one.shape[1], one.shape[0]), Image.Resampling.BICUBIC))
    return float(np.abs(one[..., :3].astype(int) - other).mean())


def test_the_format_is_as_documented() -> None:
    packed = pack([waves(), waves(turn=1)])
    lengths = [int.from_bytes(packed[at : at + 2]) for at in (2, 4)]
    assert packed[:2] == b"\x01\x02"
    assert len(packed) == 6 + sum(lengths)
    first = Image.open(io.BytesIO(packed[6 : 6 + lengths[0]]))
    assert (first.format, first.size) == ("WEBP", (192, 128))
    shapes = [one.shape for one in unpack(packed)]
    assert shapes == [(128, 192, 3), (64, 96, 3)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(192, 192), (30, 4000), (5, 5), (1, 3000), (1, 1)])
def test_noise_fits_into_the_bytes(size: tuple[int, int], channels: int, count: int) -> None:
    packed = pack([noise(*size, channels, seed=seed) for seed in range(count)])
    assert len(packed) <= BYTES
    found = unpack(packed)
    assert len(found) == min(count, 4)
    assert all(max(one.shape[:2]) <= (LATER_SIDE if number else SIDE) for number, one in enumerate(found))


def photo_like(seed: int) -> Image.Image:
    """Noise that is stronger at coarser scales, as in photographs."""
    layers = [noise(6 << n, 4 << n, seed=seed + n).resize((192, 128), Image.Resampling.BICUBIC) for n in range(5)]
    return Image.fromarray(np.average([np.asarray(one) for one in layers], 0, [16, 8, 4, 2, 1]).astype(np.uint8))


def test_pictures_fill_the_bytes_and_are_never_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    encode = thumbnails._webp

    def spy(picture: Image.Image, quality: int) -> bytes:
        tried.append(quality)
        return encode(picture, quality)

    monkeypatch.setattr(thumbnails, "_webp", spy)
    for seed in range(20):
        packed = pack([photo_like(seed)])
        assert 0.85 * BYTES < len(packed) <= BYTES
        assert unpack(packed)[0].shape == (128, 192, 3)
        assert difference(unpack(packed)[0], photo_like(seed)) < 8
    assert len(tried) <= 70
    assert unpack(pack([waves(50, 40)]))[0].shape == (40, 50, 3)
    assert difference(unpack(pack([waves()]))[0], waves()) < 4


@pytest.mark.parametrize("content", [b"", b"\x02\x01", b"\x01", b"\x01\x01\x00", b"\x01\x01\x00\x04RIFF", None])
def test_what_is_damaged_is_refused(content: bytes | None) -> None:
    if content is None:  # many more pixels than in a thumbnail
        large = saved(Image.new("RGB", (4000, 4000)), "WEBP")
        content = b"\x01\x01" + len(large).to_bytes(2) + large
    with pytest.raises(ImageError, match="its thumbnails"):
        unpack(content)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_the_array_is_the_same_with_a_thumbnail(format_: str, spec: ImageSpec) -> None:
    framed = Image.new("RGB", (400, 300), "white")
    framed.paste(waves(), (40, 40))
    data = saved(framed, format_)
    one, other = decode.decode(data, spec), decode.decode(data, spec, with_thumbnail=True)
    assert (one.array == other.array).all()
    assert one.thumbnail is None
    (shown,) = unpack(other.thumbnail or b"")
    assert shown.shape == (144, 192, 3)  # including borders
    assert difference(shown, framed) < 6


@pytest.mark.parametrize("keep_rgb", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("size", [(320, 214), (1500, 1003)])
def test_a_jpeg_is_decoded_once_and_gives_the_array_of_grey(
    size: tuple[int, int], subsampling: int, keep_rgb: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = saved(waves(*size), "JPEG", keep_rgb=keep_rgb, subsampling=0 if keep_rgb else subsampling)
    grey = decode.decode(data, SPECS[0]).array
    headers = []
    header = opening.header

    def spy(data: bytes) -> Image.Image:
        headers.append(data)
        return header(data)

    monkeypatch.setattr(opening, "header", spy)
    found = decode.decode(data, SPECS[0], with_thumbnail=True)
    assert len(headers) == 1
    assert (found.array == grey).all()
    assert difference(unpack(found.thumbnail or b"")[0], waves(*size)) < 6


def test_it_is_upright_and_in_srgb_and_of_8_bits() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = waves(200, 300)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    assert difference(thumbnails_of(saved(turned, "JPEG", exif=exif, quality=95))[0], upright) < 6
    deep = np.asarray(waves().convert("L")).astype(np.uint16) << 4
    assert difference(thumbnails_of(saved(Image.fromarray(deep), "PNG"))[0], waves().convert("L")) < 6
    palette = waves().quantize(200)
    assert difference(thumbnails_of(saved(palette, "GIF"))[0], palette) < 8
    inks = waves().convert("CMYK")
    assert difference(thumbnails_of(saved(inks, "JPEG", quality=95))[0], inks) < 8


@pytest.mark.parametrize(("format_", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("PNG", "LA"), ("TIFF", "RGBA")])
def test_transparency_is_kept_where_there_is_some(format_: str, mode: str) -> None:
    picture = waves().convert("RGBA")
    opacity = np.full((214, 320), 255, np.uint8)
    picture.putalpha(Image.fromarray(opacity))
    assert thumbnails_of(saved(picture.convert(mode), format_))[0].shape == (128, 192, 3)
    opacity[:, :100] = 0
    picture.putalpha(Image.fromarray(opacity))
    shown = thumbnails_of(saved(picture.convert(mode), format_))[0]
    assert shown.shape == (128, 192, 4)
    assert (shown[:, :58, 3].max(), shown[:, 62:, 3].min()) == (0, 255)


@pytest.mark.parametrize("size", [(320, 214), (90, 60)])
@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "TIFF"])
def test_frames_are_spread_over_an_animation(format_: str, size: tuple[int, int]) -> None:
    frames = [waves(*size, turn=turn) for turn in range(8)]
    found = thumbnails_of(clip(frames, format_))
    assert [one.shape[1] <= side for one, side in zip(found, (SIDE, *[LATER_SIDE] * 3), strict=True)] == [True] * 4
    assert (found[0].shape[1], found[3].shape[1]) == (min(SIDE, size[0]), min(LATER_SIDE, size[0]))
    for one, at in zip(found, (0, 3, 5, 7), strict=True):
        assert difference(one, frames[at]) == min(difference(one, frame) for frame in frames)


def test_frames_are_decoded_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [waves(64, 48, turn=turn) for turn in range(80)]
    data = clip(frames, "GIF")
    numbers: list[int] = []
    later = decode._later

    def spy(image: Image.Image) -> Iterator[Image.Image]:
        for frame in later(image):
            numbers.append(frame.tell())
            yield frame

    monkeypatch.setattr(decode, "_later", spy)
    assert len(thumbnails_of(data)) == 4
    assert numbers == list(range(1, decode.FRAMES))
    numbers.clear()
    monkeypatch.setattr(decode, "FRAME_PIXELS", 64 * 48 * 2.5)
    assert len(thumbnails_of(data)) == 3
    assert numbers == [1, 2]
    monkeypatch.setattr(decode, "FRAME_SECONDS", -1.0)
    assert len(thumbnails_of(data)) == 1
    numbers.clear()
    decode.decode(data, SPECS[0])  # only what is requested is decoded
    assert numbers == []


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "TIFF"])
def test_damage_in_later_frames_means_fewer_frames(format_: str) -> None:
    frames = [noise(64, 48, seed=seed).resize((320, 240)) for seed in range(4)]
    data = clip(frames, format_)
    for share in (0.55, 0.8):
        cut = data[: int(share * len(data))]
        try:
            expected = decode.decode(cut, SPECS[0]).array
        except ImageError:
            continue
        found = decode.decode(cut, SPECS[0], with_thumbnail=True)
        assert (found.array == expected).all()
        assert 1 <= len(unpack(found.thumbnail or b"")) < 4


def test_what_a_later_page_says_of_itself_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pages = [waves(64, 48), waves(320, 200)]
    pages[1].encoderinfo = {"exif": exif}
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    monkeypatch.setattr(decode, "FRAME_PIXELS", 64 * 48)
    found = decode.decode(out.getvalue(), SPECS[0], with_thumbnail=True)
    assert (found.width, found.height, found.animated) == (64, 48, True)
    assert [one.shape for one in unpack(found.thumbnail or b"")] == [(48, 64, 3)]


@pytest.mark.parametrize("spec", SPECS)
def test_the_first_frame_with_enough_to_see_makes_the_code(spec: ImageSpec) -> None:
    black = Image.new("RGB", (320, 214))
    expected = decode.decode(saved(waves(), "PNG"), spec).array.astype(int)
    for data in (clip([black, waves(), waves(turn=1)], "GIF"), clip([black, black, waves()], "WEBP", quality=90)):
        for with_thumbnail in (False, True):
            found = decode.decode(data, spec, with_thumbnail=with_thumbnail)
            assert np.abs(found.array - expected).mean() < 8
        assert found.animated
        assert difference(unpack(found.thumbnail or b"")[0], waves()) < 10
    only = decode.decode(clip([black, Image.new("RGB", (320, 214), "red")], "WEBP"), spec, with_thumbnail=True)
    assert quality(only.array) < LOW_INFORMATION
    assert len(unpack(only.thumbnail or b"")) == 1


def test_a_preview_behind_a_photo_is_not_a_frame() -> None:
    data = clip([waves(), waves(turn=1)], "MPO")
    assert len(thumbnails_of(data)) == 1
    black = Image.new("RGB", (320, 214))
    assert quality(decode.decode(clip([black, waves()], "MPO"), SPECS[0]).array) == 0


@pytest.mark.parametrize("isolation", [False, True])
def test_workers_give_thumbnails_when_asked(isolation: bool) -> None:
    data = saved(waves(), "JPEG")
    with pool.make_decoders(DecodeLimits(), workers=1, isolation=isolation) as decoders, decoders.opened(data) as image:
        assert image.array(SPECS[1]).thumbnail is None
        found = image.array(SPECS[1], with_thumbnail=True)
        expected = decode.decode(data, SPECS[1], with_thumbnail=True)
        assert found.thumbnail == expected.thumbnail
        assert (found.array == expected.array).all()


def test_the_first_thumbnail_is_a_webp_file_of_its_own() -> None:
    frames = [Image.new("RGB", (80, 60), colour) for colour in ("red", "blue")]
    for some in (frames[:1], frames):
        found = Image.open(io.BytesIO(thumbnails.first(thumbnails.pack(some))))
        assert (found.format, found.size) == ("WEBP", (80, 60))
        assert found.convert("RGB").getpixel((40, 30))[0] > 200  # type: ignore[index]
