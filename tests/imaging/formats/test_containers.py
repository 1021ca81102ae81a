"""Photoshop, JPEG 2000, DirectDraw, icon and other files: pixels, sizes, metadata, and whether they hold more."""

from __future__ import annotations

import contextlib
import importlib.util
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lookalike.core.errors import ImageError
from lookalike.imaging import decode, evidence, metadata
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.formats import containers, kinds
from lookalike.imaging.opening import header, opened
from lookalike.imaging.pixels import pixel_digest
from tests.imaging.test_decode import photo, save

SPEC = ImageSpec(side=32, colour=True)
EXACT: dict[str, dict[str, Any]] = {  # formats that keep all pixels, with options
    "JPEG2000": {}, "QOI": {}, "DDS": {}, "SGI": {}, "PCX": {}, "TGA": {"compression": "tga_rle"},
}  # fmt: skip
EXIF = b"Exif\0\0II*\0\x08\0\0\0\1\0\x32\1\2\0\x14\0\0\0\x1a\0\0\0\0\0\0\0" + b"2024:05:01 10:00:00\0"


def psd(
    picture: Image.Image,
    *,
    resources: dict[int, bytes] | None = None,
    layers: bytes = b"",
    channels: int = 3,
    bits: int = 8,
) -> bytes:
    """A Photoshop document in colour, without compression."""
    about = b""
    for number, content in (resources or {}).items():
        about += b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)
    start = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", channels, picture.height, picture.width, bits, 3)
    parts = [bytes(4), struct.pack(">I", len(about)) + about, struct.pack(">I", len(layers)) + layers, bytes(2)]
    return start + b"".join(parts) + b"".join(band.tobytes() for band in picture.split())


def ico(*pictures: bytes, side: int = 64) -> bytes:
    """An icon that holds pictures."""
    entries, offset = b"", 6 + 16 * len(pictures)
    for picture in pictures:
        entries += struct.pack("<BBBBHHII", side % 256, side % 256, 0, 0, 1, 32, len(picture), offset)
        offset += len(picture)
    return struct.pack("<HHH", 0, 1, len(pictures)) + entries + b"".join(pictures)


@pytest.mark.parametrize("format_", EXACT)
def test_the_same_pixels_in_another_format_are_the_same(format_: str) -> None:
    data = save(photo(), format_, **EXACT[format_])
    assert kinds.recognise(data[: kinds.HEAD]) == format_
    assert pixel_digest(data) == pixel_digest(save(photo(), "PNG"))
    read = decode.decode(data, SPEC, with_thumbnail=True)
    assert (read.width, read.height, read.format, read.animated) == (96, 64, format_, False)
    assert read.thumbnail
    assert np.array_equal(read.array, decode.read(save(photo(), "PNG"), SPEC))


def test_a_flat_photoshop_document_is_compared_and_layers_are_not_frames() -> None:
    assert pixel_digest(psd(photo())) == pixel_digest(save(photo(), "PNG"))
    layered = psd(photo(), layers=struct.pack(">I", 4) + bytes(4))
    read = decode.decode(layered, SPEC)
    assert not read.animated
    assert np.array_equal(read.array, decode.read(save(photo(), "PNG"), SPEC))
    assert pixel_digest(layered) not in (pixel_digest(psd(photo())), pixel_digest(layered + b"\0"))


@pytest.mark.parametrize(("format_", "side"), [("ICO", 256), ("ICNS", 1024)])
def test_of_an_icon_the_largest_picture_is_read(format_: str, side: int) -> None:
    data = save(photo(side, side), format_)
    read = decode.decode(data, SPEC)
    assert (read.width, read.height, read.format) == (side, side, format_)
    assert np.array_equal(read.array, decode.read(save(photo(side, side), "PNG"), SPEC))
    assert pixel_digest(data) != pixel_digest(save(photo(side, side), "PNG"))  # there are smaller ones, too
    with pytest.raises(ImageError, match=r"at most 0\.01 are decoded"):
        decode.decode(data, SPEC, max_pixels=10_000)


def test_an_icon_of_one_picture_is_compared() -> None:
    assert pixel_digest(ico(save(photo(64, 64), "PNG"))) == pixel_digest(save(photo(64, 64), "PNG"))


def test_the_size_of_a_bitmap_in_an_icon_is_checked_before_it_is_decoded() -> None:
    claim = struct.pack("<IiiHHIIIIII", 40, 60_000, 120_000, 1, 32, 0, 0, 0, 0, 0, 0)
    with pytest.raises(ImageError, match="60000×60000 are 3600 megapixels"):
        decode.decode(ico(claim), SPEC)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
