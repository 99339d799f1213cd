"""Source to readings: detect, crop, classify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter

from edge_fer.classifier import Classifier
from edge_fer.detector import Detector
from edge_fer.frame import Frame, Reading


class Pipeline:
    """Finds the faces of each frame and reads their emotions.

    Args:
        detector: What finds faces.
        classifier: What reads them.
    """

    def __init__(self, detector: Detector, classifier: Classifier) -> None:
        self._detector, self._classifier = detector, classifier

    def read(self, frame: Frame) -> Reading:
        """Read one frame."""
        start = perf_counter()
        found = self._detector.detect(frame.pixels)
        detected = perf_counter()
        faces = self._classifier.classify(frame.pixels, found)
        stages = {"detect": detected - start, "classify": perf_counter() - detected}
        return Reading(frame, faces, stages)

    def run(self, source: Iterable[Frame]) -> Iterator[Reading]:
        """Read every frame of a source; what it raises passes through."""
        for frame in source:
            yield self.read(frame)
