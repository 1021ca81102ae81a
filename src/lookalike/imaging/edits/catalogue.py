"""Manipulated copies of an image by name, strength and seed: what happens to pictures that are passed on.

`EDITS` is the table of edits. Strengths are listed from mildest to hardest; other values work, too. `perturb` makes one
copy and is pure: its random numbers depend only on the seed and the edit's name, so that copies of one image at several
strengths differ in nothing else.

Shapes: H, W pixels high and wide.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, features

from lookalike.core.errors import ConfigError, ImageError
from lookalike.imaging.decode import Array
from lookalike.imaging.edits import chains, geometry, overlays, tones
from lookalike.imaging.edits.geometry import Picture, Random

KINDS = ("control", "codec", "tone", "frame", "overlay", "chain")


@dataclass(frozen=True, slots=True)
class _Edit:
    """An image edit and its strengths."""

    kind: str  # of `KINDS`
    words: str  # describes the edit, following its name; the strength is in braces
    strengths: tuple[float, ...]  # mildest first
    function: Callable[..., Picture]  # of an RGB picture
    argument: str = ""  # name of the function's strength argument; empty if it has none
    seeded: bool = False  # whether the function draws random numbers
    codec: str = ""  # Pillow feature that it needs

    @property
    def is_here(self) -> bool:
        """Whether the installed Pillow supports it."""
        return not self.codec or bool(features.check(self.codec))

    def apply(self, picture: Picture, strength: float, random: Random) -> Picture:
        """An edited copy of an RGB picture."""
        options = {self.argument: strength} if self.argument else {}
        return self.function(picture, random, **options) if self.seeded else self.function(picture, **options)


class Variant(NamedTuple):
    """One edit at one strength."""

    edit: str
    strength: float

    @property
    def words(self) -> str:
        """Description of the edit, following its name.

        >>> Variant("crop", 0.1).words
        'middle 90 % of width and height kept'
        """
        edit = EDITS[self.edit]
        return edit.words.format(self.strength, percent=100 * self.strength, rest=100 - 100 * self.strength)


# fmt: off
EDITS: dict[str, _Edit] = {
    "none": _Edit("control", "unchanged", (0,), Image.Image.copy),
    "jpeg": _Edit("codec", "quality {:g}", (95, 80, 60, 40, 20, 10, 5), tones.saved, "quality"),
    "webp": _Edit("codec", "quality {:g}", (80, 40, 10), partial(tones.saved, codec="WEBP"), "quality", codec="webp"),
    "avif": _Edit("codec", "quality {:g}", (70, 40, 10),
        partial(tones.saved, codec="AVIF", speed=8, max_threads=1), "quality", codec="avif"),
    "resize": _Edit("codec", "reduced to {percent:g} % of width and height, and back", (.75, .5, .25, .125),
        tones.reduce, "factor"),
    "blur": _Edit("tone", "deviation {percent:g} % of the shorter side", (.005, .01, .02, .04),
        tones.blur, "share"),
    "noise": _Edit("tone", "deviation {:g} of 255", (5, 10, 20, 40, 80), tones.noise, "deviation", seeded=True),
    "sharpen": _Edit("tone", "{:g} times", (2, 4, 8), tones.sharpen, "factor"),
    "brighter": _Edit("tone", "values × {:g}", (1.15, 1.3, 1.6, 2), tones.brighten, "factor"),
    "darker": _Edit("tone", "values × {:g}", (.85, .7, .5, .3), tones.brighten, "factor"),
    "contrast-up": _Edit("tone", "× {:g}", (1.25, 1.5, 2, 3), tones.contrast, "factor"),
    "contrast-down": _Edit("tone", "× {:g}", (.8, .6, .4, .2), tones.contrast, "factor"),
    "gamma-light": _Edit("tone", "power {:g}", (.8, .6, .4), tones.gamma, "power"),
    "gamma-dark": _Edit("tone", "power {:g}", (1.25, 1.7, 2.5), tones.gamma, "power"),
    "saturation-up": _Edit("tone", "× {:g}", (1.5, 2, 4), tones.saturate, "factor"),
    "saturation-down": _Edit("tone", "× {:g}", (.6, .3), tones.saturate, "factor"),
    "grey": _Edit("tone", "without colours", (1,), tones.grey),
    "posterise": _Edit("tone", "{:g} bits a value", (4, 3, 2, 1), tones.posterise, "bits"),
    "warm": _Edit("tone", "red + {percent:.0f} %, blue − {percent:.0f} %", (.1, .2, .4), tones.warm, "share"),
    "cold": _Edit("tone", "red − {percent:.0f} %, blue + {percent:.0f} %", (.1, .2, .4), tones.cool, "share"),
    "crop": _Edit("frame", "middle {rest:.0f} % of width and height kept", (.02, .05, .1, .15, .25, .4, .6),
        geometry.crop, "share"),
    "crop-aside": _Edit("frame", "{rest:.0f} % of width and height kept, anywhere", (.05, .1, .25, .4, .6),
        geometry.crop_aside, "share", seeded=True),
    "border": _Edit("frame", "{percent:.0f} % of width or height at each edge, black", (.02, .05, .1, .2),
        geometry.border, "share"),
    "border-white": _Edit("frame", "{percent:.0f} % of width or height at each edge, white", (.05, .1, .2),
        partial(geometry.border, colour=overlays.WHITE), "share"),
    "letterbox": _Edit("frame", "black bars of {percent:g} % of the height, twice", (.05, .125, .25, .5),
        geometry.letterbox, "share"),
    "shift": _Edit("frame", "moved by {percent:.0f} % of width and height, the rest black", (.05, .1, .2),
        geometry.shift, "share"),
    "rotate": _Edit("frame", "turned by {:g}°, corners black", (1, 2, 5, 10, 15, 30, 45),
        geometry.rotate_either, "degrees", seeded=True),
    "straighten": _Edit("frame", "turned by {:g}°, corners cut off", (2, 5, 10, 15),
        geometry.straighten, "degrees", seeded=True),
    "turn": _Edit("frame", "turned by {:g}°", (90, 180, 270), geometry.turn, "degrees"),
    "mirror": _Edit("frame", "left and right changed", (1,), ImageOps.mirror),
    "flip": _Edit("frame", "top and bottom changed", (1,), ImageOps.flip),
    "perspective": _Edit("frame", "corners moved in by up to {percent:.0f} %", (.05, .1, .2),
        geometry.tilt, "share", seeded=True),
    "aspect": _Edit("frame", "width × {:g}", (1.15, 1.33, 1.78), geometry.widen, "factor"),
    "watermark": _Edit("overlay", "one line, opacity {:g}", (.3, .6, 1), overlays.watermark, "opacity", seeded=True),
    "text": _Edit("overlay", "above and below, letters {percent:.0f} % of the height", (.06, .1, .15),
        overlays.text, "share", seeded=True),
    "logo": _Edit("overlay", "{percent:.0f} % of the shorter side, in a corner", (.1, .2, .35),
        overlays.logo, "share", seeded=True),
    "occlusion": _Edit("overlay", "{percent:.0f} % of the area covered", (.05, .1, .2, .4),
        overlays.occlude, "share", seeded=True),
    "screenshot": _Edit("overlay", "on a screen, margins of {percent:g} %", (.03, .06, .12),
        overlays.screenshot, "share", seeded=True),
    "caption": _Edit("overlay", "white band with text above, {percent:.0f} % of the height", (.1, .2, .35),
        overlays.caption, "share", seeded=True),
    "collage": _Edit("overlay", "{percent:.0f} % of width and height, among others", (.8, .65, .5),
        overlays.collage, "share", seeded=True),
    "messenger": _Edit("chain", "sent on {:g} times: reduced, JPEG 50", (1, 2, 4), chains.messenger, "times"),
    "social": _Edit("chain", "passed on {:g} times: cut, reduced, JPEG, sharpened", (1, 2, 3), chains.social, "times"),
    "screen-repost": _Edit("chain", "on a screen, margins of {percent:g} %, cut, JPEG 50", (.03, .06, .12),
        chains.screen_repost, "share", seeded=True),
    "meme": _Edit("chain", "loud colours, caption of {percent:.0f} %, JPEG 30", (.1, .2, .35),
        chains.meme, "share", seeded=True),
    "story": _Edit("chain", "filter, text, {rest:.0f} % of width and height kept, JPEG 40", (.05, .1, .2),
        chains.story, "share", seeded=True),
    "film": _Edit("chain", "bars of {percent:g} %, watermark, blur, JPEG 30", (.05, .125),
        chains.film, "share", seeded=True),
}
# fmt: on


def perturb(pixels_HW3: Array, edit: str, strength: float, *, seed: int = 0) -> Array:
    """An edited copy, uint8 (H′, W′, 3), of an image, uint8 (H, W, 3). The image is not modified.

    >>> perturb(np.full((4, 4, 3), 100, np.uint8), "brighter", 1.5)[0, 0].tolist()
    [150, 150, 150]

    Raises `ConfigError` for an unknown or unsupported edit or an impossible strength, and `ImageError` for an array of
    another shape or type.
    """
    spec = _find(edit)
    if pixels_HW3.dtype != np.uint8 or pixels_HW3.ndim != 3 or pixels_HW3.shape[2] != 3 or not pixels_HW3.size:
        raise ImageError(
            f"cannot edit an array of shape {pixels_HW3.shape} and type {pixels_HW3.dtype}; expected uint8 (H, W, 3)"
        )
    random = np.random.default_rng((seed, zlib.crc32(edit.encode())))
    try:
        return np.array(spec.apply(Image.fromarray(pixels_HW3), strength, random))
    except (KeyError, ValueError, ZeroDivisionError) as error:
        usual = ", ".join(f"{value:g}" for value in spec.strengths)
        raise ConfigError(f"{edit} does not work at strength {strength:g}; usual strengths: {usual}") from error


def _find(edit: str) -> _Edit:
    """The edit with this name. Raises `ConfigError` if it is unknown, or unsupported by this Pillow."""
    if edit not in EDITS:
        raise ConfigError(f"unknown edit {edit!r}; it must be one of {', '.join(EDITS)}")
    if not EDITS[edit].is_here:
        raise ConfigError(f"the edit {edit} needs a Pillow built with {EDITS[edit].codec.upper()}")
    return EDITS[edit]


def variants(edits: Sequence[str] = ()) -> Iterator[Variant]:
    """The named edits at all their strengths (`crop`) or at one (`crop 0.5`); without names, all supported edits.

    >>> [*variants(["crop 0.5"])]
    [Variant(edit='crop', strength=0.5)]
    """
    for text in edits or [name for name, edit in EDITS.items() if edit.is_here]:
        name, *strength = text.split(maxsplit=1)
        strengths = _find(name).strengths
        try:
            yield from (Variant(name, float(one)) for one in strength or strengths)
        except ValueError as error:
            usual = ", ".join(f"{one:g}" for one in strengths)
            raise ConfigError(
                f"{text!r} is not an edit: the strength of {name} must be a number, such as {usual}"
            ) from error
