"""What Pillow does not do for Photoshop, JPEG 2000, DirectDraw and icon files.

It leaves out metadata, decodes icons before their size can be checked, and reads some textures a pixel at a time.
"""

from __future__ import annotations

import importlib.util
import io
import struct
from typing import Any, cast

from PIL import IcnsImagePlugin, IcoImagePlugin, Image, ImageFile, Jpeg2KImagePlugin, PsdImagePlugin

from lookalike.core.errors import ImageError
from lookalike.imaging.formats import boxes, jpeg_xl
from lookalike.imaging.formats.kinds import EXACT_ONLY, check_size

EXIF, XMP, VERSION = 1058, 1060, 1057  # resources of Photoshop documents
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")  # beginnings in icons
_CODESTREAM, _STYLE = b"\xff\x4f\xff\x51", b"\xff\x52"  # markers of JPEG 2000
_UUID_EXIF, _UUID_XMP = b"JpgTiffExif->JP2", bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BOXES = frozenset({b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"xml ", b"uuid", b"uinf", b"jp2i", b"free", b"rreq"})
_QUICK_QOI, _END_OF_QOI = "lookalike_qoi", b"\0\0\0\0\0\0\0\1"
_RAW_MODES: dict[tuple[int, ...], str] = {  # of textures, by bits and masks of red, green, blue
    (24, 0xFF0000, 0xFF00, 0xFF): "BGR",
    (24, 0xFF, 0xFF00, 0xFF0000): "RGB",
    (32, 0xFF0000, 0xFF00, 0xFF): "BGRX",
    (32, 0xFF, 0xFF00, 0xFF0000): "RGBX",
}


def icon(data: bytes, name: str) -> bytes | None:
    """The largest picture in an icon, if it is an image file of its own; None for other pictures and formats."""
    if name == "ICO":
        entry = IcoImagePlugin.IcoFile(io.BytesIO(data)).entry[0]
        found = data[entry.offset : entry.offset + entry.size]
        if found.startswith(_PICTURES):
            return found
        if found[:4] == b"\x28\0\0\0":  # a bitmap, with its mask below it
            width, height = struct.unpack_from("<ii", found, 4)
            check_size(width, abs(height) // 2)
    if name == "ICNS":
        file = IcnsImagePlugin.IcnsFile(io.BytesIO(data))
        for code, _ in file.SIZES[file.bestsize()]:
            start, length = file.dct.get(code, (0, 0))
            if data[start : start + length].startswith(_PICTURES):
                return data[start : start + length]
    return None


def complete(image: Image.Image, data: bytes) -> None:
    """Add what Pillow leaves out, before decoding. Raises `ImageError` for a document that holds no picture."""
    if isinstance(image, PsdImagePlugin.PsdImageFile):
        resources = {number: content for number, _, content in image.resources}
        if resources.get(VERSION, b"\0\0\0\1\1")[4:5] == b"\0":
            raise ImageError(f"a Photoshop document that was saved without a merged picture, {EXACT_ONLY}")
        _describe(image, resources.get(EXIF), resources.get(XMP))
    elif isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile) and image.codec == "jp2":
        found = list(boxes.top(data))
        uuids = {bytes(content[:16]): bytes(content[16:]) for kind, content in found if kind == b"uuid"}
        _describe(image, uuids.get(_UUID_EXIF), uuids.get(_UUID_XMP))
        colours = next((bytes(content) for kind, content in found if kind == b"jp2h"), b"")
        if (at := colours.find(b"colr\2")) >= 4:  # a profile
            image.info["icc_profile"] = colours[at + 7 : at - 4 + int.from_bytes(colours[at - 4 : at], "big")]
    elif image.format in ("DDS", "QOI") and isinstance(image, ImageFile.ImageFile):
        image.tile = [_quick(tile, image.mode) for tile in image.tile]
    if image.format == "JPEG2000":
        image.info["bit_depth"] = 1 + (data[data.find(_CODESTREAM) + 42] & 0x7F)
    elif image.format == "SGI":
        image.info["bit_depth"] = 8 * data[3]