@pytest.mark.parametrize("bits", [24, 32])
def test_usual_textures_are_read_in_one_go_as_pixel_by_pixel(
    order: tuple[int, int, int], bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = [0xFF << 8 * byte for byte in order]
    picture = photo().convert("RGBA") if bits == 32 else photo()
    start = b"DDS " + struct.pack("<7I44x", 124, 0x1007, 64, 96, 0, 0, 0)
    about = struct.pack("<II4sIIIII", 32, 0x41 if bits == 32 else 0x40, b"", bits, *masks, 0xFF000000)
    data = start + about + struct.pack("<5I", 0x1000, 0, 0, 0, 0) + picture.tobytes()
    quick = opened(data).load()
    monkeypatch.setattr(containers, "_RAW_MODES", {})
    slow = opened(data)
    assert vars(slow.image)["tile"][0].codec_name == "dds_rgb"
    assert quick.tobytes() == slow.load().tobytes()


def test_a_texture_with_smaller_versions_is_not_compared() -> None:
    data = bytearray(save(photo(), "DDS"))
    assert pixel_digest(bytes(data)) == pixel_digest(save(photo(), "PNG"))
    data[28] = 3
    assert pixel_digest(bytes(data)) != pixel_digest(save(photo(), "PNG"))


def test_qoi_is_read_the_same_with_and_without_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imagecodecs")
    data = save(photo().convert("RGBA"), "QOI")
    quick = opened(data).load()
    with pytest.raises(ImageError, match="is cut off"):
        decode.decode(data[:-900], SPEC)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert quick.tobytes() == opened(data).load().tobytes()
    with pytest.raises(ImageError, match="cannot be decoded as QOI"):
        decode.decode(data[:-900], SPEC)


def test_metadata_of_a_photoshop_document_are_read() -> None:
    data = psd(photo(), resources={1058: EXIF[6:], 1060: b'<x xmp:CreatorTool="Adobe Photoshop"/>'})
    found = metadata.read(header(data))
    assert (found.date, found.software) == ("2024-05-01 10:00:00", "Adobe Photoshop")


def test_metadata_and_profile_of_a_jpeg_2000_file_are_read() -> None:
    plain = save(photo(), "JPEG2000")
    boxes = struct.pack(">I4s", 8 + 16 + len(EXIF) - 6, b"uuid") + b"JpgTiffExif->JP2" + EXIF[6:]
    assert metadata.read(header(plain + boxes)).date == "2024-05-01 10:00:00"
    assert pixel_digest(plain + boxes) == pixel_digest(plain)
    assert pixel_digest(plain + struct.pack(">I4sQ", 16, b"jplh", 0)) != pixel_digest(plain)


def test_a_document_without_a_merged_picture_is_named() -> None:
    data = psd(photo(), resources={1057: b"\0\0\0\1\0" + bytes(20)})
    with pytest.raises(ImageError, match="without a merged picture") as caught:
        decode.decode(data, SPEC)
    assert kinds.foreign_kind(str(caught.value))


def test_16_bits_a_channel_are_not_compared_in_8() -> None:
    deep = save(photo(), "SGI", bpc=2)
    assert evidence.inspect(deep).depth == 16
    assert pixel_digest(deep) != pixel_digest(save(photo(), "SGI"))
    grey = Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)
    assert evidence.inspect(save(grey, "JPEG2000")).depth == 16
    assert decode.decode(save(grey, "JPEG2000"), SPEC).array.max() > 200


def test_a_large_jpeg_2000_file_is_decoded_small() -> None:
    data = save(photo(1200, 800), "JPEG2000", num_resolutions=6)
    image = header(data)
    containers.reduce(image, data, 96)
    image.load()
    assert image.size == (150, 100)
    small, whole = decode.read(data, SPEC), decode.read(save(photo(1200, 800), "PNG"), SPEC)
    assert np.abs(small.astype(int) - whole).mean() < 3
    assert pixel_digest(data) == pixel_digest(save(photo(1200, 800), "PNG"))


CLAIMS = {  # 60,000 × 60,000 pixels
    "psd": psd(photo())[:14] + struct.pack(">II", 60_000, 60_000) + psd(photo())[22:],
    "qoi": b"qoif" + struct.pack(">II", 60_000, 60_000) + b"\3\0" + bytes(90),
    "dds": save(photo(), "DDS")[:12] + struct.pack("<II", 60_000, 60_000) + save(photo(), "DDS")[20:],
    "sgi": save(photo(), "SGI")[:6] + struct.pack(">HH", 60_000, 60_000) + save(photo(), "SGI")[10:],
    "pcx": save(photo(), "PCX")[:8] + struct.pack("<HH", 59_999, 59_999) + save(photo(), "PCX")[12:],
    "tga": save(photo(), "TGA")[:12] + struct.pack("<HH", 60_000, 60_000) + save(photo(), "TGA")[16:],
    "jp2": save(photo(), "JPEG2000").replace(struct.pack(">II", 64, 96), struct.pack(">II", 60_000, 60_000)),
    "ico": ico(PngImagePlugin._MAGIC + save(photo(), "PNG")[8:16] + struct.pack(">II", 60_000, 60_000) + bytes(90)),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_of_very_many_pixels_is_refused_by_the_header(name: str) -> None:
    with pytest.raises(ImageError, match=r"3600 megapixels|its header cannot be read"):
        decode.decode(CLAIMS[name], SPEC)


@pytest.mark.parametrize("name", [*CLAIMS, "icns"])
def test_damaged_files_are_read_or_refused(name: str) -> None:
    intact = {"psd": psd(photo()), "icns": save(photo(64, 64), "ICNS"), "ico": save(photo(64, 64), "ICO")}
    formats = {"qoi": "QOI", "dds": "DDS", "sgi": "SGI", "pcx": "PCX", "tga": "TGA", "jp2": "JPEG2000"}
    data = intact.get(name) or save(photo(), formats[name])
    random = np.random.default_rng(0)
    for _ in range(60):
        spoilt = bytearray(data[: random.integers(20, len(data) + 1)])
        for at in random.integers(0, min(len(spoilt), 200), 3):
            spoilt[at] = random.integers(256)
        for read in (lambda file: decode.decode(file, SPEC, max_pixels=1_000_000), pixel_digest):
            with contextlib.suppress(ImageError):
                read(bytes(spoilt))
