"""Camera raw files: recognised by content, and represented by their best embedded preview.

Most are TIFF files whose first directory is a small preview and whose sub-directory holds the sensor data. They are
recognised by a tag (DNG), by values that only sensor data have (a colour filter array, makers' own compressions) or by
their first bytes (CR2, CR3, ORF, RAF, RW2). Sensor data are never decoded here; the image's size is the sensor's.
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
_FRAMES = (0xC0, 0xC1, 0xC2)  # lossy JPEG frames


class _Picture(NamedTuple):
    """A preview embedded in a raw file."""

    pixels: int
    data: bytes | None  # a TIFF file of its own; None: a JPEG that begins at `offset`
    offset: int
    orientation: int | None  # applied by its decoder, if any


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw file's size and previews."""

    format: str
    width: int  # pixels of the sensor's image, as stored
    height: int
    orientation: int | None  # from the file; None: from the preview
    pictures: tuple[_Picture, ...]  # largest first


def recognise(data: bytes) -> Raw | None:
    """The contents of a raw file; None if it is not one."""
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
    """A stand-in with a raw file's metadata, because its embedded preview often lacks them."""
    if data[:4] not in directories.MAGICS:
        return image
    about = Image.new("L", (1, 1))
    about.info["exif"] = b"Exif\0\0" + (b"II*\0" if data.startswith(b"II") else b"MM\0*") + data[4:]
    return about


def main_directory(data: bytes) -> Directory | None:
    """The directory of a TIFF file's full-size picture, if its first one is a reduced version; else None."""
    found = directories.read(data)
    if not found or not found[0].number(SUBFILE) & REDUCED:
        return None
    full = [one for one in found if not one.number(SUBFILE) & REDUCED and _area(one) > _area(found[0])]
    return max(full, key=_area, default=None)


def _name(data: bytes, found: list[Directory]) -> str | None:
    """The name of a raw format; None if it is not a raw file."""
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
    """The directories with sensor data."""
    sensor = [one for one in found if _is_of_sensor(one)]
    if sensor or not found or not found[0].text(MAKE) or not found[0].number(SUBFILE) & REDUCED:
        return sensor
    return [one for one in found[1:] if _is_deep_grey(one) and _area(one) >= _area(found[0])]


def _is_of_sensor(one: Directory) -> bool:
    return one.number(PHOTOMETRIC) in SENSOR or (one.number(COMPRESSION) in MAKERS and one.number(BITS) > 8)


def _is_deep_grey(one: Directory) -> bool:
    """Whether a directory holds grey of more than 8 bits, as some cameras label their sensor data."""
    return one.number(SAMPLES, 1) == 1 and 8 < one.number(BITS) <= 16 and one.number(PHOTOMETRIC) in (0, 1)


def _parts(sensor: Iterable[Directory]) -> frozenset[int]:
    """Offsets of the parts of the sensor data, which may be JPEG streams themselves."""
    return frozenset(offset for one in sensor for tag in (STRIPS, TILES) for offset in one.numbers(tag))


def _viewable(found: list[Directory]) -> Iterator[_Picture]:
    for one in found:
        if one.number(PHOTOMETRIC) in VIEWABLE and one.number(BITS, 8) == 8 and _area(one) and not _is_of_sensor(one):
            yield _Picture(_area(one), directories.alone(one), 0, one.number(ORIENTATION) or None)


def _jpegs(data: bytes, left_out: frozenset[int]) -> Iterator[_Picture]:
    """JPEG streams in a file that are not part of the sensor data."""
    offset, tries, count = data.find(_START), 0, 0
    while offset >= 0 and tries < MAX_TRIES and count < MAX_PICTURES:
        pixels = 0 if offset in left_out else _pixels_of_jpeg(data, offset)
        if pixels:
            count += 1
            yield _Picture(pixels, None, offset, None)
        offset, tries = data.find(_START, offset + 3), tries + 1


def _pixels_of_jpeg(data: bytes, offset: int) -> int:
    """Pixels of the JPEG stream at an offset; 0 if it is not one, or of a kind that is not decoded."""
    offset += 2
    for _ in range(MAX_SEGMENTS):
        if offset + 9 > len(data) or data[offset] != 0xFF:
            return 0
        marker, length = data[offset + 1], int.from_bytes(data[offset + 2 : offset + 4], "big")
        if marker in _FRAMES and length > 7 and data[offset + 4] == 8:
            return int.from_bytes(data[offset + 5 : offset + 7], "big") * int.from_bytes(
                data[offset + 7 : offset + 9], "big"
            )
        if not 0xC0 <= marker < 0xFF or (0xC3 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or length < 2:
            return 0
        offset += 2 + length
    return 0


def _sorted(pictures: Iterable[_Picture]) -> tuple[_Picture, ...]:
    return tuple(sorted(pictures, key=lambda one: -one.pixels))


def _size(data: bytes, found: list[Directory]) -> tuple[int, int] | None:
    """Width and height of the largest picture among some directories."""
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
    """Fujifilm: the header has a JPEG's offset and that of a table with the sensor's size."""
    offset, table = int.from_bytes(data[84:88], "big"), int.from_bytes(data[92:96], "big")
    pixels = _pixels_of_jpeg(data, offset) if data[offset : offset + 3] == _START else 0
    pictures = (_Picture(pixels, None, offset, None),) if pixels else ()
    width = height = 0
    count, at = int.from_bytes(data[table : table + 4], "big"), table + 4
    for _ in range(min(count, MAX_SEGMENTS)):
        tag, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if tag in (0x100, 0x111) and length == 4 and at + 8 <= len(data):  # full size; as cropped by the camera
            height, width = (int.from_bytes(data[at + 4 + i : at + 6 + i], "big") for i in (0, 2))
        at += 4 + length
    return Raw("RAF", width, height, None, pictures)


def _cr3(data: bytes) -> Raw:
    """Canon: boxes as in a video file, with a TIFF directory in `CMT1`, and JPEG previews."""
    offset = data.find(b"CMT1", 0, 1 << 20)
    found = directories.read(data[offset + 4 : offset + 4 + (1 << 16)]) if offset >= 0 else []
    width, height = _size(data, found) or (0, 0)
    orientation = found[0].number(ORIENTATION) or None if found else None
    return Raw("CR3", width, height, orientation, _sorted(_jpegs(data, frozenset())))
