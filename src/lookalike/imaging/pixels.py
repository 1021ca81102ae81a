"""Pixel digests: two image files share one only if all their pixels are the same and only metadata differs.

Compared are size, kind of colour, bit depth, number of frames or pages, each frame's pixels and duration, colour
profile and opacity, after rotating upright. Storage does not matter: palettes are expanded, grey may be stored as RGB,
and a fully opaque alpha channel is ignored. A file that cannot be compared in full gets a digest of its bytes, so that
only its exact copies share it: raw files, damaged files, files over the pixel limit, and files that hold more than one
picture: the video of a motion photo, a depth map, a gain map, layers, a larger picture in a sub-directory. In doubt, a
file is assumed to hold more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from PIL import Image

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.formats import boxes, containers, damage, kinds, tones
from lookalike.imaging.opening import Opened, errors_as_one, header, opened, upright, with_limit

Frame = list[tuple[str, Image.Image]]  # pixels, in one or two images, each with a label

DIGEST_BYTES = 16
MAX_FRAMES = 2000  # compared in an animation or a document
_SRGB_GAMMA, _TOLERANCE = 1 / 2.2, 0.01

SUB_DIRECTORIES, LAYERS, EXTRA_SAMPLES = 330, 37724, 338  # tags of TIFF
ASSOCIATED = 1  # value of ExtraSamples: colours are premultiplied by opacity; Pillow undoes that with rounding

_IN_METADATA = (b"GDepth:", b"GImage:", b"GAudio:", b"GCamera:MicroVideo", b"hdrgm:", b"Container:Directory")
_CHUNKS = frozenset(  # of PNG: pixels, colours and metadata
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD pHYs hIST tIME tEXt zTXt iTXt eXIf acTL fcTL fdAT sPLT"
    b" oFFs pCAL sCAL sTER cICP mDCV cLLI iDOT".split()
)
_SMALL = 64  # bytes; a larger chunk of an unknown kind may hold pictures
_BOXES = frozenset([b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip"])
_PICTURES = frozenset([b"av01", b"hvc1", b"hev1", b"avc1", b"jpeg", b"grid", b"iovl", b"iden", b"tmap", b"unci"])
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")


def pixel_digest(data: bytes, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """A digest (16 bytes) that two files share only if all their pixels are the same.

    Compares at most `max_pixels` pixels over all frames. Raises `ImageError` if the image cannot be decoded.
    """
    return with_limit(max_pixels, lambda: _of_pixels(data) or _digest(data, person=b"bytes"))


def _of_pixels(data: bytes) -> bytes | None:
    """Digest of all pixels; None if the file holds more than those."""
    durations = []
    with errors_as_one():
        source = opened(data)
        if not source.is_whole:
            source.load()  # raises if too many rows are missing
            return None
        if _has_more(data, source.image):
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
    """Each decoded frame; None for one that is over the limit or cannot be decoded in full."""
    image, number, left = source.image, 0, kinds.max_pixels()
    again = header(source.data) if tones.is_deep(image) else None  # source of the low bytes of 16-bit colour
    while number < MAX_FRAMES and image.width * image.height <= left:
        left -= image.width * image.height
        yield None if _page_has_more(image) else _planes(image, again)
        number += 1
        if image.format in kinds.STILL:
            return
        try:
            image.seek(number)
            if again is not None:
                again.seek(number)
        except EOFError:
            return
    yield None


def _planes(image: Image.Image, again: Image.Image | None) -> Frame | None:
    """The labelled pixels of the current frame; None if not all bits can be decoded."""
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
        pixels = image.convert("I") if image.mode.startswith("I;16") else image  # in one byte order
        bits, form = max(tones.sample_bits(image), default=16), tones.tag(image, tones.SAMPLE_FORMAT, tones.UNSIGNED)
        is_negative = tones.tag(image, tones.PHOTOMETRIC) == tones.WHITE_IS_ZERO
        return [(f"{pixels.mode} {bits} {tones.first(form, 0)} {is_negative} {transparent}", pixels)]
    pixels = _expanded(image)
    return [(pixels.mode, pixels)]


def _expanded(image: Image.Image) -> Image.Image:
    """8-bit pixels as RGB where possible, with an alpha channel only if some pixel is not opaque."""
    if image.mode in ("P", "PA", "L", "LA", "RGB") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB")
    return image


def _duration(image: Image.Image) -> int:
    """A frame's duration in milliseconds; 0 for still pictures."""
    duration = image.info.get("duration", 0)
    return round(duration) if isinstance(duration, int | float) else 0


