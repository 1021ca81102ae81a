"""Metadata of files in each format that has it, and of damaged files."""

from __future__ import annotations

import io

import pytest
from PIL import Image, PngImagePlugin

from lookalike.imaging import metadata
from lookalike.imaging.metadata import Metadata
from tests.conftest import encoded

PICTURE = Image.new("RGB", (32, 24), (9, 99, 199))


def exif(**tags: object) -> Image.Exif:
    found = Image.Exif()
    found[0x010F], found[0x0110], found[0x0131] = "Canon", "Canon EOS R6", "Firmware 1.0"
    found[0x0132] = "2024:05:02 11:00:00"
    found.get_ifd(0x8769)[0x9003] = "2024:05:01 10:00:00"
    found.get_ifd(0x8825).update({1: "S", 2: (47.0, 30.0, 0.0), 3: "W", 4: (8.0, 0.0, 36.0)})
    return found


def said(content: bytes) -> Metadata:
    with Image.open(io.BytesIO(content)) as image:
        return metadata.read(image)


def test_notes_that_people_made_are_named() -> None:
    described = exif()
    described[0x010E], described[0x4746] = "The harbour at dawn", 4
    xmp = b'<x:xmpmeta><dc:title><rdf:Alt><rdf:li>Dawn</rdf:li></rdf:Alt></dc:title xmp:Rating="0"></x:xmpmeta>'
    for options, names in (({"exif": described}, ("caption", "rating")), ({"xmp": xmp}, ("title",)), ({}, ())):
        with Image.open(io.BytesIO(encoded(PICTURE, "jpg", **options))) as image:
            assert metadata.added(image) == names


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "avif"])
def test_exif_is_read_wherever_it_is(ending: str) -> None:
    found = said(encoded(PICTURE, ending, exif=exif().tobytes()))
    assert (found.date, found.place) == ("2024-05-01 10:00:00", (-47.5, -8.01))
    assert (found.camera, found.software) == ("Canon EOS R6", "Firmware 1.0")
    assert found.says == ("date", "place", "camera")


def test_xmp_and_text_say_it_too() -> None:
    xmp = (
        b'<x:xmpmeta><rdf:Description exif:GPSLatitude="47,22.5N" exif:GPSLongitude="8,30.0W" tiff:Make="Nikon"'
        b' xmp:CreatorTool="Adobe Photoshop 25"><exif:DateTimeOriginal>2023-01-02T03:04:05</exif:DateTimeOriginal>'
        b"<tiff:Model>Z 6</tiff:Model></rdf:Description></x:xmpmeta>"
    )
    found = said(encoded(PICTURE, "jpg", xmp=xmp))
    assert found == Metadata("2023-01-02 03:04:05", (47.375, -8.5), "Nikon Z 6", "Adobe Photoshop 25")
    text = PngImagePlugin.PngInfo()
    text.add_text("Creation Time", "2022:03:04 05:06:07")
    text.add_text("Software", "Shutter")
    assert said(encoded(PICTURE, "png", pnginfo=text)) == Metadata("2022-03-04 05:06:07", None, "", "Shutter")
    iptc = b"\x1c\x02\x37\x00\x0820210203\x1c\x02\x3c\x00\x06040506"
    block = (
        b"Photoshop 3.0\x008BIM\x04\x04\x00\x00"
        + len(iptc).to_bytes(4, "big")
        + iptc
        + (b"\0" if len(iptc) % 2 else b"")
    )
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    content = encoded(PICTURE, "jpg")
    assert said(content[:2] + segment + content[2:]).date == "2021-02-03 04:05:06"


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "soon", "2024:13:01 00:00:00", "2023:02:29 10:00:00"]
)
def test_a_clock_that_was_never_set_says_no_date(date: str) -> None:
    found = Image.Exif()
    found[0x0132] = date
    assert said(encoded(PICTURE, "jpg", exif=found)).says == ()


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (47.0, 0.0, 0.0)},
        {1: "N", 2: (147.0, 0.0, 0.0), 3: "E", 4: (8.0, 0.0, 0.0)},
    ],
)
def test_a_receiver_that_found_no_place_says_none(gps: dict[int, object]) -> None:
    found = Image.Exif()
    found[0x0110] = "Phone"
    found.get_ifd(0x8825).update(gps)
    assert said(encoded(PICTURE, "jpg", exif=found)).says == ("camera",)


def test_damaged_metadata_is_as_good_as_none() -> None:
    content = encoded(PICTURE, "jpg", exif=exif().tobytes())
    start = content.index(b"Exif\0\0") + 6
    assert said(content).says == ("date", "place", "camera")
    for at in range(start, start + 120):
        said(content[:at] + b"\xff\xff\xff" + content[at + 3 :])  # must not raise
    said(content.replace(b"Canon EOS R6", b"\xff" * 12))
