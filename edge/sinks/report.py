"""What a whole file said: every person's emotions over time, as a page and a picture."""

from __future__ import annotations

import html
import io
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from edge_fer.draw import COLORS
from edge_fer.figures import save_figure
from edge_fer.files import check_page, write_whole
from edge_fer.frame import Reading
from edge_fer.identity import UNKNOWN
from edge_fer.packages import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STEP = 0.25
"""Seconds that are averaged into one point."""
_MOST = 12
"""People who are drawn, those seen longest; the table has all."""


class _Person:
    """What one face said, averaged in short steps so that hours fit into memory."""

    def __init__(self) -> None:
        self.steps: dict[int, list[float]] = {}
        self.weights: dict[int, int] = defaultdict(int)
        self.counts: dict[str, int] = defaultdict(int)
        self.names: tuple[str, ...] = ()
        self.people: Counter[str] = Counter()

    def add(self, time: float, emotion: str, probabilities: dict[str, float]) -> None:
        step = int(time / _STEP)
        self.names = tuple(probabilities)
        self.counts[emotion] += 1
        before, n = self.steps.get(step, [0.0] * len(probabilities)), self.weights[step]
        pairs = zip(before, probabilities.values(), strict=True)
        self.steps[step] = [(b * n + p) / (n + 1) for b, p in pairs]
        self.weights[step] += 1

    @property
    def faces(self) -> int:
        return sum(self.counts.values())

    def shares(self) -> dict[str, float]:
        """Share of the readings that named each emotion, the most frequent first."""
        ranked = sorted(self.counts.items(), key=lambda item: -item[1])
        return {name: count / self.faces for name, count in ranked}


class Report:
    """Writes the page (``.html``) and the picture (``.png``) when the run ends.

    Args:
        path: The page; the picture lies beside it under the same name.
        title: What was read.

    Raises:
        InputError: The path is no ``.html`` file.
        MissingPackageError: matplotlib is not installed.
    """

    def __init__(self, path: Path, title: str) -> None:
        check_page(path)
        require("--report", "matplotlib")
        self._path, self._title = path, title
        self._people: dict[int, _Person] = defaultdict(_Person)
        self._frames, self._end = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def write(self, reading: Reading) -> None:
        """Take one reading."""
        self._frames += 1
        self._end = max(self._end, reading.frame.time)
        for face in reading.faces:
            if face.emotion is not None:
                person = self._people[face.id or 0]
                person.add(reading.frame.time, face.emotion, face.probabilities)
                if face.person not in (None, UNKNOWN):
                    person.people[str(face.person)] += 1

    def __exit__(self, *_: object) -> None:
        if not self._frames:
            return
        ranked = sorted(self._people.items(), key=lambda item: -item[1].faces)
        figure = _figure(ranked[:_MOST], self._end)
        save_figure(figure, self._path.with_suffix(".png"))
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg")
        with write_whole(self._path) as part:
            part.write_text(self._page(ranked, drawing.getvalue()), "utf-8")

    def _page(self, ranked: list[tuple[int, _Person]], drawing: str) -> str:
        rows = "".join(_row(number, person) for number, person in ranked)
        title = html.escape(self._title)
        named = f'<svg role="img" aria-label="Emotions over time: {title}"'
        svg = drawing[drawing.index("<svg") :].replace("<svg", named, 1)
        return _PAGE.format(
            title=title,
            summary=f"{self._frames} frames, {self._end:.1f} seconds, {len(ranked)} people",
            drawing=svg,
            rows=rows,
        )


def _row(number: int, person: _Person) -> str:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in person.shares().items())
    seconds = len(person.steps) * _STEP
    return (
        f"<tr><th scope='row'>{html.escape(_name(number, person))}</th><td>{person.faces}</td>"
        f"<td>{seconds:.1f}</td><td>{html.escape(shares)}</td></tr>\n"
    )


def _name(number: int, person: _Person) -> str:
    if not number:
        return "All faces"
    known = person.people.most_common(1)
    return f"{known[0][0]} ({number})" if known else f"Person {number}"


def _figure(ranked: list[tuple[int, _Person]], end: float) -> Figure:
    from matplotlib.figure import Figure

    count = max(len(ranked), 1)
    figure = Figure(figsize=(11, 1.2 + 1.9 * count), layout="constrained")
    grid = figure.subplots(count, 2, squeeze=False, width_ratios=(4, 1))
    for (over_time, in_all), (number, person) in zip(grid, ranked, strict=False):
        _draw_over_time(over_time, person, end)
        over_time.set_ylabel(_name(number, person), parse_math=False)
        _draw_shares(in_all, person)
    if ranked:
        grid[-1][0].set_xlabel("seconds")
        handles, labels = grid[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=8, frameon=False)
    else:
        grid[0][0].text(0.5, 0.5, "no face was seen", ha="center", va="center")
    return figure


def _draw_over_time(axes: Axes, person: _Person, end: float) -> None:
    first, last = min(person.steps), max(person.steps)
    table = np.full((last - first + 1, len(person.names)), np.nan)
    for step, values in person.steps.items():
        table[step - first] = values
    times = (np.arange(first, last + 1) + 0.5) * _STEP
    if len(times) == 1:  # an area needs two ends
        times, table = np.array([times[0] - _STEP / 2, times[0] + _STEP / 2]), table.repeat(2, 0)
    colors = [_color(name) for name in person.names]
    # Where the face was not seen nothing is drawn.
    axes.stackplot(times, np.nan_to_num(table.T), labels=person.names, colors=colors, lw=0)
    axes.set(xlim=(0, max(end, _STEP)), ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_shares(axes: Axes, person: _Person) -> None:
    shares, names = person.shares(), person.names[::-1]
    colors = [_color(name) for name in names]
    axes.barh(names, [shares.get(name, 0.0) for name in names], color=colors)
    axes.tick_params(axis="y", labelsize="small")
    axes.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "50 %", "100 %"))
    axes.spines[["top", "right"]].set_visible(False)


def _color(name: str) -> tuple[float, float, float]:
    blue, green, red = COLORS.get(name, (150, 150, 150))
    return red / 255, green / 255, blue / 255


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: emotions over time</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }}
svg {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .4rem .8rem; border-bottom: 1px solid #ddd; }}
footer {{ color: #555; margin-top: 2rem; }}
</style>
<h1>{title}</h1>
<p>{summary}</p>
{drawing}
<table>
<tr><th scope="col">Who</th><th scope="col">Readings</th><th scope="col">Seconds seen</th>
<th scope="col">Share of each emotion</th></tr>
{rows}</table>
<footer>Made by edge-fer on this device. It names the expression that people would see in a face,
not what a person feels.</footer>
</html>
"""
