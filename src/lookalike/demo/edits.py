"""Manipulated copies of a photograph: what happens to pictures that are passed on.

Each edit takes an RGB picture and gives an RGB picture, and changes nothing else. What is drawn at random comes
from the generator that is handed in, so the same seed gives the same copy. The edits themselves are those of the
robustness benchmark (`lookalike.imaging.edits.catalogue`), each at one strength.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lookalike.imaging.edits.geometry import Picture, Random, rotate, scale, trim
from lookalike.imaging.edits.overlays import watermark
from lookalike.imaging.edits.tones import blur, brighten, grey, recompress


@dataclass(frozen=True, slots=True)
class Edit:
    """A manipulation and what it is called for people."""

    words: str
    apply: Callable[[Picture, Random], Picture]


EDITS: dict[str, Edit] = {
    "jpeg": Edit("JPEG of quality 20", lambda picture, _: recompress(picture, quality=20)),
    "resize": Edit("reduced to a third of each side", lambda picture, _: scale(picture, factor=1 / 3)),
    "crop": Edit("10 % cut off at each side", lambda picture, _: trim(picture, share=0.1)),
    "grey": Edit("grey", lambda picture, _: grey(picture)),
    "blur": Edit("blurred by 1 % of the shorter side", lambda picture, _: blur(picture, share=0.01)),
    "brightness": Edit("30 % brighter", lambda picture, _: brighten(picture, factor=1.3)),
    "watermark": Edit("text over the picture", watermark),
    "rotation": Edit(
        "turned by 5°, corners black", lambda picture, random: rotate(picture, degrees=float(random.choice([-5, 5])))
    ),
}


def vary(picture: Picture, random: Random) -> Picture:
    """The picture after several manipulations of random strength, none of them a copy that is searched with."""
    if random.random() < 0.5:
        picture = rotate(picture, degrees=random.uniform(-8, 8))
    if random.random() < 0.5:
        picture = trim(picture, share=random.uniform(0.02, 0.15))
    if random.random() < 0.5:
        picture = brighten(picture, factor=random.uniform(0.6, 1.5))
    if random.random() < 0.25:
        picture = blur(picture, share=random.uniform(0.003, 0.015))
    return watermark(picture, random) if random.random() < 0.25 else picture
