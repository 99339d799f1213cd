"""A live run on a pretended slower board: how old its readings are when they are out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_fer.classifier import Classifier
from edge_fer.detector import open_detector
from edge_fer.pipeline import Pipeline
from edge_fer.sources import open_source
from edge_fer.tracking.smoothing import Smoother
from edge_fer.tracking.tracker import Tracker


@dataclass(frozen=True)
class Aged:
    """How old readings were when they were out, in times of a reading.

    Attributes:
        readings: How many there were.
        median: The median.
        p99: Ninety-nine of a hundred are younger.
        oldest: The oldest, the first second left out.
    """

    readings: int
    median: float
    p99: float
    oldest: float


def slowed_command(video: Path, model: Path, detector: str, period: float, ages: Path) -> list[str]:
    """The command of a process that reads a video, looped as a camera, and takes its time.

    Args:
        video: The file.
        model: The classifier.
        detector: Name of the detector.
        period: Seconds that every reading takes.
        ages: File that gets a line for every reading: seconds since the start, and its age.
    """
    code = "import sys; from edge_fer.benchmarks.slowed import run; run(*sys.argv[1:])"
    return [sys.executable, "-c", code, *map(str, (video, model, detector, period, ages))]


def run(video: str, model: str, detector: str, period: str, ages: str) -> None:
    """What the process of ``slowed_command`` does, until it is ended."""
    start = time.monotonic()
    with (
        open_detector(detector) as finder,
        open_source(video, loop=True) as source,
        Path(ages).open("w", buffering=1) as lines,
    ):
        pipeline = Pipeline(finder, Classifier(model), Tracker(), Smoother())
        for reading in pipeline.run(source):
            time.sleep(max(float(period) - sum(reading.stages.values()), 0))
            now = time.monotonic()
            lines.write(f"{now - start:.3f} {reading.age(now):.4f}\n")


def read_ages(path: Path) -> list[tuple[float, float]]:
    """What the process has written: seconds since its start, and the age of each reading."""
    whole = path.read_text().rpartition("\n")[0]
    return [(float(a), float(b)) for a, b in (line.split() for line in whole.splitlines())]


def aged(ages: Sequence[tuple[float, float]], period: float) -> Aged:
    """Sum up ages.

    Args:
        ages: Seconds since the start, and the age of each reading; at least one.
        period: Seconds that a reading takes.
    """
    late = [age for second, age in ages if second >= ages[0][0] + 1] or [ages[-1][1]]
    median, p99, oldest = np.percentile(np.array(late) / period, (50, 99, 100))
    return Aged(len(ages), round(median, 3), round(p99, 3), round(oldest, 3))
