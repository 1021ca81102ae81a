"""What two image files share only if all of their pixels are the same, and nothing else in them differs but metadata.

Compared are size, kind of colour, bits, the number of frames or pages, pixels and duration of each, colour profile and
opacity, once the picture is upright. A palette is a way to store colours, grey may be stored as colours, and an alpha
channel that is opaque everywhere says nothing; none of these counts. Where not all of a file can be compared, its bytes
are taken in place of its pixels, so that it has the same pixels as its exact copies only: raw files, what is damaged,
what is more than may be decoded, and what holds more than its pixels: the video of a motion photo, a depth map, a gain
map, layers, a larger picture in a sub-directory. Where in doubt, there is more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from PIL import Image

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.formats import damage, kinds, tones
from lookalike.imaging.opening import Opened, errors_as_one, header, opened, upright, with_limit

Frame = list[tuple[str, Image.Image]]  # pixels, in one or two images, each with what they are

DIGEST_BYTES = 16
MAX_FRAMES = 2000  # of an animation or pages that are compared
_STILL = ("JPEG", "BMP", "PPM")
_SRGB_GAMMA, _NEAR = 1 / 2.2, 0.01

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


def pixel_digest(data: bytes, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """A digest, 16 bytes, that two files share only if all of their pixels are the same.

    At most `max_pixels` pixels of all frames together are compared. Raises `ImageError` if the image cannot be decoded.
    """
    return with_limit(max_pixels, lambda: _of_pixels(data) or _digest(data, person=b"bytes"))


def _of_pixels(data: bytes) -> bytes | None:
    """The digest of all pixels; None if they are not all that there is."""
    durations = []
    with errors_as_one():
        source = opened(data)
        if not source.is_whole:
            source.load()  # or too little is there
            return None
        if has_more(data, source.image):
            return None
        parts = [repr(_colours(data, source.image)).encode()]
        for frame in _frames(source):
            if frame is None:
                return None
            for kind, plane in frame:
                shown = upright(plane, source.orientation())
                parts += [f"{kind} {shown.width}×{shown.height}".encode(), _digest(shown.tobytes())]
            durations.append(_duration(source.image))
    if len(durations) > 1:
        parts.append(repr(durations).encode())
    return _digest(b"\n".join(parts), person=b"pixels")


def _digest(content: bytes, *, person: bytes = b"") -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES, person=person).digest()


def _frames(source: Opened) -> Iterator[Frame | None]:
    """Each frame, decoded; None in place of what is too much, or cannot be had in full."""
    image, number, left = source.image, 0, kinds.max_pixels()
    again = header(source.data) if tones.is_deep(image) else None  # where the low bytes of 16-bit colour are read
    while number < MAX_FRAMES and image.width * image.height <= left:
        left -= image.width * image.height
        yield None if _page_has_more(image) else _planes(image, again)
        number += 1
        if image.format in _STILL:
            return
        try:
            image.seek(number)
            if again is not None:
                again.seek(number)
        except EOFError:
            return
    yield None


def _planes(image: Image.Image, again: Image.Image | None) -> Frame | None:
    """The pixels of the frame that an image is at, each with what they are; None if not all bits can be had."""
    tones.correct(image)
    is_deep = tones.is_deep(image)
    image.load()
    transparent = repr(image.info.get("transparency"))
    if is_deep:
        if again is None or not tones.take_low_bytes(again):
            return None
        again.load()
        return [(f"high of {image.mode} {transparent}", image), ("low", again)]
    if tones.is_many_valued(image):
        pixels = image.convert("I") if image.mode.startswith("I;16") else image  # in one order of bytes
        bits, form = max(tones.sample_bits(image), default=16), tones.tag(image, tones.SAMPLE_FORMAT, tones.UNSIGNED)
        is_negative = tones.tag(image, tones.PHOTOMETRIC) == tones.WHITE_IS_ZERO
        return [(f"{pixels.mode} {bits} {tones.first(form, 0)} {is_negative} {transparent}", pixels)]
    pixels = _expanded(image)
    return [(pixels.mode, pixels)]


def _expanded(image: Image.Image) -> Image.Image:
    """8-bit pixels as RGB if they are of that kind, with opacity only where some of it is not full."""
    if image.mode in ("P", "PA", "L", "LA", "RGB") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB")
    return image


def _duration(image: Image.Image) -> int:
    """Of a frame, in milliseconds; 0 for pictures that stand still."""
    duration = image.info.get("duration", 0)
    return round(duration) if isinstance(duration, int | float) else 0


def _colours(data: bytes, image: Image.Image) -> tuple[object, ...]:
    """What a file says that its values mean, unless that is what is taken for granted."""
    profile = image.info.get("icc_profile") or b""
    if image.format in ("AVIF", "HEIF"):
        return profile, _nclx(data)
    gamma, is_srgb = image.info.get("gamma"), image.info.get("srgb") is not None
    if profile or is_srgb or not isinstance(gamma, float) or abs(gamma - _SRGB_GAMMA) < _NEAR:
        gamma = None
    return profile, b"" if gamma is None else repr((gamma, image.info.get("chromaticity"))).encode()


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


def _page_has_more(image: Image.Image) -> bool:
    """Whether the page of a TIFF file that is open holds more than the pixels that decoding gives."""
    if image.format != "TIFF":
        return False
    samples = tones.sample_bits(image) or (1,)
    extra = tones.tag(image, EXTRA_SAMPLES, ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    is_dropped = len(samples) > len(image.getbands()) or (len(samples) > 1 and len(set(samples)) > 1)
    has_others = any(tones.tag(image, number) is not None for number in (SUB_DIRECTORIES, LAYERS))
    return is_dropped or has_others or ASSOCIATED in extra


def _nclx(data: bytes) -> bytes:
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
