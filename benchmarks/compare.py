"""What changed between two benchmarks, beyond the noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from edge_fer.benchmarks.estimate import Estimate, exactly
from edge_fer.benchmarks.results import Benchmark, Model

_LEAST = 1e-9
"""Stands for 0, which has no logarithm."""


@dataclass(frozen=True)
class Change:
    """A figure before and now.

    Attributes:
        model: The model's name.
        what: The figure, in words.
        old: Before.
        new: Now.
        better: 1 where more is better, -1 where less is.
    """

    model: str
    what: str
    old: Estimate
    new: Estimate
    better: int = -1

    @property
    def percent(self) -> Estimate:
        """By how many percent of the old figure the new one is larger.

        The interval of the ratio comes from those of both figures (Zou and Donner 2008, on
        logarithms).
        """
        old, new = _logarithms(self.old), _logarithms(self.new)
        middle = new.value - old.value
        below = math.hypot(new.value - new.low, old.high - old.value)
        above = math.hypot(new.high - new.value, old.value - old.low)
        ends = (middle, middle - below, middle + above)
        return Estimate(*(100 * math.expm1(min(end, 700.0)) for end in ends))

    @property
    def beyond_noise(self) -> bool:
        """Whether the interval of the change leaves out that there is none."""
        percent = self.percent
        return percent.low > 0 or percent.high < 0

    @property
    def worse(self) -> bool:
        """Whether it changed beyond the noise, and for the worse."""
        return self.beyond_noise and self.percent.value * self.better < 0

    def regressed(self, bound: float) -> bool:
        """Whether it is worse by more than so many percent."""
        return self.worse and abs(self.percent.value) > bound


def _logarithms(figure: Estimate) -> Estimate:
    ends = (figure.value, figure.low, figure.high)
    return Estimate(*(math.log(max(end, _LEAST)) for end in ends))


def changes(old: Benchmark, new: Benchmark) -> list[Change]:
    """Every figure that both have: of models of one name, with the same threads and scenes."""
    before = {model.name: model for model in old.models}
    pairs = [(before[model.name], model) for model in new.models if model.name in before]
    return [change for pair in pairs for change in _of_model(*pair)]


def _of_model(old: Model, new: Model) -> Iterator[Change]:
    yield Change(new.name, "file, kB", exactly(old.bytes / 1000), exactly(new.bytes / 1000))
    for score in new.scores:
        past = old.score(score.truth)
        if past and (past.split, past.measured) == (score.split, score.measured):
            words = f"accuracy, {score.truth} {score.split}"
            yield Change(new.name, words, past.accuracy, score.accuracy, better=1)
    cells = {cell.threads: cell for cell in old.cells}
    for cell in new.cells:
        if cell.threads not in cells:
            continue
        past_cell = cells[cell.threads]
        threads = f"{cell.threads} thread{'s' if cell.threads > 1 else ''}"
        for words, name in (
            ("median ms", "median_ms"),
            ("p95 ms", "p95_ms"),
            ("start ms", "start_ms"),
            ("memory MiB", "memory_mib"),
        ):
            both = (getattr(past_cell, name), getattr(cell, name))
            yield Change(new.name, f"{words}, {threads}", *both)
        for pipeline in cell.pipelines:
            past_one = past_cell.pipeline(pipeline.scene)
            if past_one:
                words = f"frame ms, {pipeline.scene.words}, {threads}"
                yield Change(new.name, words, past_one.frame_ms, pipeline.frame_ms)


def machine_differences(old: Benchmark, new: Benchmark) -> list[str]:
    """In what the two machines differ, in words; empty where they are alike."""
    names = ("board", "processor", "machine", "cores", "memory_mib", "governor")
    return [
        f"{name}: {old.machine.get(name)} before, {new.machine.get(name)} now"
        for name in names
        if old.machine.get(name) != new.machine.get(name)
    ]
