"""Content of an image file beyond the pixels that its decoder gives, in which files of equal pixels may still differ.

The video behind a motion photo, a depth map, a gain map, layers, a larger picture in a sub-directory. Metadata of the
usual kinds (EXIF with its thumbnail, XMP, comments) does not count. Where in doubt, there is more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from PIL import Image

from lookalike.imaging.formats import damage, depth

SUB_DIRECTORIES, LAYERS, EXTRA_SAMPLES = 330, 37724, 338  # tags of TIFF
ASSOCIATED = 1  # value of the tag ExtraSamples: colours were multiplied by opacity, which Pillow undoes with rounding

_IN_METADATA = (b"GDepth:", b"GImage:", b"GAudio:", b"GCamera:MicroVideo", b"hdrgm:", b"Container:Directory")
_CHUNKS = frozenset(  # of PNG: pixels, colours and metadata
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs hIST tIME tEXt zTXt iTXt eXIf acTL fcTL fdAT sPLT"
    b" oFFs pCAL sCAL sTER cICP mDCV cLLI iDOT".split()
)
_SMALL = 64  # bytes; a chunk of another kind that is larger may hold pictures
_BOXES = frozenset([b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip"])
_PICTURES = frozenset([b"av01", b"hvc1", b"hev1", b"avc1", b"jpeg", b"grid", b"iovl", b"iden", b"tmap", b"unci"])
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


def has_more(data: bytes, image: Image.Image) -> bool:
    """Whether a file holds more than the pixels and the usual metadata; the image is opened at its first frame."""
    if image.format in ("JPEG", "MPO"):
        return image.format == "MPO" or _jpeg(data)
    if image.format == "PNG":
        return _png(data)
    if image.format == "WEBP":
        return any(data[8 + int.from_bytes(data[4:8], "little") :])
    if image.format in ("AVIF", "HEIF"):
        return _boxes(data)
    return image.format == "PPM" and _is_scaled(data)


def page_has_more(image: Image.Image) -> bool:
    """Whether the page of a TIFF file that is open holds more than the pixels that decoding gives."""
    if image.format != "TIFF":
        return False
    samples = depth.bits(image) or (1,)
    extra = depth.tag(image, EXTRA_SAMPLES, ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    is_dropped = len(samples) > len(image.getbands()) or (len(samples) > 1 and len(set(samples)) > 1)
    has_others = any(depth.tag(image, number) is not None for number in (SUB_DIRECTORIES, LAYERS))
    return is_dropped or has_others or ASSOCIATED in extra


def nclx(data: bytes) -> bytes:
    """What an AVIF or HEIF file says of its colours instead of a profile; empty if that is sRGB, or nothing."""
    found = re.search(rb"nclx(.{4})", data[: 1 << 16], re.DOTALL)
    return found[1] if found and found[1] not in (b"\0\1\0\x0d", b"\0\2\0\2") else b""


def _jpeg(data: bytes) -> bool:
    end = damage.end_of_jpeg(data)
    start = damage.start_of_scan(data)
    if end is None or start is None or data[end:].strip(b"\0"):
        return True
    return any(mark in data[:start] for mark in _IN_METADATA)


def _png(data: bytes) -> bool:
    length = len(damage.PNG)
    for kind, content, _ in damage.chunks(data):
        if kind not in _CHUNKS and len(content) > _SMALL:
            return True
        length += 12 + len(content)
    return any(data[length:])


def _boxes(data: bytes) -> bool:
    """Whether an ISO base media file holds anything but one picture, or one sequence, with its opacity, in 8 bits."""
    boxes = list(_top_boxes(data))
    if not boxes or {kind for kind, _ in boxes} - _BOXES:
        return True
    about = b"".join(content for kind, content in boxes if kind in (b"meta", b"moov"))
    pictures = [kind for kind in re.findall(rb"infe(?:\x02.{7}|\x03.{9})(.{4})", about, re.DOTALL) if kind in _PICTURES]
    has_alpha = any(name in about for name in _ALPHA)
    auxiliary = about.count(b"auxC") - sum(about.count(name) for name in _ALPHA)
    if auxiliary > 0 or len(pictures) > 1 + has_alpha or not set(pictures) <= {b"av01", b"hvc1"}:
        return True
    if about.count(b"trak") > 1 + (b"auxv" in about):
        return True
    return _is_deep(about)


def _is_deep(about: bytes) -> bool:
    """Whether any picture has more than 8 bits a colour."""
    is_av1 = any(found[1][0] & 0x40 for found in re.finditer(rb"av1C..(.)", about, re.DOTALL))
    is_hevc = any(found[1][0] & 7 or found[1][1] & 7 for found in re.finditer(rb"hvcC.{17}(..)", about, re.DOTALL))
    return is_av1 or is_hevc


def _top_boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind of each box of a file, with the content of those that tell about pictures."""
    place = 0
    while place + 8 <= len(data):
        size, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        size = size or len(data) - place
        if size < 8:
            yield b"?", b""
            return
        yield kind, data[place : place + size] if kind in (b"meta", b"moov") else b""
        place += size
    if any(data[place:]):
        yield b"?", b""


def _is_scaled(data: bytes) -> bool:
    """Whether a PPM file has values that Pillow scales, or more of them than are read."""
    header = re.match(rb"P[1-7](?:\s+(?:#[^\n]*\n)?)+(\d+)\s+(\d+)\s+(\d+)\s", data[:4096])
    if header is None:
        return not data.startswith((b"P1", b"P4"))
    return int(header[3]) not in (255, 65535) or (data.startswith((b"P3", b"P6")) and int(header[3]) != 255)
