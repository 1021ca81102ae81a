"""Edits that put something over or around a picture: text, logos, screens, captions, collages.

Each function takes and returns an RGB picture, of the same size unless stated otherwise. Text uses the font that comes
with Pillow, so it looks the same on every machine.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from lookalike.imaging.edits.geometry import Picture, Random

WATERMARK = "© lookalike demo"
LINES = ("when you see it", "nobody:", "wait for it …", "me on a Monday", "top 10 places", "breaking news", "so true!")
WHITE, PAPER, INK, SOFT = (255, 255, 255), (246, 246, 246), (24, 24, 27), (150, 150, 155)


def watermark(picture: Picture, random: Random, *, opacity: float = 150 / 255) -> Picture:
    """The picture with a line of white text, three quarters of its width, at a random height."""
    layer = Image.new("L", picture.size, 0)
    place = (picture.width / 2, picture.height * random.uniform(0.3, 0.7))
    font = _font(0.09 * picture.width)
    ImageDraw.Draw(layer).text(place, WATERMARK, fill=round(255 * opacity), font=font, anchor="mm")
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, layer)


def text(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture with outlined white text at its top and bottom; letters are a share of its height high.

    Lines that would not fit are written smaller.
    """
    copy = picture.copy()
    draw, gap = ImageDraw.Draw(copy), 0.3 * share * picture.height
    above, below = (LINES[row].upper() for row in random.choice(len(LINES), 2, replace=False))
    for line, y, anchor in ((above, gap, "ma"), (below, picture.height - gap, "md")):
        size = min(share * picture.height, 1.5 * picture.width / len(line))
        edge, place = max(1, round(size / 12)), (picture.width / 2, y)
        draw.text(place, line, WHITE, _font(size), anchor, stroke_width=edge, stroke_fill=(0, 0, 0))
    return copy


def logo(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture with an opaque, round logo in a corner; its diameter is a share of the shorter side."""
    copy, side = picture.copy(), max(2, round(share * min(picture.size)))
    gap = round(0.03 * min(picture.size))
    right, low = random.integers(2, size=2)
    x = picture.width - side - gap if right else gap
    y = picture.height - side - gap if low else gap
    draw = ImageDraw.Draw(copy)
    draw.ellipse((x, y, x + side - 1, y + side - 1), fill=_colour(random), outline=WHITE, width=max(1, side // 12))
    draw.text((x + side / 2, y + side / 2), "LK", WHITE, _font(0.4 * side), "mm")
    return copy


def occlude(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture with a rectangle of one colour at a random position, covering a share of its area."""
    copy = picture.copy()
    width, height = (max(1, round(side * share**0.5)) for side in picture.size)
    left, top = (int(random.integers(room + 1)) for room in (picture.width - width, picture.height - height))
    copy.paste(_colour(random), (left, top, left + width, top + height))
    return copy


def screenshot(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture shown as a page on a screen, with paper around it and bars above and below.

    The paper adds a share of the width on each side, each bar twice that share of the height.
    """
    margin, bar = round(picture.width * share), max(1, round(2 * share * picture.height))
    screen = Image.new("RGB", (picture.width + 2 * margin, picture.height + 2 * bar), PAPER)
    screen.paste(picture, (margin, bar))
    draw, font = ImageDraw.Draw(screen), _font(0.3 * bar)
    draw.rectangle((0, 0, screen.width, round(0.35 * bar)), fill=INK)
    draw.text((0.02 * screen.width, 0.7 * bar), LINES[random.integers(len(LINES))], INK, font, "lm")
    for spot in np.linspace(0.15, 0.85, 4):
        x, y, radius = spot * screen.width, screen.height - bar / 2, max(1.0, 0.15 * bar)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=SOFT, width=max(1, round(radius / 4)))
    return screen


def caption(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture below a white band with a line of text; the band adds a share of the height."""
    band = max(1, round(share * picture.height))
    copy = ImageOps.expand(picture, (0, band, 0, 0), WHITE)
    line = LINES[random.integers(len(LINES))]
    size = min(0.5 * band, 1.6 * picture.width / len(line))
    ImageDraw.Draw(copy).text((picture.width / 2, band / 2), line, INK, _font(size), "mm")
    return copy


def collage(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture in one corner of a collage of the same size, taking a share of its sides.

    The other three images are soft patches of random colours, so no second photograph is needed.
    """
    width, height = (max(1, round(side * share)) for side in picture.size)
    rest = (max(1, picture.width - width), max(1, picture.height - height))
    copy = Image.new("RGB", picture.size, WHITE)
    right, low = (bool(side) for side in random.integers(2, size=2))
    for in_columns, in_rows in ((True, False), (False, True), (False, False)):
        size = (width if in_columns else rest[0], height if in_rows else rest[1])
        copy.paste(_patch(random, size), _corner(picture.size, size, right == in_columns, low == in_rows))
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    copy.paste(small, _corner(picture.size, small.size, right, low))
    return copy


def _corner(whole: tuple[int, int], part: tuple[int, int], right: bool, low: bool) -> tuple[int, int]:
    return (whole[0] - part[0] if right else 0, whole[1] - part[1] if low else 0)


def _patch(random: Random, size: tuple[int, int]) -> Picture:
    colours = random.integers(40, 216, (4, 4, 3), np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def _colour(random: Random) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in random.integers(0, 256, 3))
    return red, green, blue


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(4.0, size))
