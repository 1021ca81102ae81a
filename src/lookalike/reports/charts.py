"""Charts as inline SVG: lines, and histograms of distances. Colours come from the stylesheet (`report.css`).

Shapes: N pairs, D distances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from lookalike.core.display import printable
from lookalike.metrics.counts import Floats

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 40  # margins
BESIDE = 165  # for a legend of many lines, to the right of the drawing
SERIES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")  # classes of the stylesheet

Points = Sequence[tuple[float, float]]


def lines(
    series: Mapping[str, Points],
    *,
    across: str,
    up: str,
    words: str,
    highest: float | None = None,
    names: Sequence[str] | None = None,
) -> str:
    """A line chart; `words` describes it in a sentence.

    `highest` is the value at the top, by default the maximum; `names` label the positions 0, 1, 2 … across.
    """
    points = [point for line in series.values() for point in line]
    highest = highest or _nice_ceiling(max(y for _, y in points))
    least, most = min(x for x, _ in points), max(x for x, _ in points)
    scale = _Scale(least, most, highest)
    drawn = [_line(line, scale, _style(number)) for number, line in enumerate(series.values())]
    labels: dict[float, str] = dict(enumerate(names)) if names is not None else _ticks(least, most)
    return _svg([*_axes(scale, labels, across, up), *drawn, *_legend(list(series))], words, beside=len(series) > 2)


def _ticks(least: float, most: float) -> dict[float, str]:
    """About six ticks with labels: integers, or tenths within a range of two."""
    digits = 1 if most - least < 2 and most > least else 0
    ticks = sorted({round(float(x), digits) for x in np.linspace(least, most, 6)})
    return {tick: f"{tick:g}" for tick in ticks}


def histogram(
    same_D: npt.NDArray[np.integer],
    different_D: npt.NDArray[np.integer],
    *,
    words: str,
    across: str = "distance, bits",
    names: Sequence[str] = ("copy and its original", "pictures of different photographs"),
) -> str:
    """A histogram of two kinds of pairs: percentage at each distance."""
    greatest = len(same_D) - 1
    shares: list[Floats] = [counts * (100 / max(1, counts.sum())) for counts in (same_D, different_D)]
    scale = _Scale(-0.5, greatest + 0.5, _nice_ceiling(max(float(share.max()) for share in shares)))
    drawn = [_steps(share.tolist(), scale, _style(number)) for number, share in enumerate(shares)]
    ticks: dict[float, str] = {tick: f"{tick}" for tick in range(0, greatest + 1, max(1, greatest // 8))}
    axes = _axes(scale, ticks, across, "% of pairs")
    return _svg([*axes, *drawn, *_legend(names)], words)


def _style(number: int) -> str:
    """The stylesheet class of a line."""
    return SERIES[number % len(SERIES)]


def _nice_ceiling(value: float) -> float:
    """The smallest 1, 2, 2.5, 4, 5 or 8 times a power of ten that is at least `value`.

    >>> [_nice_ceiling(value) for value in (0.03, 7, 23, 3087)]
    [0.04, 8.0, 25.0, 4000.0]
    """
    if not 0 < value < math.inf:
        return 1.0
    power = math.floor(math.log10(value))
    steps = [float(f"{step}e{power}") for step in (1, 2, 2.5, 4, 5, 8, 10)]
    return next((step for step in steps if step >= value), steps[-1])


class _Scale:
    """Maps values to positions in the drawing."""

    def __init__(self, least: float, most: float, highest: float) -> None:
        self.least, self.most, self.highest = least, max(most, least + 1e-9), highest

    def x(self, value: float) -> str:
        share = (value - self.least) / (self.most - self.least)
        return f"{LEFT + share * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, value: float) -> str:
        return f"{HEIGHT - BOTTOM - value / self.highest * (HEIGHT - TOP - BOTTOM):.1f}"


def _line(points: Points, scale: _Scale, style: str) -> str:
    path = " ".join(f"{scale.x(x)},{scale.y(y)}" for x, y in points)
    dots = "".join(f'<circle class="{style}" cx="{scale.x(x)}" cy="{scale.y(y)}" r="2.5"/>' for x, y in points)
    return f'<polyline class="{style}" points="{path}"/>{dots}'


def _steps(shares: Sequence[float], scale: _Scale, style: str) -> str:
    path = [f"M{scale.x(-0.5)},{scale.y(0)}"]
    for distance, share in enumerate(shares):
        path.append(f"V{scale.y(share)}H{scale.x(distance + 0.5)}")
    return f'<path class="{style} area" d="{"".join(path)}V{scale.y(0)}Z"/>'


def _axes(scale: _Scale, ticks: Mapping[float, str], across: str, up: str) -> list[str]:
    parts = []
    for value in np.linspace(0, scale.highest, 5).tolist():
        height = scale.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height}" text-anchor="end" dy="4">{value:g}</text>')
    y = HEIGHT - BOTTOM + 16
    parts += [
        f'<text x="{scale.x(tick)}" y="{y}" text-anchor="middle">{_text(name)}</text>' for tick, name in ticks.items()
    ]
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle_x}" y="{HEIGHT - 6}" text-anchor="middle">{_text(across)}</text>')
    rotated = f'transform="rotate(-90 12 {middle_y})"'
    parts.append(f'<text x="12" y="{middle_y}" text-anchor="middle" {rotated}>{_text(up)}</text>')
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    """The legend: inside the drawing at its right edge, or next to it for more than two lines."""
    beside = len(names) > 2
    x, side, anchor = (WIDTH + 4, 17, "start") if beside else (WIDTH - RIGHT - 14, -6, "end")
    parts = []
    for number, name in enumerate(names):
        y = TOP + 10 + 18 * number
        parts.append(f'<rect class="{_style(number)} key" x="{x}" y="{y - 9}" width="11" height="11"/>')
        parts.append(f'<text x="{x + side}" y="{y + 1}" text-anchor="{anchor}">{_text(name)}</text>')
    return parts


def _svg(parts: Sequence[str], words: str, *, beside: bool = False) -> str:
    label = _text(words)
    return Markup(
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH + BESIDE * beside} {HEIGHT}"><title>{label}</title>'
        f"{''.join(parts)}</svg>"
    )


def _text(value: str) -> Markup:
    """A string as SVG text or attribute; control characters are escaped."""
    return escape(printable(value, but="\n\t"))
