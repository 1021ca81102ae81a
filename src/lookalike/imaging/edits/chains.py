"""Chains of edits, as made by social networks, messengers and people.

Each function takes and returns an RGB picture, mostly of another size.
"""

from __future__ import annotations

from lookalike.imaging.edits import geometry, overlays, tones
from lookalike.imaging.edits.geometry import Picture, Random


def messenger(picture: Picture, *, times: float) -> Picture:
    """Forwarded N times: each time reduced to three quarters and saved as JPEG 50."""
    for _ in range(round(times)):
        picture = tones.saved(geometry.scale(picture, factor=0.75), quality=50)
    return picture


def social(picture: Picture, *, times: float) -> Picture:
    """Reposted N times: the middle 98 % of width and height, reduced and enlarged, JPEG 60, 45 …, sharpened."""
    for number in range(round(times)):
        picture = tones.reduce(geometry.crop(picture, share=0.02), factor=0.6)
        picture = tones.sharpen(tones.saved(picture, quality=max(5, 60 - 15 * number)), factor=1.3)
    return picture


def screen_repost(picture: Picture, random: Random, *, share: float) -> Picture:
    """A screenshot with margins of `share`, cropped carelessly by half of that, JPEG 50."""
    shown = overlays.screenshot(geometry.scale(picture, factor=0.8), random, share=share)
    return tones.saved(geometry.crop(shown, share=share / 2), quality=50)


def meme(picture: Picture, random: Random, *, share: float) -> Picture:
    """Stronger colours and contrast, a caption above whose band is `share` of the height, JPEG 30."""
    loud = tones.contrast(tones.saturate(picture, factor=1.5), factor=1.2)
    return tones.saved(overlays.caption(loud, random, share=share), quality=30)


def story(picture: Picture, random: Random, *, share: float) -> Picture:
    """A warm filter, text above and below, a random crop of 1 − `share` of width and height, JPEG 40."""
    written = overlays.text(tones.warm(picture, share=0.15), random, share=0.09)
    return tones.saved(geometry.crop_aside(written, random, share=share), quality=40)


def film(picture: Picture, random: Random, *, share: float) -> Picture:
    """Bars above and below (`share` of the height each), a faint watermark, blur, JPEG 30."""
    boxed = overlays.watermark(geometry.letterbox(picture, share=share), random, opacity=0.4)
    return tones.saved(tones.blur(boxed, share=0.005), quality=30)
