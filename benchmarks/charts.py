"""Pieces of a page: plots as SVG, bars and tables as HTML, coloured by the page's style sheet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 460, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 14, 40
_LETTER = 6.9
"""Width of a letter."""
_COLORS = 8
"""Colours in the style sheet: ``--c0`` to ``--c7``."""

Bar = tuple[str, Sequence[tuple[str, float]], str]
"""Name, parts with their names and lengths, and what is written at the end."""


@dataclass(frozen=True)
class Point:
    """A point of a plot.

    Attributes:
        x: To the right.
        y: Upwards.
        low: Lower end of its interval.
        high: Upper end.
        label: What is written beside it.
        tip: What a pointer over it shows.
    """

    x: float
    y: float
    low: float
    high: float
    label: str
    tip: str


class _Axes:
    """Places in a plot; the horizontal axis is logarithmic."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self._left, self._right = math.log(min(xs) / 1.35), math.log(max(xs) * 1.6)
        room = 0.12 * (max(ys) - min(ys)) or 1
        self._bottom, self._top = min(ys) - room, max(ys) + room

    def x(self, value: float) -> float:
        along = (math.log(value) - self._left) / (self._right - self._left)
        return _LEFT + along * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        up = (value - self._bottom) / (self._top - self._bottom)
        return _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def x_ticks(self) -> list[float]:
        powers = range(math.floor(self._left / math.log(10)), math.ceil(self._right / math.log(10)))
        ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        return [tick for tick in ticks if self._left <= math.log(tick) <= self._right]

    def y_ticks(self) -> list[float]:
        rough = (self._top - self._bottom) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough)
        first = math.ceil(self._bottom / step)
        return [step * n for n in range(first, math.floor(self._top / step) + 1)]

    def drawn(self, x_name: str, y_name: str, x_ticks: Sequence[float] | None = None) -> str:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        parts = []
        for tick in self.y_ticks():
            y = self.y(tick)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(f'<text class="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{tick:g}</text>')
        for tick in x_ticks or self.x_ticks():
            x = self.x(tick)
            parts.append(
                f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}"/>'
                f'<text class="mid" x="{x:.1f}" y="{bottom + 16}">{tick:g}</text>'
            )
        parts.append(f'<text class="end" x="{right}" y="{_HEIGHT - 6}">{escape(x_name)}</text>')
        parts.append(f'<text x="2" y="{_TOP - 2}">{escape(y_name)}</text>')
        return "".join(parts)


def scatter(points: Sequence[Point], x_name: str, y_name: str, title: str) -> str:
    """Points with their intervals and the Pareto front: nothing is both further left and higher."""
    axes = _Axes([p.x for p in points], [v for p in points for v in (p.low, p.high)])
    best = pareto(points)
    corners = [(best[0].x, best[0].y)]
    for before, after in itertools.pairwise(best):
        corners += [(after.x, before.y), (after.x, after.y)]
    path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in corners)
    parts = [axes.drawn(x_name, y_name), f'<polyline class="front" points="{path}"/>']
    places = [(axes.x(p.x), axes.y(p.y)) for p in points]
    taken = [(x - 5, x + 5, y) for x, y in places]
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        x, y = axes.x(point.x), axes.y(point.y)
        kind = "on" if point in best else "off"
        left, right, label_y = _free(x, y, _LETTER * len(point.label), taken)
        taken.append((left, right, label_y))
        parts.append(
            f'<g class="{kind}"><title>{escape(point.tip)}</title>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{axes.y(point.low):.1f}"'
            f' y2="{axes.y(point.high):.1f}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
            f'<text x="{left:.1f}" y="{label_y + 4:.1f}">'
            f"{escape(point.label)}</text></g>"
        )
    return _svg("".join(parts), title)


def _free(
    x: float, y: float, wide: float, taken: Sequence[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """Left and right end and middle of a label beside a point where nothing is yet, if there is."""
    choices = [
        (left, left + wide, y + down)
        for down in (-11, 11, -24, 24, -37, 37)
        for left in (x + 8, x - 8 - wide)
        if left >= _LEFT and left + wide <= _WIDTH
    ]
    for left, right, middle in choices:
        if not any(left < b and a < right and abs(middle - c) < 12 for a, b, c in taken):
            return left, right, middle
    return choices[0] if choices else (_LEFT, _LEFT + wide, y)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that none is at least as far left and as high as, from left to right."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def curves(
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_name: str,
    y_name: str,
    title: str,
) -> str:
    """A curve for each name; the horizontal axis is logarithmic, with ticks where points are."""
    xs = sorted({x for _, points in series for x, _ in points})
    axes = _Axes(xs, [0.0] + [y for _, points in series for _, y in points])
    parts = [axes.drawn(x_name, y_name, xs)]
    for place, (name, points) in enumerate(series):
        path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
        dots = "".join(
            f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="4">'
            f"<title>{escape(f'{name}: {y:.2f} at {x:g}')}</title></circle>"
            for x, y in points
        )
        parts.append(f'<g class="c{place % _COLORS}"><polyline points="{path}"/>{dots}</g>')
    return _svg("".join(parts), title) + legend([name for name, _ in series])


def bars(rows: Sequence[Bar]) -> str:
    """Bars, each of one part or of several."""
    longest = max(sum(length for _, length in some) for _, some, _ in rows)
    drawn = []
    for name, some, words in rows:
        inner = "".join(
            f'<i class="c{place % _COLORS}" style="width:{100 * max(length, 0) / longest:.2f}%"'
            f' title="{escape(f"{part}: {length:.3f}".lstrip(": "))}"></i>'
            for place, (part, length) in enumerate(some)
        )
        drawn.append(
            f"<div><b>{escape(name)}</b><span>{inner}</span><em>{escape(words)}</em></div>"
        )
    return f'<div class="bars">{"".join(drawn)}</div>'


def legend(names: Sequence[str]) -> str:
    """What the colours mean."""
    keys = "".join(
        f'<li><i class="c{place % _COLORS}"></i>{escape(name)}</li>'
        for place, name in enumerate(names)
    )
    return f'<ul class="legend">{keys}</ul>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table that scrolls sideways where it is wider than the page.

    Args:
        head: The columns' names.
        rows: The cells.
        words: So many columns at the left hold words, the others figures.
    """
    names = "".join(
        f'<th scope="col"{_figure(place, words)}>{escape(name)}</th>'
        for place, name in enumerate(head)
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(cell)}</th>'
            if place == 0
            else f"<td{_figure(place, words)}>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{names}</tr>\n{lines}</table></div>'


def _figure(place: int, words: int) -> str:
    return "" if place < words else ' class="figure"'


def _svg(inner: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{inner}</svg>"
    )
