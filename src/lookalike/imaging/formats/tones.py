"""Conversion of deeper images to 8 bits: 16- and 32-bit integers, and floats.

An integer file does not say which value is white. Cameras, scanners and microscopes of 10, 12 or 14 bits store their
values in 16-bit files unscaled, so white is assumed to be the largest value of the smallest depth in `DEPTHS` that fits
the image. This brightens a true 16-bit photograph that nowhere reaches a quarter of white. Measured: if its brightest
value is an eighth of white, its code is at most 4 of 64 bits from that of its dark 8-bit copy, and at most 2 bits from
that of the bright picture; 12-bit values read as 16 bits would be up to 13 bits off. A file with a colour profile, or a
PNG with a gamma, is taken literally.

Pillow keeps the high byte of 16-bit colour, by a raw mode such as `RGB;16B`. A second decoding with `RGB;16L` gives the
low byte; this works for all compressions and both byte orders.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

Array = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]

DEPTHS = (8, 10, 12, 14, 16)
FULL = 16
PHOTOMETRIC, MAX_SAMPLE_VALUE = 262, 281  # tags of TIFF
WHITE_IS_ZERO = 0
UNSIGNED, SIGNED = 1, 2  # values of the tag SampleFormat
BITS_PER_SAMPLE, PLANAR_CONFIGURATION, SAMPLE_FORMAT = 258, 284, 339
_SWAPPED = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_COLOURS = ("RGB;16", "RGBA;16", "RGBX;16", "CMYK;16")


def is_many_valued(image: Image.Image) -> bool:
    """Whether Pillow stores the pixels as 16-bit, 32-bit or floating-point values."""
    return image.mode.startswith("I") or image.mode == "F"


def states_its_range(image: Image.Image) -> bool:
    """Whether a file declares the meaning of its values."""
    return any(image.info.get(key) for key in ("icc_profile", "gamma", "srgb"))


def grey(image: Image.Image) -> Image.Image:
    """An 8-bit image ("L", or "LA" if one value means transparent) of 16-bit, 32-bit or floating-point values."""
    values = np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="))  # a 16-bit TIFF may be big-endian
    kind, size = first(tag(image, SAMPLE_FORMAT), UNSIGNED), first(sample_bits(image), 0)
    if image.mode == "I" and kind == UNSIGNED and size == 32:
        values = values.view(np.uint32)  # Pillow stores them as signed
    elif image.mode == "I" and kind == SIGNED and size == 16:
        values = values.astype(np.int16)
    bits = FULL if states_its_range(image) else _declared_bits(image, size)
    is_negative = tag(image, PHOTOMETRIC) == WHITE_IS_ZERO
    shown = Image.fromarray(to_8_bits(values, bits=bits, white_is_zero=is_negative))
    if isinstance(clear := image.info.get("transparency"), int):
        alpha = np.where(values == clear, 0, 255).astype(np.uint8)
        return Image.merge("LA", (shown, Image.fromarray(alpha)))
    return shown


def colour(high: Image.Image, read_low: Callable[[], Image.Image | None]) -> Image.Image:
    """An 8-bit image of 16-bit colour: its high bytes, shifted to include low bytes if it is dark."""
    if high.mode not in ("RGB", "RGBA"):  # ink: nothing is dark
        return high
    greatest = np.asarray(high)[..., :3].max()
    if greatest >= 1 << (DEPTHS[-2] - 8) or (low := read_low()) is None:
        return high
    values = (np.asarray(high).astype(np.uint16) << 8) | np.asarray(low)
    colours, alpha = values[..., :3], values[..., 3:]
    bits = _bits_of(int(colours.max()))
    opacity = alpha >> (max(bits, _bits_of(int(alpha.max()))) - 8) if alpha.size else alpha
    return Image.fromarray(np.concatenate([colours >> (bits - 8), opacity], axis=-1).astype(np.uint8), high.mode)


def _bits_of(greatest: int) -> int:
    """The smallest depth in `DEPTHS` that fits a value; 32 if none does.

    >>> [_bits_of(value) for value in (0, 255, 256, 4080, 4096, 65535, 65536)]
    [8, 8, 10, 12, 14, 16, 32]
    """
    return next((bits for bits in DEPTHS if greatest < 1 << bits), 32)


def to_8_bits(values: Values, *, bits: int | None = None, white_is_zero: bool = False) -> Array:
    """8-bit values of 16-bit, 32-bit or floating-point ones.

    Non-negative integers lose their low bits; `bits` is their depth, guessed if not given. Others, and integers of more
    than 16 bits, are stretched from their smallest to their largest finite value, unless they fill 32 bits.
    """
    if values.dtype.kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind in "iu" and values.min() >= 0:
        greatest = int(values.max())
        bits = bits if bits and greatest < 1 << bits else _bits_of(greatest)
        bits = min(bits, 15) if values.dtype == np.int16 else bits
        if values.dtype == np.uint32 and greatest >= 1 << 31:
            return _inverted(np.asarray(values >> 24, np.uint8), white_is_zero)
        if bits <= FULL:
            return _inverted(np.asarray(values >> (bits - 8), np.uint8), white_is_zero)
    return _inverted(_stretched(values.astype(np.float64)), white_is_zero)


def _stretched(values: Values) -> Array:
    """Values stretched from the smallest to the largest finite one; NaN becomes the smallest."""
    finite = np.isfinite(values)
    low, high = np.min(values, where=finite, initial=np.inf), np.max(values, where=finite, initial=-np.inf)
    with np.errstate(over="ignore"):
        share = (np.where(finite, values, low) - low) / (high - low) if high > low else np.zeros(values.shape)
    return np.asarray(np.round(255 * share), np.uint8)


def _inverted(values: Array, is_negative: bool) -> Array:
    return 255 - values if is_negative else values


def _declared_bits(image: Image.Image, size: int) -> int | None:
    """The bit depth that a TIFF file declares, if it is plausible."""
    if size in (10, 12, 14):
        return size
    most = first(tag(image, MAX_SAMPLE_VALUE), 0)
    return most.bit_length() if most in (1023, 4095, 16383) else None


def first(value: Any, default: int) -> int:
    """The first value of a tag, if it is an integer."""
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else default


def tag(image: Image.Image, number: int, default: Any = None) -> Any:
    """A TIFF image's tag; the default for other images."""
    return getattr(image, "tag_v2", {}).get(number, default)


