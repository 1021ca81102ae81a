"""JPEG XL: sizes from the header before decoding, pixels, and what is compared."""

from __future__ import annotations

import contextlib
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging import decode, metadata
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import jpeg_xl, kinds
from lookalike.imaging.opening import header, opened
from lookalike.imaging.pixels import pixel_digest
from tests.imaging.formats.test_containers import EXIF
from tests.imaging.test_decode import photo, save

SPEC = ImageSpec(side=32, colour=True)
BOXED = b"\0\0\0\x0cJXL \r\n\x87\n" + struct.pack(">I4s4sI4s", 20, b"ftyp", b"jxl ", 0, b"jxl ")


def jxl(picture: Image.Image, **options: object) -> bytes:
    imagecodecs = pytest.importorskip("imagecodecs")
    return bytes(imagecodecs.jpegxl_encode(np.asarray(picture), **options))


@pytest.mark.parametrize("size", [(96, 64), (8, 8), (1, 1), (300, 7), (256, 256), (1600, 900), (513, 2049)])
def test_the_header_says_the_size(size: tuple[int, int]) -> None:
    data = jxl(Image.new("RGB", size), lossless=True, effort=1)
    found = jpeg_xl._header(data[:100])
    assert (found.width, found.height) == size
    assert opened(data).load().size == size


def test_the_same_pixels_in_another_format_are_the_same() -> None:
    for picture in (photo(), photo().convert("RGBA")):
        data = jxl(picture, lossless=True)
        assert pixel_digest(data) == pixel_digest(save(picture, "PNG"))
        read = decode.decode(data, SPEC, with_thumbnail=True)
        assert (read.width, read.height, read.format) == (96, 64, "JXL")
        assert np.array_equal(read.array, decode.read(save(picture, "PNG"), SPEC))


def test_a_lossy_picture_looks_the_same() -> None:
    data = jxl(photo(), lossless=False, distance=1.0)
    assert np.abs(decode.read(data, SPEC).astype(int) - decode.read(save(photo(), "PNG"), SPEC)).mean() < 3
    assert pixel_digest(data) != pixel_digest(save(photo(), "PNG"))


def test_16_bits_are_shown_in_8_and_not_compared() -> None:
    deep = Image.fromarray(np.asarray(photo().convert("L")).astype(np.uint16) * 257)
    data = jxl(deep, lossless=True)
    assert np.array_equal(decode.read(data, SPEC), decode.read(save(photo().convert("L"), "PNG"), SPEC))
    assert pixel_digest(data) != pixel_digest(save(photo().convert("L"), "PNG"))


def test_metadata_in_boxes_are_read() -> None:
    stream = jxl(photo(), lossless=True)
    boxes = struct.pack(">I4sI", 12 + len(EXIF) - 6, b"Exif", 0) + EXIF[6:]
    data = BOXED + boxes + struct.pack(">I4s", 8 + len(stream), b"jxlc") + stream
    assert metadata.read(header(data)).date == "2024-05-01 10:00:00"
    assert pixel_digest(data) == pixel_digest(stream)
    assert pixel_digest(data + struct.pack(">I4s", 8, b"jhgm")) != pixel_digest(stream)  # a gain map


def test_a_claim_of_very_many_pixels_is_refused_by_the_header() -> None:
    pytest.importorskip("imagecodecs")
    side = 60_000 - 1  # not small, 18 bits, no ratio, 18 bits, all default
    bits = 0 | 2 << 1 | side << 3 | 0 << 21 | 2 << 24 | side << 26 | 1 << 44
    with pytest.raises(ImageError, match="3600 megapixels"):
        decode.decode(b"\xff\x0a" + bits.to_bytes(6, "little") + bytes(50), SPEC)


@pytest.mark.parametrize("boxed", [False, True])
def test_damaged_files_are_read_or_refused(boxed: bool) -> None:
    stream = jxl(photo(), lossless=True)
    data = BOXED + struct.pack(">I4s", 8 + len(stream), b"jxlc") + stream if boxed else stream
    random = np.random.default_rng(1)
    for _ in range(60):
        spoilt = bytearray(data[: random.integers(14, len(data) + 1)])
        for at in random.integers(0, min(len(spoilt), 100), 3):
            spoilt[at] = random.integers(256)
        with contextlib.suppress(ImageError):
            decode.decode(bytes(spoilt), SPEC, max_pixels=1_000_000)


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(RetryableImageError, match=r"pip install 'lookalike\[jxl\]'"):
        kinds.recognise(b"\xff\x0a" + bytes(60))
