"""Raw files of cameras: recognised by their content, and seen by the best picture that is embedded in them.

Most are TIFF files whose first directory is a small preview, with the sensor's data in a sub-directory. Recognised they
are by a tag (DNG), by values that only a sensor has (a colour filter array, the makers' own compressions) or by their
first bytes (CR2, CR3, ORF, RAF, RW2). What the sensor saw is never decoded here; its size is the image's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from lookalike.imaging.formats import directories
from lookalike.imaging.formats.directories import Directory

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
SUBFILE, MAKE, ORIENTATION, SAMPLES, STRIPS, TILES = 254, 271, 274, 277, 273, 324
DNG_VERSION, CROP_SIZE = 50706, 50720
SENSOR = frozenset({32803, 34892})  # values of PhotometricInterpretation: a colour filter array, linear raw
MAKERS = frozenset({32767, 32769, 32770, 32867, 34713, 65000, 65535})  # values of Compression: Sony, Nikon, Samsung …
VIEWABLE = frozenset({2, 6})  # values of PhotometricInterpretation: RGB, YCbCr
REDUCED = 1  # bit of NewSubfileType: a smaller version of another image in the file
RW2_EDGES = (4, 5, 6, 7)  # tags of RW2: the sensor's first row and column, its last ones
BY_MAKER = {
    "nikon": "NEF", "sony": "ARW", "pentax": "PEF", "ricoh": "PEF", "samsung": "SRW", "phase one": "IIQ", "leaf": "MOS",
    "hasselblad": "3FR", "seiko epson": "ERF", "mamiya": "MEF", "eastman kodak": "DCR", "kodak": "DCR", "canon": "CR2",
    "olympus": "ORF", "om digital": "ORF", "panasonic": "RW2", "leica": "RW2",
}  # fmt: skip
MAX_PICTURES, MAX_TRIES, MAX_SEGMENTS = 64, 20_000, 64
_START = b"\xff\xd8\xff"
_FRAMES = (0xC0, 0xC1, 0xC2)  # JPEG that is not lossless


class Picture(NamedTuple):
    """A picture embedded in a raw file."""

    pixels: int
    data: bytes | None  # of a TIFF file with it alone; None: a JPEG that begins at `offset`
    offset: int
    orientation: int | None  # that its decoder applies, if any


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw file."""

    format: str
    width: int  # pixels of the sensor's image, as stored
    height: int
    orientation: int | None  # as the file says; None: the embedded picture tells
    pictures: tuple[Picture, ...]  # the largest first


def recognise(data: bytes) -> Raw | None:
    """What a raw file holds; None for what is none."""
    if data.startswith(b"FUJIFILMCCD-RAW"):
        return _raf(data)
    if data[4:12] == b"ftypcrx ":
        return _cr3(data)
    found = directories.read(data)
    name = _name(data, found)
    if name is None:
        return None
    sensor = _of_sensor(found)
    pictures = _sorted([*_jpegs(data, _parts(sensor)), *_viewable(found)])
    width, height = _size(data, sensor) or _size(data, found) or (0, 0)
    return Raw(name, width, height, found[0].number(ORIENTATION) or None, pictures)


def described(data: bytes, image: Image.Image) -> Image.Image:
    """An image with the metadata of a raw file, which the picture embedded in it often lacks."""
    if data[:4] not in directories.MAGICS:
        return image
    about = Image.new("L", (1, 1))
    about.info["exif"] = b"Exif\0\0" + (b"II*\0" if data.startswith(b"II") else b"MM\0*") + data[4:]
    return about


def main_directory(data: bytes) -> Directory | None:
    """The directory of the full picture of a TIFF file whose first one is only a smaller version; else None."""
    found = directories.read(data)
    if not found or not found[0].number(SUBFILE) & REDUCED:
        return None
    full = [one for one in found if not one.number(SUBFILE) & REDUCED and _area(one) > _area(found[0])]
    return max(full, key=_area, default=None)


def _name(data: bytes, found: list[Directory]) -> str | None:
    """The name of a raw format; None if this is none."""
    if not found:
        return None
    if data.startswith((b"IIRO", b"IIRS", b"MMOR")):
        return "ORF"
    if data.startswith(b"IIU\0"):
        return "RW2"
    if data[8:10] == b"CR" and data[10:11] == b"\2":
        return "CR2"
    if found[0].numbers(DNG_VERSION):
        return "DNG"
    if data[8:12] in (b"IIII", b"MMMM"):
        return "IIQ"
    if not _of_sensor(found):
        return None
    maker = next((text for one in found if (text := one.text(MAKE).lower())), "")
    return next((name for start, name in BY_MAKER.items() if maker.startswith(start)), "RAW")


