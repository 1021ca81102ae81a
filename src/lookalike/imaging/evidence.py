"""Evidence of an image's origin in its file: metadata, codec, damage and measures on its pixels.

It is read once from a file; `comparison` compares the evidence of two files. Shapes: H, W pixels.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging import decode, detail, metadata
from lookalike.imaging.formats import damage, raw, tones
from lookalike.imaging.formats.kinds import STILL, is_raw
from lookalike.imaging.formats.profiles import flatten, is_converted
from lookalike.imaging.metadata import Metadata
from lookalike.imaging.opening import Opened, errors_as_one, opened, with_limit

Array = npt.NDArray[np.uint8]

ARRAYS = ("picture", "sample", "plane")
SIDE = 128  # pixels of the thumbnail's longer side
JPEG = frozenset({"JPEG", "MPO"})
LOSSLESS = frozenset({  # unless a TIFF says otherwise
    "PNG", "BMP", "TIFF", "PPM", "GIF", "PSD", "QOI", "ICO", "ICNS", "SGI", "PCX", "TGA",
})  # fmt: skip
LOSSY_IN_TIFF = frozenset({"jpeg", "tiff_jpeg", "webp"})
FEW_COLOURS = 128  # a photograph with more colours than this in its palette was reduced to them


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What one encoded image reveals about its origin."""

    width: int  # pixels, upright
    height: int
    format: str
    metadata: Metadata
    extras: tuple[str, ...]  # in words: transparency, a colour profile, and what people wrote into it
    damage: str  # in words; empty if none is known
    depth: int  # bits a channel
    frames: int
    lossless: bool
    reduced_to_palette: bool
    table: tuple[int, ...]  # of a JPEG's luminance, row by row; else empty
    has_blocks: bool  # shows JPEG blocks, though it is not a JPEG
    bands: tuple[float, ...]  # detail by band, finest first
    colourfulness: float  # shades
    picture: Array  # (H, W, 3): thumbnail, upright, composed on white
    sample: Array  # (H, W): brightness of the centre as a re-encoder sees it, not rotated upright
    plane: Array | None  # (H, W): the same part as stored in a JPEG

    def without_samples(self) -> Evidence:
        """A copy of a tenth of the size, without the samples that show which image was encoded from which."""
        nothing = np.empty((0, 0), np.uint8)
        return replace(self, sample=nothing, plane=None)


def pack(evidence: Evidence) -> tuple[dict[str, Any], bytes]:
    """Evidence as a JSON-compatible dictionary and the bytes of its arrays."""
    arrays = {name: getattr(evidence, name) for name in ARRAYS if getattr(evidence, name) is not None}
    about = {field.name: getattr(evidence, field.name) for field in fields(evidence) if field.name not in ARRAYS}
    shapes = {name: array.shape for name, array in arrays.items()}
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    return {**about, "metadata": asdict(evidence.metadata), "shapes": shapes}, content


def unpack(about: Mapping[str, Any], content: bytes) -> Evidence:
    """The inverse of `pack`; ignores other keys of `about`."""
    values = {field.name: about[field.name] for field in fields(Evidence) if field.name not in ARRAYS}
    saved = about["metadata"]
    place = saved["place"] and (float(saved["place"][0]), float(saved["place"][1]))
    values |= {"metadata": Metadata(**{**saved, "place": place})}
    values |= {name: tuple(values[name]) for name in ("table", "bands", "extras")}
    start = 0
    for name in ARRAYS:
        shape = about["shapes"].get(name)
        end = start + math.prod(shape or (0,))
        values[name] = None if shape is None else np.frombuffer(content[start:end], np.uint8).reshape(shape)
        start = end
    return Evidence(**values)


