"""What two image files share only if all of their pixels are the same, and nothing else in them differs but metadata.

Compared are size, kind of colour, bits, the number of frames or pages, pixels and duration of each, colour profile and
opacity, once the picture is upright. A palette is a way to store colours, grey may be stored as colours, and an alpha
channel that is opaque everywhere says nothing; none of these counts. Where not all of a file can be compared, its bytes
are taken in place of its pixels, so that it has the same pixels as its exact copies only: raw files, what is damaged,
what holds more than its pixels (`extras`), and what is more than may be decoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from PIL import Image

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.formats import depth, extras, tones
from lookalike.imaging.opening import Opened, errors_as_one, header, opened, upright, with_cap

Frame = list[tuple[str, Image.Image]]  # pixels, in one or two images, each with what they are

DIGEST_BYTES = 16
MAX_FRAMES = 2000  # of an animation or pages that are compared
_STILL = ("JPEG", "BMP", "PPM")
_SRGB_GAMMA, _NEAR = 1 / 2.2, 0.01


def pixel_digest(data: bytes, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """A digest, 16 bytes, that two files share only if all of their pixels are the same.

    At most `max_pixels` pixels of all frames together are compared. Raises `ImageError` if the image cannot be decoded.
    """
    return with_cap(max_pixels, lambda: _of_pixels(data, max_pixels) or _digest(data, person=b"bytes"))


def _of_pixels(data: bytes, max_pixels: int) -> bytes | None:
    """The digest of all pixels; None if they are not all that there is."""
    durations = []
    with errors_as_one():
        source = opened(data, max_pixels=max_pixels)
        if not source.is_whole:
            source.load()  # or too little is there
            return None
        if extras.has_more(data, source.image):
            return None
        parts = [repr(_colours(data, source.image)).encode()]
        for frame in _frames(source, max_pixels):
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


def _frames(source: Opened, max_pixels: int) -> Iterator[Frame | None]:
    """Each frame, decoded; None in place of what is too much, or cannot be had in full."""
    image, number, left = source.image, 0, max_pixels
    again = header(source.data) if depth.is_deep(image) else None  # where the low bytes of 16-bit colour are read
    while number < MAX_FRAMES and image.width * image.height <= left:
        left -= image.width * image.height
        yield None if extras.page_has_more(image) else _planes(image, again)
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
    depth.correct(image)
    is_deep = depth.is_deep(image)
    image.load()
    transparent = repr(image.info.get("transparency"))
    if is_deep:
        if again is None or not depth.take_low_bytes(again):
            return None
        again.load()
        return [(f"high of {image.mode} {transparent}", image), ("low", again)]
    if tones.is_many_valued(image):
        pixels = image.convert("I") if image.mode.startswith("I;16") else image  # in one order of bytes
        bits, form = max(depth.bits(image), default=16), depth.tag(image, depth.SAMPLE_FORMAT, tones.UNSIGNED)
        is_negative = depth.tag(image, tones.PHOTOMETRIC) == tones.WHITE_IS_ZERO
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
        return profile, extras.nclx(data)
    gamma, is_srgb = image.info.get("gamma"), image.info.get("srgb") is not None
    if profile or is_srgb or not isinstance(gamma, float) or abs(gamma - _SRGB_GAMMA) < _NEAR:
        gamma = None
    return profile, b"" if gamma is None else repr((gamma, image.info.get("chromaticity"))).encode()