def _colours(data: bytes, image: Image.Image) -> tuple[object, ...]:
    """How a file says its values are to be interpreted; empty for the default."""
    profile = image.info.get("icc_profile") or b""
    if image.format in ("AVIF", "HEIF"):
        return profile, _nclx(data)
    gamma, is_srgb = image.info.get("gamma"), image.info.get("srgb") is not None
    if profile or is_srgb or not isinstance(gamma, float) or abs(gamma - _SRGB_GAMMA) < _TOLERANCE:
        gamma = None
    return profile, b"" if gamma is None else repr((gamma, image.info.get("chromaticity"))).encode()


def _has_more(data: bytes, image: Image.Image) -> bool:
    """Whether a file holds more than pixels and the usual metadata; the image is at its first frame."""
    if image.format in ("JPEG", "MPO"):
        return image.format == "MPO" or _jpeg(data)
    if image.format == "PNG":
        return _png(data)
    if image.format == "WEBP":
        return any(data[8 + int.from_bytes(data[4:8], "little") :])
    if image.format in ("AVIF", "HEIF"):
        return _boxes(data)
    return _is_scaled(data) if image.format == "PPM" else containers.has_more(data, image)


def _page_has_more(image: Image.Image) -> bool:
    """Whether the current page of a TIFF file holds more than the pixels that are decoded."""
    if image.format != "TIFF":
        return False
    samples = tones.sample_bits(image) or (1,)
    extra = tones.tag(image, EXTRA_SAMPLES, ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    is_dropped = len(samples) > len(image.getbands()) or (len(samples) > 1 and len(set(samples)) > 1)
    has_others = any(tones.tag(image, number) is not None for number in (SUB_DIRECTORIES, LAYERS))
    return is_dropped or has_others or ASSOCIATED in extra


def _nclx(data: bytes) -> bytes:
    """The nclx colour description of an AVIF or HEIF file; empty if it is sRGB or absent."""
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
    """Whether an ISO base media file holds more than one 8-bit picture or sequence with its opacity."""
    found = list(boxes.top(data))
    if not found or {kind for kind, _ in found} - _BOXES:
        return True
    about = b"".join(content for kind, content in found if kind in (b"meta", b"moov"))
    pictures = [kind for kind in re.findall(rb"infe(?:\x02.{7}|\x03.{9})(.{4})", about, re.DOTALL) if kind in _PICTURES]
    has_alpha = any(name in about for name in _ALPHA)
    auxiliary = about.count(b"auxC") - sum(about.count(name) for name in _ALPHA)
    if auxiliary > 0 or len(pictures) > 1 + has_alpha or not set(pictures) <= {b"av01", b"hvc1"}:
        return True
    if about.count(b"trak") > 1 + (b"auxv" in about):
        return True
    return _is_deep(about)


def _is_deep(about: bytes) -> bool:
    """Whether any picture has more than 8 bits a channel."""
    is_av1 = any(found[1][0] & 0x40 for found in re.finditer(rb"av1C..(.)", about, re.DOTALL))
    is_hevc = any(found[1][0] & 7 or found[1][1] & 7 for found in re.finditer(rb"hvcC.{17}(..)", about, re.DOTALL))
    return is_av1 or is_hevc


def _is_scaled(data: bytes) -> bool:
    """Whether a PPM file has values that Pillow rescales, or more values than it reads."""
    header = re.match(rb"P[1-7](?:\s+(?:#[^\n]*\n)?)+(\d+)\s+(\d+)\s+(\d+)\s", data[:4096])
    if header is None:
        return not data.startswith((b"P1", b"P4"))
    return int(header[3]) not in (255, 65535) or (data.startswith((b"P3", b"P6")) and int(header[3]) != 255)