def inspect(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Evidence:
    """The evidence in an encoded image. Raises `ImageError` if it cannot be decoded."""
    return with_limit(max_pixels, lambda: _inspect(data, max_pixels))


def taken(data: bytes, *, max_pixels: int = MAX_PIXELS) -> str:
    """The date in an image's metadata, as "2024-05-01 10:00:00"; "" if there is none. Raises `ImageError`."""

    def read() -> str:
        with errors_as_one():
            return _metadata(opened(data), data).date

    return with_limit(max_pixels, read)


def _metadata(source: Opened, data: bytes) -> Metadata:
    return metadata.read(_described(source, data))


def _described(source: Opened, data: bytes) -> Image.Image:
    """The image whose metadata are those of the file."""
    return raw.described(data, source.image) if is_raw(source.format) else source.image


def _inspect(data: bytes, max_pixels: int) -> Evidence:
    small = np.asarray(decode.thumbnail(data, SIDE, max_pixels=max_pixels))
    with errors_as_one():
        source = opened(data)
        return _of(source, data, small, source.load())


def _of(source: Opened, data: bytes, small: Array, pixels: Image.Image) -> Evidence:
    image, cut_off = source.image, source.damage
    is_lossless = _is_lossless(image, data)
    flat = flatten(pixels, image, "RGB")  # not rotated upright
    box = detail.sample_box(*flat.size)
    width, height = source.width, source.height
    has_blocks = is_lossless and detail.has_jpeg_blocks(flat)
    is_turned = source.orientation() >= 5
    return Evidence(
        width=height if is_turned else width,
        height=width if is_turned else height,
        format=source.format,
        metadata=_metadata(source, data),
        extras=(*_beyond_colours(pixels, image), *metadata.added(_described(source, data))),
        damage=cut_off or "; ".join(damage.find(data)),
        depth=8 if has_blocks else _depth(image, data),
        frames=_frames(image),
        lossless=is_lossless,
        reduced_to_palette=image.mode == "P" and len(image.getcolors(256) or ()) > FEW_COLOURS,
        table=_table(image),
        has_blocks=has_blocks,
        bands=detail.bands(flat),
        colourfulness=detail.colourfulness(small),
        picture=small,
        sample=np.asarray(flat.crop(box).convert("L")),
        plane=_plane(data, box) if source.format in JPEG and not cut_off else None,
    )


def _beyond_colours(pixels: Image.Image, image: Image.Image) -> tuple[str, ...]:
    """What an image has beyond colours of sRGB: of "transparency" and "colour profile"."""
    alpha = pixels.convert("RGBA").getchannel("A") if pixels.has_transparency_data else None
    is_clear = alpha is not None and np.asarray(alpha).min() < 255
    return ("transparency",) * bool(is_clear) + ("colour profile",) * is_converted(image)


def _plane(data: bytes, box: tuple[int, int, int, int]) -> Array | None:
    """The stored brightness of a part of a JPEG; it differs slightly from the brightness of its decoded colours."""
    image = Image.open(io.BytesIO(data), formats=("JPEG", "MPO"))
    if image.mode not in ("L", "RGB"):
        return None
    image.draft("L", image.size)
    return np.asarray(image.crop(box)) if image.mode == "L" else None


def _table(image: Image.Image) -> tuple[int, ...]:
    tables: dict[int, Any] = getattr(image, "quantization", None) or {}
    return tuple(tables.get(0, ()))


def _is_lossless(image: Image.Image, data: bytes) -> bool:
    if image.format == "WEBP":
        chunk = data.find(b"VP8L", 12)
        return chunk >= 0 and not 0 <= data.find(b"VP8 ", 12) < chunk
    return image.format in LOSSLESS and image.info.get("compression") not in LOSSY_IN_TIFF


def _depth(image: Image.Image, data: bytes) -> int:
    """Bits a channel as stored; Pillow decodes some deep images to 8 bits."""
    if image.format == "PNG":
        return 16 if data[24:25] == b"\x10" else 8
    most = max(tones.sample_bits(image) or (int(image.info.get("bit_depth") or 8),))
    return max(most, 16) if image.mode.startswith(("I", "F")) else max(most, 8)


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1)) if image.format not in STILL else 1
    except Exception:  # a damaged later frame does not make the first unreadable
        return 1