def _of_sensor(found: list[Directory]) -> list[Directory]:
    """The directories that hold a sensor's data."""
    sensor = [one for one in found if _is_of_sensor(one)]
    if sensor or not found or not found[0].text(MAKE) or not found[0].number(SUBFILE) & REDUCED:
        return sensor
    return [one for one in found[1:] if _is_deep_grey(one) and _area(one) >= _area(found[0])]


def _is_of_sensor(one: Directory) -> bool:
    return one.number(PHOTOMETRIC) in SENSOR or (one.number(COMPRESSION) in MAKERS and one.number(BITS) > 8)


def _is_deep_grey(one: Directory) -> bool:
    """Whether a directory holds grey of more than 8 bits, which is what some cameras call their sensor's data."""
    return one.number(SAMPLES, 1) == 1 and 8 < one.number(BITS) <= 16 and one.number(PHOTOMETRIC) in (0, 1)


def _parts(sensor: Iterable[Directory]) -> frozenset[int]:
    """Where the parts of a sensor's data begin, which may be JPEG streams themselves."""
    return frozenset(place for one in sensor for tag in (STRIPS, TILES) for place in one.numbers(tag))


def _viewable(found: list[Directory]) -> Iterator[Picture]:
    for one in found:
        if one.number(PHOTOMETRIC) in VIEWABLE and one.number(BITS, 8) == 8 and _area(one) and not _is_of_sensor(one):
            yield Picture(_area(one), directories.alone(one), 0, one.number(ORIENTATION) or None)


def _jpegs(data: bytes, left_out: frozenset[int]) -> Iterator[Picture]:
    """The JPEG streams in a file that are no part of a sensor's data."""
    place, tries, count = data.find(_START), 0, 0
    while place >= 0 and tries < MAX_TRIES and count < MAX_PICTURES:
        pixels = 0 if place in left_out else _pixels_of_jpeg(data, place)
        if pixels:
            count += 1
            yield Picture(pixels, None, place, None)
        place, tries = data.find(_START, place + 3), tries + 1


def _pixels_of_jpeg(data: bytes, place: int) -> int:
    """Pixels of the JPEG stream that begins here; 0 if it is none, or one that is not decoded here."""
    place += 2
    for _ in range(MAX_SEGMENTS):
        if place + 9 > len(data) or data[place] != 0xFF:
            return 0
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in _FRAMES and length > 7 and data[place + 4] == 8:
            return int.from_bytes(data[place + 5 : place + 7], "big") * int.from_bytes(
                data[place + 7 : place + 9], "big"
            )
        if not 0xC0 <= marker < 0xFF or (0xC3 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or length < 2:
            return 0
        place += 2 + length
    return 0


def _sorted(pictures: Iterable[Picture]) -> tuple[Picture, ...]:
    return tuple(sorted(pictures, key=lambda one: -one.pixels))


def _size(data: bytes, found: list[Directory]) -> tuple[int, int] | None:
    """Width and height of the largest picture of some directories."""
    sizes = [size for one in found if (size := _own_size(data, one))]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _own_size(data: bytes, one: Directory) -> tuple[int, int] | None:
    crop = [one.fraction(CROP_SIZE, index) for index in (0, 1)]
    if crop[0] and crop[1]:
        return round(crop[0]), round(crop[1])
    top, left, bottom, right = (one.number(tag) for tag in RW2_EDGES)
    if data.startswith(b"IIU\0") and right > left and bottom > top:
        return right - left, bottom - top
    return (one.number(WIDTH), one.number(HEIGHT)) if _area(one) else None


def _area(one: Directory) -> int:
    return one.number(WIDTH) * one.number(HEIGHT)


def _raf(data: bytes) -> Raw:
    """Fujifilm: a JPEG whose place the header tells, and a table with the sensor's size."""
    place, table = int.from_bytes(data[84:88], "big"), int.from_bytes(data[92:96], "big")
    pixels = _pixels_of_jpeg(data, place) if data[place : place + 3] == _START else 0
    pictures = (Picture(pixels, None, place, None),) if pixels else ()
    width = height = 0
    count, at = int.from_bytes(data[table : table + 4], "big"), table + 4
    for _ in range(min(count, MAX_SEGMENTS)):
        tag, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if tag in (0x100, 0x111) and length == 4 and at + 8 <= len(data):  # in full; as the camera crops it
            height, width = (int.from_bytes(data[at + 4 + i : at + 6 + i], "big") for i in (0, 2))
        at += 4 + length
    return Raw("RAF", width, height, None, pictures)


def _cr3(data: bytes) -> Raw:
    """Canon: boxes as of a video, with a TIFF directory in `CMT1`, and JPEG pictures."""
    place = data.find(b"CMT1", 0, 1 << 20)
    found = directories.read(data[place + 4 : place + 4 + (1 << 16)]) if place >= 0 else []
    width, height = _size(data, found) or (0, 0)
    orientation = found[0].number(ORIENTATION) or None if found else None
    return Raw("CR3", width, height, orientation, _sorted(_jpegs(data, frozenset())))
