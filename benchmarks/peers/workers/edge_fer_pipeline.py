"""edge-fer itself, as ``edge-fer run`` puts it together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import protocol

if TYPE_CHECKING:
    from edge_fer import Classifier, Detector, Pipeline


class EdgeFer:
    """Detector, classifier, tracker and smoother."""

    def __init__(self, classifier: Classifier, detector: Detector, detect_every: int | str) -> None:
        self._classifier, self._detector = classifier, detector
        self._detect_every = detect_every
        self._pipeline: Pipeline
        self._fps = 0.0

    def begin(self, fps: float) -> None:
        """Start without tracks."""
        from edge_fer import Pipeline, Smoother, Tracker

        self._fps = fps
        self._pipeline = Pipeline(
            self._detector, self._classifier, Tracker(), Smoother(), self._detect_every
        )

    def frame(self, pixels: Any, index: int) -> list[protocol.Box]:
        """Detect or follow, classify, smooth."""
        from edge_fer import Frame

        reading = self._pipeline.read(Frame(pixels, index, index / self._fps))
        return [face.box for face in reading.faces]

    def face(self, pixels: Any) -> Mapping[str, float]:
        """Classify the whole picture: the crop rule is given the box that makes it so."""
        import numpy as np

        from edge_fer import Face

        rule, side = self._classifier.card.crop, pixels.shape[0]
        width = side / rule.scale
        left, top = (side - width) / 2, (side - width) / 2 + rule.shift * width
        level_eyes = np.zeros((6, 2), np.float32)
        level_eyes[1, 0] = 1
        face = Face((left, top, width, width), 1.0, level_eyes)
        (face,) = self._classifier.classify(pixels, [face])
        return face.probabilities


def load(options: dict[str, Any]) -> EdgeFer:
    """Open it with the model, detector and detect_every of the options."""
    with protocol.importing():
        from edge_fer import Classifier, Pipeline, Smoother, Tracker, open_detector  # noqa: F401
    classifier = Classifier(options["model"])
    return EdgeFer(classifier, open_detector(options["detector"]), options["detect_every"])


protocol.serve(load)
