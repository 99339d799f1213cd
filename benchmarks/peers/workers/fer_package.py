"""The package ``fer``, asked through ``detect_emotions``; the options are those of ``FER``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import protocol


class Fer:
    """``FER`` as the package's README uses it."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def begin(self, fps: float) -> None:
        """It remembers nothing."""

    def frame(self, pixels: Any, index: int) -> list[protocol.Box]:
        """Detect and classify."""
        return [face["box"] for face in self._detector.detect_emotions(pixels)]

    def face(self, pixels: Any) -> Mapping[str, float]:
        """Classify the whole picture."""
        # It looks at a box with 10 more pixels on each side (`offsets`).
        height, width = pixels.shape[:2]
        (face,) = self._detector.detect_emotions(pixels, [(10, 10, width - 20, height - 20)])
        emotions: Mapping[str, float] = face["emotions"]
        return emotions


def load(options: dict[str, Any]) -> Fer:
    """Open it."""
    with protocol.importing():
        from fer.fer import FER  # what its README says, `from fer import FER`, fails
    return Fer(FER(**options))


protocol.serve(load)
