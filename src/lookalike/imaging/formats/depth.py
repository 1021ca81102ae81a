"""The low bytes of 16-bit colour, which Pillow drops: read by a second decoding, in the other order of bytes.

Pillow keeps 8 bits of each colour. It takes the high byte of a 16-bit value by a raw mode such as `RGB;16B`; asked for
`RGB;16L`, it takes the low byte of the same value. All compressions and both byte orders are read this way.
"""

from __future__ import annotations

import sys
from typing import Any

from PIL import Image, ImageFile

BITS_PER_SAMPLE, PLANAR_CONFIGURATION, SAMPLE_FORMAT = 258, 284, 339
_SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_COLOURS = ("RGB;16", "RGBA;16", "RGBX;16", "CMYK;16")


def tag(image: Image.Image, number: int, default: Any = None) -> Any:
    """The value of a tag of a TIFF image; the default for other images."""
    return getattr(image, "tag_v2", {}).get(number, default)


def bits(image: Image.Image) -> tuple[int, ...]:
    """Bits of each sample as a TIFF file says, as far as it does."""
    found = tag(image, BITS_PER_SAMPLE, ())
    return tuple(found) if isinstance(found, tuple) else (found,)


def correct(image: Image.Image) -> None:
    """Mend how Pillow reads uncompressed 16-bit colour in planes of a TIFF file, which it takes for 8-bit values.

    LibTIFF does it right. To be called for each page, before it is decoded.
    """
    if tag(image, PLANAR_CONFIGURATION) != 2 or set(bits(image)) != {16} or len(image.getbands()) < 3:
        return
    if isinstance(image, ImageFile.ImageFile) and image.tile and not vars(image).get("use_load_libtiff"):
        whole = (0, 0, *vars(image)["_tile_size"])
        arguments = (f"{image.mode};16N", False, vars(image)["tag_v2"].offset)
        image.tile = [ImageFile._Tile("libtiff", whole, 0, arguments)]
        vars(image)["use_load_libtiff"] = True


def is_deep(image: Image.Image) -> bool:
    """Whether this is 16-bit colour, of which decoding gives the high bytes. To be asked before it is decoded."""
    return not image.mode.startswith("I") and any(";16" in mode for mode in _raw_modes(image))


def take_low_bytes(image: Image.Image) -> bool:
    """Let decoding give the low bytes; whether that is possible. To be asked before it is decoded."""
    modes = _raw_modes(image)
    if not modes or not all(mode[:-1] in _COLOURS for mode in modes) or tag(image, PLANAR_CONFIGURATION) == 2:
        return False
    assert isinstance(image, ImageFile.ImageFile)
    image.tile = [_swapped(tile) for tile in image.tile]
    return True


def _raw_modes(image: Image.Image) -> set[str]:
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    return {str(tile.args[0] if isinstance(tile.args, tuple) else tile.args) for tile in tiles if tile.args}


def _swapped(tile: Any) -> Any:
    mode, *others = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    mode = mode[:-1] + _SWAPPED[mode[-1]]
    return tile._replace(args=(mode, *others) if isinstance(tile.args, tuple) else mode)