def sample_bits(image: Image.Image) -> tuple[int, ...]:
    """Bits of each sample, as far as a TIFF file declares them."""
    found = tag(image, BITS_PER_SAMPLE, ())
    return tuple(found) if isinstance(found, tuple) else (found,)


def correct(image: Image.Image) -> None:
    """Work around Pillow reading uncompressed 16-bit planar colour of TIFF files as 8-bit values.

    Makes LibTIFF read it instead. Call it for each page before decoding.
    """
    if tag(image, PLANAR_CONFIGURATION) != 2 or set(sample_bits(image)) != {16} or len(image.getbands()) < 3:
        return
    if isinstance(image, ImageFile.ImageFile) and image.tile and not vars(image).get("use_load_libtiff"):
        whole = (0, 0, *vars(image)["_tile_size"])
        arguments = (f"{image.mode};16N", False, vars(image)["tag_v2"].offset)
        image.tile = [ImageFile._Tile("libtiff", whole, 0, arguments)]
        vars(image)["use_load_libtiff"] = True


def is_deep(image: Image.Image) -> bool:
    """Whether this is 16-bit colour, of which decoding gives the high bytes. Call it before decoding."""
    return not image.mode.startswith("I") and any(";16" in mode for mode in _raw_modes(image))


def take_low_bytes(image: Image.Image) -> bool:
    """Make decoding give the low bytes; False if that is impossible. Call it before decoding."""
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
