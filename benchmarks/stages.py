"""Where the time of a frame goes, from the detector to the smoothed reading."""

from __future__ import annotations

import math
import time
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks.scene import Scene, draw
from edge_fer.benchmarks.speed import Times, timed
from edge_fer.classifier import Classifier
from edge_fer.detector import Detector
from edge_fer.face import Face
from edge_fer.frame import Frame
from edge_fer.pipeline import Pipeline
from edge_fer.tracking.smoothing import Smoother
from edge_fer.tracking.tracker import Tracker

STAGES = ("detect", "track", "crop", "classify")
"""The detector; following and numbering; cutting out the faces and smoothing; the network."""


class WatchedClassifier(Classifier):
    """Adds up the seconds in its network."""

    network_s = 0.0

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As the classifier does it."""
        before = time.perf_counter()
        logits = super().logits(pictures)
        self.network_s += time.perf_counter() - before
        return logits


class WatchedDetector:
    """Adds up the seconds in a detector.

    Args:
        detector: What finds faces.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector, self.spent_s = detector, 0.0

    def __enter__(self) -> Self:
        self._detector.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._detector.__exit__(*reason)

    def detect(self, frame: NDArray[np.uint8]) -> list[Face]:
        """As the detector does it."""
        before = time.perf_counter()
        faces = self._detector.detect(frame)
        self.spent_s += time.perf_counter() - before
        return faces


def frame_times(
    scene: Scene,
    detector: WatchedDetector,
    classifier: WatchedClassifier,
    runs: int,
    seconds: float = math.inf,
) -> tuple[Times, dict[str, float], int]:
    """Time the live pipeline, all but reading and drawing, on the same frame again and again.

    Args:
        scene: What the frame shows.
        detector: What finds faces.
        classifier: What reads them.
        runs: Number of times to take.
        seconds: As for ``timed``.

    Returns:
        Milliseconds a frame, each averaged from one detection to the next; medians of the stages'
        milliseconds a frame; and the number of faces that were read in the last frame.
    """
    pixels, every = draw(scene), scene.detect_every
    pipeline = Pipeline(detector, classifier, Tracker(), Smoother(), every)
    stages: dict[str, list[float]] = {name: [] for name in STAGES}
    index = found = 0

    def cycle() -> None:
        nonlocal index, found
        detected, inferred = detector.spent_s, classifier.network_s
        finding = reading_s = 0.0
        for _ in range(every):
            reading = pipeline.read(Frame(pixels, index, index / 30))
            index, found = index + 1, len(reading.faces)
            finding += reading.stages["detect"]
            reading_s += reading.stages["classify"]
        detect, classify = detector.spent_s - detected, classifier.network_s - inferred
        for name, spent in zip(
            STAGES, (detect, finding - detect, reading_s - classify, classify), strict=True
        ):
            stages[name].append(1000 * spent / every)

    times = timed(cycle, runs, seconds) / every
    return times, {name: float(np.median(spent)) for name, spent in stages.items()}, found
