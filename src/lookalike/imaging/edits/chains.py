"""Chains of edits, as networks, phones and people make them.

Each function takes an RGB picture and gives an RGB picture, mostly of another size.
"""

from __future__ import annotations

from lookalike.imaging.edits import geometry, overlays, tones
from lookalike.imaging.edits.geometry import Picture, Random


def messenger(picture: Picture, *, times: float) -> Picture:
    """Sent on so many times: each time both sides become three quarters, and the file JPEG of quality 50."""
    for _ in range(round(times)):
        picture = tones.saved(geometry.scale(picture, factor=0.75), quality=50)
    return picture


def social(picture: Picture, *, times: float) -> Picture:
    """Passed on so many times: middle 98 % of width and height kept, reduced and back, JPEG 60, 45 …, sharpened."""
    for number in range(round(times)):
        picture = tones.reduce(geometry.crop(picture, share=0.02), factor=0.6)
        picture = tones.sharpen(tones.saved(picture, quality=max(5, 60 - 15 * number)), factor=1.3)
    return picture


def screen_repost(picture: Picture, random: Random, *, share: float) -> Picture:
    """A screenshot (margins as there), cut carelessly by half the margin's share, JPEG of quality 50."""
    shown = overlays.screenshot(geometry.scale(picture, factor=0.8), random, share=share)
    return tones.saved(geometry.crop(shown, share=share / 2), quality=50)


def meme(picture: Picture, random: Random, *, share: float) -> Picture:
    """Stronger colours and contrast, a caption above (its band as there), JPEG of quality 30."""
    loud = tones.contrast(tones.saturate(picture, factor=1.5), factor=1.2)
    return tones.saved(overlays.caption(loud, random, share=share), quality=30)


def story(picture: Picture, random: Random, *, share: float) -> Picture:
    """A warm filter, text above and below, 1 − share of width and height kept, anywhere, JPEG of quality 40."""
    written = overlays.text(tones.warm(picture, share=0.15), random, share=0.09)
    return tones.saved(geometry.crop_aside(written, random, share=share), quality=40)


def film(picture: Picture, random: Random, *, share: float) -> Picture:
    """Bars above and below (a share of the height each), a faint watermark, blur, JPEG of quality 30."""
    boxed = overlays.watermark(geometry.letterbox(picture, share=share), random, opacity=0.4)
    return tones.saved(tones.blur(boxed, share=0.005), quality=30)
