"""An image looks the same in any colour profile."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import profiles
from tests.imaging.test_decode import photo, png, save

SPEC = ImageSpec(side=32)
COLOUR = ImageSpec(side=32, colour=True)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
Primaries = tuple[tuple[float, float, float], ...]
OF_SRGB: Primaries = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
OF_P3: Primaries = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
OF_ADOBE: Primaries = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
OF_PROPHOTO: Primaries = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))


def profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2."""
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"made\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(0.9642, 1, 0.8249), **tags}
    table, content, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(content), len(value))
        content += value + bytes(-len(value) % 4)
    body = struct.pack(">I", len(tags)) + table + content
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"none", 0x02400000, b"mntr", space, connection)
    return head + bytes(12) + b"acsp" + bytes(28) + xyz(0.9642, 1, 0.8249)[8:] + bytes(48) + body


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))


def of_colours(gamma: float, primaries: Primaries) -> bytes:
    tags = {name + b"XYZ": xyz(*values) for name, values in zip((b"r", b"g", b"b"), primaries, strict=True)}
    return profile(b"RGB ", tags | {name + b"TRC": curve(gamma) for name in (b"r", b"g", b"b")})


def of_ink() -> bytes:
    """CMYK with colours between the corners: black ink is darker than the others, white is paper."""
    corners = []
    for ink in np.ndindex(2, 2, 2, 2):
        light = 255 * (1 - np.array(ink[:3]) * 0.8) * (1 - 0.9 * ink[3])
        corners.append([round(float(np.mean(light))), 128, 128])
    table = struct.pack(">4sI4B9i", b"mft1", 0, 4, 3, 2, 0, *[round(65536 * v) for v in np.eye(3).reshape(-1)])
    table += bytes(range(256)) * 4 + bytes(np.array(corners, np.uint8).reshape(-1)) + bytes(range(256)) * 3
    return profile(b"CMYK", {b"A2B0": table}, b"Lab ")


PROFILES = {
    "linear": of_colours(1.0, OF_SRGB),
    "gamma 1.8": of_colours(1.8, OF_SRGB),
    "Adobe RGB": of_colours(2.19921875, OF_ADOBE),
    "Display P3": of_colours(2.2, OF_P3),
    "ProPhoto": of_colours(1.8, OF_PROPHOTO),
}


def converted(picture: Image.Image, icc: bytes) -> Image.Image:
    found = ImageCms.profileToProfile(
        picture, ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(icc)), outputMode=picture.mode
    )
    assert found is not None
    return found


def difference(data: bytes, spec: ImageSpec = COLOUR) -> float:
    expected = decode.read(save(photo(240, 150), "PNG"), spec).astype(int)
    return float(np.abs(decode.read(data, spec).astype(int) - expected).mean())


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF"])
def test_a_picture_in_another_profile_is_the_same_picture(name: str, format_: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 98, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 98},
    }
    data = save(
        converted(photo(240, 150), PROFILES[name]), format_, icc_profile=PROFILES[name], **options.get(format_, {})
    )
    assert difference(data) < 3.5
    assert difference(data, SPEC) < 2.5
    shown = np.asarray(decode.thumbnail(data, 64)).astype(int)
    assert np.abs(shown - np.asarray(decode.thumbnail(save(photo(240, 150), "PNG"), 64))).mean() < 3.5


@pytest.mark.parametrize(("format_", "options"), [("WEBP", {"lossless": True}), ("AVIF", {"quality": 98})])
def test_other_formats(format_: str, options: dict[str, Any]) -> None:
    icc = PROFILES["linear"]
    assert difference(save(converted(photo(240, 150), icc), format_, icc_profile=icc, **options)) < 3.5


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L"])
def test_other_modes(mode: str) -> None:
    grey = mode in ("LA", "L")
    icc = profile(b"GRAY", {b"kTRC": curve(1.0)}) if grey else PROFILES["linear"]
    picture = photo(240, 150).convert("L").convert("RGB") if grey else photo(240, 150)
    dark = converted(picture, PROFILES["linear"]).convert("L" if grey else "RGB").convert(mode)
    expected = decode.read(save(picture, "PNG"), SPEC).astype(int)
    found = decode.read(save(dark, "PNG", icc_profile=icc), SPEC).astype(int)
    assert np.abs(found - expected).mean() < (12 if mode == "P" else 3)


def test_ink_with_a_profile() -> None:
    icc = of_ink()
    picture = Image.new("CMYK", (64, 64), (0, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (32, 0, 64, 64))
    for format_ in ("TIFF", "JPEG"):
        found = decode.read(save(picture, format_, icc_profile=icc), COLOUR)
        assert (found[:, 18:] > 245).all()
        assert 10 < found[:, :14].mean() < 60  # not as black as ink without a profile
        assert decode.read(save(picture, format_), COLOUR)[:, :14].max() < 4


@pytest.mark.parametrize("icc", [SRGB, of_colours(2.2, OF_SRGB), profile(b"GRAY", {b"kTRC": curve(2.2)})])
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_profiles_as_good_as_srgb_change_nothing(icc: bytes, format_: str) -> None:
    for picture in (photo(), photo().convert("L")):
        plain, tagged = save(picture, format_), save(picture, format_, icc_profile=icc)
        for spec in (SPEC, COLOUR):
            assert np.array_equal(decode.read(tagged, spec), decode.read(plain, spec))


@pytest.mark.parametrize(
    "icc",
    [b"x", bytes(500), PROFILES["linear"][:200], PROFILES["linear"][:-150], of_ink(), profile(b"GRAY", {}), SRGB[:130]],
)
def test_a_profile_that_is_damaged_or_of_another_kind_is_ignored(icc: bytes) -> None:
    assert np.array_equal(
        decode.read(save(photo(), "PNG", icc_profile=icc), COLOUR), decode.read(save(photo(), "PNG"), COLOUR)
    )


def gamma_chunk(gamma: int) -> bytes:
    from tests.imaging.test_pixels import chunk_of

    return chunk_of(b"gAMA", gamma.to_bytes(4, "big"))


def test_a_png_that_states_its_gamma() -> None:
    def rows(values: npt.NDArray[np.uint8]) -> bytes:
        return b"".join(b"\0" + row.tobytes() for row in values)

    linear = np.asarray(converted(photo(240, 150), PROFILES["linear"]))
    dark = png(240, 150, colour=2, rows=rows(linear), extra=gamma_chunk(100_000))
    assert difference(dark) < 3.5
    assert difference(dark, SPEC) < 2.5
    usual = png(96, 64, colour=2, rows=rows(np.asarray(photo())), extra=gamma_chunk(45455))
    assert np.array_equal(decode.read(usual, COLOUR), decode.read(save(photo(), "PNG"), COLOUR))
    absurd = png(96, 64, colour=2, rows=rows(np.asarray(photo())), extra=gamma_chunk(1))
    assert np.array_equal(decode.read(absurd, COLOUR), decode.read(save(photo(), "PNG"), COLOUR))


def test_transforms_are_made_once() -> None:
    profiles._transform.cache_clear()
    for _ in range(3):
        decode.read(save(photo(), "PNG", icc_profile=PROFILES["linear"]), SPEC)
    assert profiles._transform.cache_info().misses == 1
