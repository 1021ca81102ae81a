"""Metadata of image files: capture time and place, camera, and the program that wrote the file.

Reads EXIF, XMP, IPTC and the text of PNG files, wherever the format keeps them, and keeps only what helps to tell a
photograph from copies that lost it. Damaged metadata never makes a picture unreadable: it is treated as absent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from PIL import Image, ImageFile, IptcImagePlugin

MAKE, MODEL, SOFTWARE, DATE_TIME, EXIF_IFD, GPS_IFD = 0x010F, 0x0110, 0x0131, 0x0132, 0x8769, 0x8825
TAKEN, DIGITIZED, BODY, LENS = 0x9003, 0x9004, 0xA431, 0xA434
LATITUDE, LONGITUDE = (1, 2), (3, 4)  # reference and value, in the GPS directory
XMP_TAG = 0x02BC
LONGEST = 1 << 20  # bytes of XMP that are searched
SHOWN = 64  # longest name, characters

_XMP_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated", "exif:DateTimeDigitized", "xmp:CreateDate")
_DATE = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})(?:\D+(\d{1,2})\D(\d{1,2})(?:\D(\d{1,2}))?)?")
_IPTC_DATE, _IPTC_TIME, _IPTC_PROGRAM = (2, 55), (2, 60), (2, 65)
_PNG_DATES = ("Creation Time", "creation_time", "exif:DateTimeOriginal", "exif:DateTime")
_ADDED: dict[str, tuple[tuple[int, ...], str, tuple[int, int] | None]] = {  # EXIF tags, XMP property, IPTC record
    "title": ((0x9C9B,), "dc:title", (2, 5)),
    "caption": ((0x010E, 0x9C9C), "dc:description", (2, 120)),
    "keywords": ((0x9C9E,), "dc:subject", (2, 25)),
    "rating": ((0x4746,), "xmp:Rating", None),
}

Value = TypeVar("Value")
Tags = Mapping[int, Any]
Records = Mapping[tuple[int, int], Any]  # of IPTC


@dataclass(frozen=True, slots=True)
class Metadata:
    """Metadata of one file; empty or None where it has none."""

    date: str = ""  # as "2024-05-01 10:00:00"
    place: tuple[float, float] | None = None  # degrees north and east
    camera: str = ""
    software: str = ""

    @property
    def says(self) -> tuple[str, ...]:
        """The kinds of capture data that are present: of "date", "place" and "camera"."""
        known = (("date", self.date), ("place", self.place), ("camera", self.camera))
        return tuple(name for name, value in known if value)


def read(image: Image.Image) -> Metadata:
    """The metadata of an opened image. Never raises."""
    exif: Tags = _quiet(lambda: _exif(image)) or {}
    xmp = _quiet(lambda: _xmp(image)) or ""
    iptc: Records = _quiet(lambda: _iptc(image)) or {}
    text: Mapping[Any, Any] = image.info
    return Metadata(
        date=_quiet(lambda: next(filter(None, _dates(exif, xmp, iptc, text)), "")) or "",
        place=_quiet(lambda: _place(exif)) or _quiet(lambda: _xmp_place(xmp)),
        camera=_quiet(lambda: _camera(exif, xmp)) or "",
        software=_quiet(lambda: next(filter(None, _programs(exif, xmp, iptc, text)), "")) or "",
    )


def added(image: Image.Image) -> tuple[str, ...]:
    """The kinds of notes that people made in a file: of "title", "caption", "keywords" and "rating". Never raises."""
    exif: Tags = _quiet(lambda: _exif(image)) or {}
    xmp = _quiet(lambda: _xmp(image)) or ""
    iptc: Records = _quiet(lambda: _iptc(image)) or {}

    def has(kind: str) -> bool:
        tags, name, record = _ADDED[kind]
        written = [*(_text(exif.get(tag)) for tag in tags), _text(iptc.get(record)) if record else ""]
        return any(text not in ("", "0") for text in written) or (name in xmp and _xmp_value(xmp, name) != "0")

    return tuple(kind for kind in _ADDED if _quiet(partial(has, kind)))


def _quiet(read: Callable[[], Value]) -> Value | None:
    """The result of a reader; None if the metadata is damaged, because readers then raise nearly anything."""
    try:
        return read()
    except Exception:
        return None


def _exif(image: Image.Image) -> Tags:
    """Tags of the main and the EXIF directory, plus the GPS directory under its own tag."""
    found = image.getexif()
    tags: dict[int, Any] = dict(found)
    tags.update(_quiet(lambda: found.get_ifd(EXIF_IFD)) or {})
    return {**tags, GPS_IFD: _quiet(lambda: found.get_ifd(GPS_IFD)) or {}}


def _iptc(image: Image.Image) -> Records:
    return (IptcImagePlugin.getiptcinfo(image) if isinstance(image, ImageFile.ImageFile) else None) or {}


def _dates(exif: Tags, xmp: str, iptc: Records, text: Mapping[Any, Any]) -> Iterator[str]:
    for tag in (TAKEN, DIGITIZED, DATE_TIME):
        yield _date(_text(exif.get(tag)))
    for name in _XMP_DATES:
        yield _date(_xmp_value(xmp, name))
    yield _iptc_date(iptc)
    for key in _PNG_DATES:
        yield _date(_text(text.get(key)))


def _programs(exif: Tags, xmp: str, iptc: Records, text: Mapping[Any, Any]) -> Iterable[str]:
    return (
        _text(exif.get(SOFTWARE)), _xmp_value(xmp, "xmp:CreatorTool"), _text(iptc.get(_IPTC_PROGRAM)),
        _text(text.get("Software")),
    )  # fmt: skip


def _camera(exif: Tags, xmp: str) -> str:
    make = _text(exif.get(MAKE)) or _xmp_value(xmp, "tiff:Make")
    model = _text(exif.get(MODEL)) or _xmp_value(xmp, "tiff:Model")
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
    return (name or _text(exif.get(LENS)) or _text(exif.get(BODY)))[:SHOWN]


def _date(text: str) -> str:
    """A date as "2024-05-01 10:00:00"; empty if impossible, such as the zeros of a camera without a clock."""
    found = _DATE.search(text)
    if found is None:
        return ""
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return str(datetime(year, month, day, hour, minute, min(second, 59))) if 1800 <= year <= 2200 else ""
    except ValueError:
        return ""


def _iptc_date(iptc: Records) -> str:
    day, time = _text(iptc.get(_IPTC_DATE)), _text(iptc.get(_IPTC_TIME)) or "000000"
    if re.fullmatch(r"\d{8}", day) is None:
        return ""
    return _date(f"{day[:4]}-{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]}:{time[4:6]}")


def _place(exif: Tags) -> tuple[float, float] | None:
    gps = exif.get(GPS_IFD) or {}
    north, east = (_degrees(gps.get(reference), gps.get(value)) for reference, value in (LATITUDE, LONGITUDE))
    if north is None or east is None or (north == 0 and east == 0) or abs(north) > 90 or abs(east) > 180:
        return None
    return round(north, 5), round(east, 5)


def _degrees(reference: Any, values: Any) -> float | None:
    if values is None:
        return None
    parts = [float(part) for part in values]
    degrees = math.fsum(part / (1, 60, 3600)[power] for power, part in enumerate(parts[:3]))
    if not parts or not math.isfinite(degrees):
        return None
    return -degrees if _text(reference).upper() in ("S", "W") else degrees


def _xmp_place(xmp: str) -> tuple[float, float] | None:
    """Latitude and longitude from XMP: `47,22.5N`, or degrees, minutes and seconds."""
    found = []
    for name in ("exif:GPSLatitude", "exif:GPSLongitude"):
        match = re.fullmatch(r"([\d.]+)(?:,([\d.]+))?(?:,([\d.]+))?([NSEW])", _xmp_value(xmp, name))
        if match is None:
            return None
        degrees = _degrees(match[4], [float(part) for part in match.groups()[:3] if part])
        if degrees is None:
            return None
        found.append(round(degrees, 5))
    return (found[0], found[1]) if any(found) else None


def _xmp(image: Image.Image) -> str:
    """The XMP packet as text; it is searched, never parsed, so nothing in it can be expanded."""
    info = image.info
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or getattr(image, "tag_v2", {}).get(XMP_TAG) or b""
    packet = packet.encode("utf-8", "replace") if isinstance(packet, str) else bytes(packet)
    return packet[:LONGEST].decode("utf-8", "replace")


def _xmp_value(xmp: str, name: str) -> str:
    """The value of a property, written as an attribute or an element."""
    if name not in xmp:
        return ""
    found = re.search(rf"{name}\s*=\s*[\"']([^\"']{{0,200}})[\"']|<{name}>([^<]{{0,200}})<", xmp)
    return "" if found is None else (found[1] or found[2] or "").strip()


def _text(value: Any) -> str:
    """A tag's value as one line of text; the first of several values."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return " ".join(str(value).replace("\0", " ").split())[:SHOWN] if value is not None else ""
