"""8-bit values of images that hold more: 16-bit and 32-bit whole numbers, and floating ones.

What white is, a file of whole numbers does not say. Cameras, scanners and microscopes of 10, 12 or 14 bits write their
values into 16-bit files as they are, so white is taken to be the greatest value of the fewest bits, of `DEPTHS`, that
hold all values of the image. A true 16-bit photograph so dark that it nowhere reaches a quarter of white is brightened
by this, to a quarter of white or more. Measured, its code is then at most 4 of 64 bits from that of its dark 8-bit copy
where the brightest value is an eighth of white, and at most 2 bits from that of the bright picture; 12-bit values read
as 16 bits are up to 13 bits off. A file with a colour profile, or a PNG that states its gamma, is taken at its word.

Of 16-bit colour, Pillow keeps the high byte of each value, by a raw mode such as `RGB;16B`. Asked for `RGB;16L` in a
second decoding, it gives the low byte. All compressions and both byte orders are read this way.
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
    """Whether Pillow holds the pixels as 16-bit, 32-bit or floating values."""
    return image.mode.startswith("I") or image.mode == "F"


def states_its_range(image: Image.Image) -> bool:
    """Whether a file says what its values mean, so that none must be guessed."""
    return any(image.info.get(key) for key in ("icc_profile", "gamma", "srgb"))


def grey(image: Image.Image) -> Image.Image:
    """An image of 8 bits ("L", or "LA" if one of its values means transparent) of one of 16, 32 or floating ones."""
    values = np.asarray(image)
    values = values.astype(values.dtype.newbyteorder("="))  # a 16-bit TIFF may be big-endian
    kind, size = first(tag(image, SAMPLE_FORMAT), UNSIGNED), first(sample_bits(image), 0)
    if image.mode == "I" and kind == UNSIGNED and size == 32:
        values = values.view(np.uint32)  # which Pillow holds as signed
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
    """An image of 8 bits of 16-bit colour: of its high bytes, and of its low bytes if it is dark."""
    if high.mode not in ("RGB", "RGBA"):  # of ink, nothing is dark
        return high
    greatest = np.asarray(high)[..., :3].max()
    if greatest >= 1 << (DEPTHS[-2] - 8) or (low := read_low()) is None:
        return high
    values = (np.asarray(high).astype(np.uint16) << 8) | np.asarray(low)
    colours, alpha = values[..., :3], values[..., 3:]
    bits = bits_of(int(colours.max()))
    opacity = alpha >> (max(bits, bits_of(int(alpha.max()))) - 8) if alpha.size else alpha
    return Image.fromarray(np.concatenate([colours >> (bits - 8), opacity], axis=-1).astype(np.uint8), high.mode)


def bits_of(greatest: int) -> int:
    """The fewest bits, of `DEPTHS`, that hold values up to this one; 32 if none does.

    >>> [bits_of(value) for value in (0, 255, 256, 4080, 4096, 65535, 65536)]
    [8, 8, 10, 12, 14, 16, 32]
    """
    return next((bits for bits in DEPTHS if greatest < 1 << bits), 32)


def to_8_bits(values: Values, *, bits: int | None = None, white_is_zero: bool = False) -> Array:
    """8-bit values of 16-bit, 32-bit or floating ones.

    Whole numbers from 0 up lose their low bits; `bits` is how many a value has, and guessed if not given. Others, and
    those of more than 16 bits, are stretched from their least to their greatest finite value, unless they fill 32 bits.
    """
    if values.dtype.kind == "b":
        values = values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind in "iu" and values.min() >= 0:
        greatest = int(values.max())
        bits = bits if bits and greatest < 1 << bits else bits_of(greatest)
        bits = min(bits, 15) if values.dtype == np.int16 else bits
        if values.dtype == np.uint32 and greatest >= 1 << 31:
            return _inverted(np.asarray(values >> 24, np.uint8), white_is_zero)
        if bits <= FULL:
            return _inverted(np.asarray(values >> (bits - 8), np.uint8), white_is_zero)
    return _inverted(_stretched(values.astype(np.float64)), white_is_zero)


def _stretched(values: Values) -> Array:
    """From the least to the greatest finite value; what is no number becomes the least."""
    finite = np.isfinite(values)
    low, high = np.min(values, where=finite, initial=np.inf), np.max(values, where=finite, initial=-np.inf)
    with np.errstate(over="ignore"):
        share = (np.where(finite, values, low) - low) / (high - low) if high > low else np.zeros(values.shape)
    return np.asarray(np.round(255 * share), np.uint8)


def _inverted(values: Array, is_negative: bool) -> Array:
    return 255 - values if is_negative else values


def _declared_bits(image: Image.Image, size: int) -> int | None:
    """How many bits a TIFF file says that its values have, if that is worth believing."""
    if size in (10, 12, 14):
        return size
    most = first(tag(image, MAX_SAMPLE_VALUE), 0)
    return most.bit_length() if most in (1023, 4095, 16383) else None


def first(value: Any, default: int) -> int:
    """The first value of a tag, if it is a whole number."""
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else default


def tag(image: Image.Image, number: int, default: Any = None) -> Any:
    """The value of a tag of a TIFF image; the default for other images."""
    return getattr(image, "tag_v2", {}).get(number, default)


def sample_bits(image: Image.Image) -> tuple[int, ...]:
    """Bits of each sample as a TIFF file says, as far as it does."""
    found = tag(image, BITS_PER_SAMPLE, ())
    return tuple(found) if isinstance(found, tuple) else (found,)


def correct(image: Image.Image) -> None:
    """Mend how Pillow reads uncompressed 16-bit colour in planes of a TIFF file, which it takes for 8-bit values.

    LibTIFF does it right. To be called for each page, before it is decoded.
    """
    if tag(image, PLANAR_CONFIGURATION) != 2 or set(sample_bits(image)) != {16} or len(image.getbands()) < 3:
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
