"""Values of more than 8 bits are displayed like in the tools that write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lookalike.core.errors import ImageError
from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import tones
from tests.imaging.test_decode import photo, png, save
from tests.imaging.test_pixels import rows, tiff

Array = npt.NDArray[Any]
SPEC = ImageSpec(side=32)
COLOUR = ImageSpec(side=32, colour=True)
GREY, RGB = np.asarray(photo().convert("L")), np.asarray(photo())


def difference(data: bytes, spec: ImageSpec = SPEC) -> int:
    """Maximum difference from the same image in 8 bits."""
    expected = decode.read(save(photo() if spec.colour else photo().convert("L"), "PNG"), spec)
    return int(np.abs(decode.read(data, spec).astype(int) - expected).max())


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_grey_of_fewer_bits_in_16(bits: int, order: str, white_is_zero: bool) -> None:
    values = GREY.astype(np.uint16) << (bits - 8)
    if white_is_zero:
        values = ((1 << bits) - 1) - values
    photometric = "miniswhite" if white_is_zero else "minisblack"
    assert difference(tiff(values, photometric=photometric, byteorder=order)) <= 1
    assert decode.thumbnail(tiff(values, photometric=photometric, byteorder=order), 32).size == (32, 21)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_colour_of_fewer_bits_in_16(bits: int) -> None:
    values = RGB.astype(np.uint16) << (bits - 8)
    clear = np.dstack([values, np.full(GREY.shape, (1 << bits) - 1, np.uint16)])
    planes = np.moveaxis(values, -1, 0)
    for data in (
        tiff(values, photometric="rgb"),
        tiff(values, photometric="rgb", byteorder=">"),
        tiff(values, photometric="rgb", compression="zlib"),
        tiff(clear, photometric="rgb", extrasamples=["unassalpha"]),
        png(96, 64, depth=16, colour=2, rows=rows(values)),
        png(96, 64, depth=16, colour=6, rows=rows(clear)),
        tiff(planes, photometric="rgb", planarconfig="separate"),
        tiff(planes, photometric="rgb", planarconfig="separate", compression="zlib", tile=(16, 16)),
    ):
        assert difference(data, COLOUR) <= 1


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_16_bit_colour_in_planes(options: dict[str, Any]) -> None:
    planes = np.moveaxis(RGB.astype(np.uint16) * 257, -1, 0)
    assert difference(tiff(planes, photometric="rgb", planarconfig="separate", **options), COLOUR) == 0


@pytest.mark.parametrize("shift", [0, 2, 4, 8, 24])
def test_unsigned_32_bits(shift: int) -> None:
    assert difference(tiff(GREY.astype(np.uint32) << shift)) <= 1


def test_12_bits_packed() -> None:
    values = GREY.astype(np.uint16) << 4
    pairs = values.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, ((pairs[:, 0] & 15) << 4) | (pairs[:, 1] >> 8), pairs[:, 1] & 255], axis=-1)
    data = bytearray(save(Image.new("L", (96, 96)), "TIFF"))  # 96·96 bytes are 96·64 values of 12 bits
    data = bytearray(tiff(packed.astype(np.uint8).reshape(64, 144)))
    for tag, value in ((256, 96), (258, 12)):  # width, bits of a value
        place = data.index(tag.to_bytes(2, "little"), 8)
        data[place + 8 : place + 10] = value.to_bytes(2, "little")
    assert difference(bytes(data)) <= 1


def test_a_stated_greatest_value_is_white() -> None:
    values = GREY.astype(np.uint16)  # dark: nothing above 255 of 4095
    data = tiff(values, extratags=[(281, 3, 1, 4095, True)])
    assert (
        np.abs(decode.read(data, SPEC).astype(int) - decode.read(save(Image.fromarray(GREY >> 4), "PNG"), SPEC)).max()
        <= 1
    )


def test_a_file_that_states_its_range_is_taken_at_its_word() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    values = (RGB.astype(np.uint16) << 4) | 15
    dark = tiff(values, photometric="rgb", iccprofile=profile)
    assert decode.read(dark, COLOUR).max() < 16


def stretched(values: Array) -> Array:
    low, high = values.min(), values.max()
    return np.asarray(np.round(255 * ((values - low) / (high - low))), np.uint8)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int16", "int32"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_other_values_are_stretched(kind: str, order: str) -> None:
    low = -100 if kind.startswith("int") else 0
    for photometric, values in (("minisblack", GREY.astype(int) + low), ("miniswhite", -GREY.astype(int))):
        data = tiff(values.astype(kind), photometric=photometric, byteorder=order)
        expected = decode.read(save(Image.fromarray(stretched(GREY.astype(float))), "PNG"), SPEC)
        assert np.abs(decode.read(data, SPEC).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_values_that_are_not_negative(order: str) -> None:
    assert difference(tiff(GREY.astype(np.int16) * 128, byteorder=order)) <= 1
    assert difference(tiff(GREY.astype(np.int16) * 16, byteorder=order)) <= 1
    assert difference(tiff(GREY.astype(np.int32) * 257, byteorder=order)) <= 1


@pytest.mark.parametrize("kind", ["uint32", "float32", "float64"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colour_of_many_bits(kind: str, planar: bool, compression: str | None) -> None:
    values = RGB.astype(kind) / 255 if kind.startswith("float") else RGB.astype(kind) << 24
    values = np.moveaxis(values.astype(kind), -1, 0) if planar else values.astype(kind)
    data = tiff(values, photometric="rgb", planarconfig="separate" if planar else "contig", compression=compression)
    found = decode.decode(data, COLOUR)
    assert (found.width, found.height, found.format, found.animated) == (96, 64, "TIFF", False)
    expected = RGB if kind == "uint32" else stretched(RGB.astype(float))
    assert np.abs(found.array.astype(int) - decode.read(save(Image.fromarray(expected), "PNG"), COLOUR)).max() <= 1


def test_a_rotated_tiff_of_many_bits_is_upright() -> None:
    data = tiff(np.rot90(GREY).astype(np.float64), extratags=[(274, 3, 1, 6, True)])
    found = decode.decode(data, SPEC)
    assert (found.width, found.height) == (96, 64)
    expected = decode.read(save(Image.fromarray(stretched(GREY.astype(float))), "PNG"), SPEC)
    assert np.abs(found.array.astype(int) - expected).max() <= 1


def test_a_tiff_of_no_known_kind_is_refused_in_words() -> None:
    for data in (
        tiff(np.zeros((9, 9, 30)), photometric="minisblack", planarconfig="contig"),
        tiff(GREY.astype(np.float64))[:40],
        b"II*\0" + bytes(60),
    ):
        with pytest.raises(ImageError) as caught:
            decode.read(data, SPEC)
        assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="--max-pixels"):
        decode.read(tiff(GREY.astype(np.float64)), SPEC, max_pixels=100)


def test_bits_are_derived_from_the_greatest_value() -> None:
    assert tones.to_8_bits(np.array([[0, 4080]], np.uint16)).tolist() == [[0, 255]]
    assert tones.to_8_bits(np.array([[0, 4096]], np.uint16)).tolist() == [[0, 64]]
    assert tones.to_8_bits(np.array([[0, 4080]], np.uint16), bits=16).tolist() == [[0, 15]]
    assert tones.to_8_bits(np.array([[0, 1]], bool)).tolist() == [[0, 255]]
    assert tones.to_8_bits(np.array([[0, 1 << 20]], np.uint32)).tolist() == [[0, 255]]
    assert tones.to_8_bits(np.array([[0, (1 << 32) - 1]], np.uint32), white_is_zero=True).tolist() == [[255, 0]]
