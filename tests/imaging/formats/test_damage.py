"""Truncated files are read if nearly complete; damage is reported."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import damage

SPEC = ImageSpec(side=64)
WAYS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "full chroma": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 1},
}


def textured(width: int = 480, height: int = 320, mode: str = "RGB") -> Image.Image:
    """Noise over a ramp, so that rows take similar numbers of bytes."""
    random = np.random.default_rng(5)
    ramp = np.linspace(20, 200, width)[None, :, None] + np.array([0, 20, 40])
    pixels = np.clip(ramp + random.normal(0, 25, (height, width, 3)), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8)).convert(mode)


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def png(picture: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", **options)
    return out.getvalue()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_without_its_end_is_read(way: str, mode: str) -> None:
    data = jpeg(textured(mode=mode), **WAYS[way])
    whole = decode.decode(data, SPEC)
    assert whole.damage is None
    assert damage.find(data) == ()
    for cut in (data[:-2], data[:-1], data[:-200], data[:-200] + bytes(200), data[:-3000] + bytes(5000)):
        found = decode.decode(cut, SPEC)
        assert found.damage is not None
        assert found.damage.startswith("its end is missing")
        assert (found.width, found.height) == (480, 320)
        assert np.abs(found.array[:56].astype(int) - whole.array[:56]).mean() < 3
        assert damage.find(cut) == ("its end is missing",)
        assert decode.thumbnail(cut, 64).size == (64, 43)
        assert decode.pixel_digest(cut) != decode.pixel_digest(data)


@pytest.mark.parametrize("share", [0.5, 0.8])
@pytest.mark.parametrize("way", ["baseline", "restart markers"])
def test_a_jpeg_of_which_rows_are_missing_is_refused_in_words(way: str, share: float) -> None:
    data = jpeg(textured(), **WAYS[way])
    cut = data[: int(len(data) * share)]
    for call in (lambda: decode.decode(cut, SPEC), lambda: decode.thumbnail(cut, 64)):
        with pytest.raises(ImageError, match=r"^is cut off: only (49|50|79|80) % of its rows are there$"):
            call()


def test_the_number_of_readable_rows_is_reported() -> None:
    data = jpeg(textured())
    assert decode.decode(data[: int(len(data) * 0.95)], SPEC).damage in {
        f"its end is missing: {percent} % of its rows are there" for percent in (94, 95, 96)
    }


def test_what_follows_a_jpeg_is_no_damage() -> None:
    data = jpeg(textured())
    for extra in (bytes(4096), b"a note", b"\0\0\0\x18ftypmp42" + bytes(500)):
        assert decode.decode(data + extra, SPEC).damage is None
        assert damage.find(data + extra) == ()


def test_damage_within_a_jpeg_is_reported() -> None:
    data = jpeg(textured())
    for damaged in (data[:20000] + bytes(4096) + data[24096:], data[:20000] + data[20500:]):
        (words,) = damage.find(damaged)
        assert words.startswith("its data are damaged")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "LA", "I;16"])
def test_a_png_that_is_cut_off(mode: str) -> None:
    grey = np.asarray(textured(mode="L"))
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else textured(mode="RGB").convert(mode)
    data = png(picture)
    whole = decode.decode(data, SPEC).array.astype(int)
    assert damage.find(data) == ()
    for cut in (data[:-1], data[:-12], data[: int(len(data) * 0.95)], data[: -len(data) // 20] + bytes(2000)):
        found = decode.decode(cut, SPEC)
        assert (found.width, found.height) == (480, 320)
        assert np.abs(found.array[:56] - whole[:56]).mean() < 1
        assert found.damage is None or found.damage.startswith("its end is missing")
        assert (found.damage is None) == (cut == data[:-1])
        assert damage.find(cut) != ()
    with pytest.raises(ImageError):
        decode.decode(data[: len(data) // 2], SPEC)


def test_a_wrong_checksum_of_a_png_is_reported() -> None:
    data = bytearray(png(textured()))
    data[data.index(b"IDAT") - 4 + 8 + int.from_bytes(data[data.index(b"IDAT") - 4 : data.index(b"IDAT")], "big")] ^= 1
    assert damage.find(bytes(data)) == ("its data are damaged (the checksum of IDAT does not fit)",)


def test_a_webp_that_is_cut_off_is_reported() -> None:
    out = io.BytesIO()
    textured().save(out, "WEBP", quality=80)
    data = out.getvalue()
    assert damage.find(data) == ()
    assert damage.find(data[:-5]) == ("its end is missing",)
    assert damage.find(data[:-600] + bytes(600)) != ()


def test_rubbish_has_no_damage_that_could_be_told() -> None:
    for rubbish in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", bytes(99)):
        damage.find(rubbish)
        damage.repair(rubbish)