def _describe(image: Image.Image, exif: bytes | None, xmp: bytes | None) -> None:
    if exif:
        image.info["exif"] = exif if exif.startswith(b"Exif") else b"Exif\0\0" + exif
    if xmp:
        image.info["xmp"] = xmp


def _quick(tile: ImageFile._Tile, mode: str) -> ImageFile._Tile:
    """A tile that C code decodes, where Python code would decode it pixel by pixel."""
    if tile.codec_name == "qoi" and importlib.util.find_spec("imagecodecs"):
        return tile._replace(codec_name=_QUICK_QOI)
    if tile.codec_name != "dds_rgb":
        return tile
    bits, masks = cast(tuple[int, tuple[int, ...]], tile.args)
    raw_mode = _RAW_MODES.get((bits, *masks[:3]))
    if raw_mode is None or (mode == "RGBA" and (bits != 32 or masks[3] != 0xFF000000)):
        return tile
    return tile._replace(codec_name="raw", args=raw_mode.replace("X", "A") if mode == "RGBA" else raw_mode)


class _QuickQoi(ImageFile.PyDecoder):
    """A decoder of QOI files in C."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        """Decode the whole file."""
        import imagecodecs

        assert self.fd is not None
        self.fd.seek(0)
        content = self.fd.read()
        if not content.endswith(_END_OF_QOI):  # libqoi would fill in what is missing
            raise ImageError("is cut off: its end is missing")
        self.set_as_raw(imagecodecs.qoi_decode(content).tobytes())
        return -1, 0


Image.register_decoder(_QUICK_QOI, _QuickQoi)


def reduce(image: Image.Image, data: bytes, side: int) -> None:
    """Have a JPEG 2000 file decoded at a lower resolution, of at least `side` pixels a side, if it holds one."""
    if not isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        return
    at = data.find(_STYLE, data.find(_CODESTREAM))
    levels = data[at + 9] if 0 <= at < len(data) - 9 else 0
    image.reduce = max(0, min(levels, (min(image.size) // max(side, 1)).bit_length() - 1))


def has_more(data: bytes, image: Image.Image) -> bool:
    """Whether one of these files, or of those that hold a single picture, holds more than is decoded."""
    if isinstance(image, PsdImagePlugin.PsdImageFile):
        channels = int.from_bytes(data[12:14], "big")
        return image._layers_position is not None or channels != len(image.getbands())
    if image.format == "ICO":
        return int.from_bytes(data[4:6], "little") > 1
    if image.format == "JPEG2000":
        return _is_more_than_8_bits(data, image) or _has_other_boxes(data)
    if image.format == "DDS":
        return _texture_has_more(data)
    if image.format == "JXL":
        return jpeg_xl.has_more(data, image)
    return image.format == "ICNS" or (image.format == "SGI" and data[3] == 2)


def _is_more_than_8_bits(data: bytes, image: Image.Image) -> bool:
    """Whether a JPEG 2000 file has components that are not decoded in full."""
    at = data.find(_CODESTREAM)
    (count,) = struct.unpack_from(">H", data, at + 40)
    about = data[at + 42 : at + 42 + 3 * count]
    is_known = about in (b"\7\1\1" * count, b"\x0f\1\1")
    return not is_known or (image.mode not in ("P", "PA") and count != len(image.getbands()))


def _has_other_boxes(data: bytes) -> bool:
    if data.startswith(_CODESTREAM):
        return False
    kinds = [kind for kind, _ in boxes.top(data)]
    return bool(set(kinds) - _BOXES) or kinds.count(b"jp2c") != 1


def _texture_has_more(data: bytes) -> bool:
    """Whether a DirectDraw file has smaller versions, faces or layers, or more than 8 bits a channel."""
    depth, smaller = struct.unpack_from("<II", data, 24)
    _, code, _, *masks = struct.unpack_from("<I4sI4I", data, 80)
    (faces,) = struct.unpack_from("<I", data, 112)
    is_deep = code in (b"BC5S", b"DX10") or any(mask.bit_count() > 8 for mask in masks)
    return depth > 1 or smaller > 1 or faces > 0 or is_deep
