"""Two charts as inline SVG: lines over epochs, and histograms of distances. Colours come from the page's style."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np

from lookalike.demo.ranking import Distances

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 40  # margins
SERIES = ("first", "second")  # classes of the page's style

Points = Sequence[tuple[float, float]]


def lines(series: Mapping[str, Points], *, across: str, up: str, words: str) -> str:
    """A chart of one or two lines by name; `words` says in a sentence what it shows."""
    points = [point for line in series.values() for point in line]
    highest = nice_ceiling(max(y for _, y in points))
    least, most = min(x for x, _ in points), max(x for x, _ in points)
    place = _Places(least, most, highest)
    drawn = [_line(line, place, SERIES[number]) for number, line in enumerate(series.values())]
    ticks = sorted({round(x) for x in np.linspace(least, most, 6)})
    return _svg([*_axes(place, ticks, across, up), *drawn, *_legend(list(series))], words)


def histogram(same: Distances, different: Distances, *, bits: int, words: str) -> str:
    """How many in a hundred pairs of two kinds lie at each distance."""
    shares = [np.bincount(kind, minlength=bits + 1) * (100 / max(1, kind.size)) for kind in (same, different)]
    place = _Places(-0.5, bits + 0.5, nice_ceiling(max(share.max() for share in shares)))
    drawn = [_steps(share.tolist(), place, SERIES[number]) for number, share in enumerate(shares)]
    axes = _axes(place, list(range(0, bits + 1, bits // 8)), "distance, bits", "% of pairs")
    return _svg([*axes, *drawn, *_legend(["copy and its original", "pictures of different photographs"])], words)


def nice_ceiling(value: float) -> float:
    """The least 1, 2, 2.5, 4, 5 or 8 times a power of ten that is not below a value.

    >>> [nice_ceiling(value) for value in (0.03, 7, 23, 3087)]
    [0.04, 8.0, 25.0, 4000.0]
    """
    if not 0 < value < math.inf:
        return 1.0
    power = math.floor(math.log10(value))
    steps = [float(f"{step}e{power}") for step in (1, 2, 2.5, 4, 5, 8, 10)]
    return next((step for step in steps if step >= value), steps[-1])


class _Places:
    """From values to places in the drawing."""

    def __init__(self, least: float, most: float, highest: float) -> None:
        self.least, self.most, self.highest = least, max(most, least + 1e-9), highest

    def x(self, value: float) -> str:
        share = (value - self.least) / (self.most - self.least)
        return f"{LEFT + share * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, value: float) -> str:
        return f"{HEIGHT - BOTTOM - value / self.highest * (HEIGHT - TOP - BOTTOM):.1f}"


def _line(points: Points, place: _Places, style: str) -> str:
    path = " ".join(f"{place.x(x)},{place.y(y)}" for x, y in points)
    dots = "".join(f'<circle class="{style}" cx="{place.x(x)}" cy="{place.y(y)}" r="2.5"/>' for x, y in points)
    return f'<polyline class="{style}" points="{path}"/>{dots}'


def _steps(shares: Sequence[float], place: _Places, style: str) -> str:
    path = [f"M{place.x(-0.5)},{place.y(0)}"]
    for distance, share in enumerate(shares):
        path.append(f"V{place.y(share)}H{place.x(distance + 0.5)}")
    return f'<path class="{style} area" d="{"".join(path)}V{place.y(0)}Z"/>'


def _axes(place: _Places, ticks: Sequence[int], across: str, up: str) -> list[str]:
    parts = []
    for value in np.linspace(0, place.highest, 5).tolist():
        height = place.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height}" text-anchor="end" dy="4">{value:g}</text>')
    y = HEIGHT - BOTTOM + 16
    parts += [f'<text x="{place.x(tick)}" y="{y}" text-anchor="middle">{tick}</text>' for tick in ticks]
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle_x}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(across)}</text>')
    turned = f'transform="rotate(-90 12 {middle_y})"'
    parts.append(f'<text x="12" y="{middle_y}" text-anchor="middle" {turned}>{html.escape(up)}</text>')
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    parts = []
    for number, name in enumerate(names):
        y = TOP + 10 + 18 * number
        parts.append(
            f'<rect class="{SERIES[number]} key" x="{WIDTH - RIGHT - 14}" y="{y - 9}" width="11" height="11"/>'
        )
        parts.append(f'<text x="{WIDTH - RIGHT - 20}" y="{y + 1}" text-anchor="end">{html.escape(name)}</text>')
    return parts


def _svg(parts: Sequence[str], words: str) -> str:
    label = html.escape(words)
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}"><title>{label}</title>'
        f"{''.join(parts)}</svg>"
    )
