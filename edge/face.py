"""The one record that runs through the pipeline: a face."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a frame. Each stage hands on a copy with its own part filled in.

    Attributes:
        box: x, y, width, height in pixels of the frame, origin at the top left; it may reach over
            the frame's edge.
        score: The detector's confidence, 0..1.
        keypoints: Right eye, left eye, nose tip, mouth, right ear, left ear (the person's own
            right and left) as x, y in pixels of the frame, float32 [6, 2].
        id: Number of the track, from 1; None before the tracker.
        emotion: The label with the highest probability; None before the classifier.
        confidence: The probability of ``emotion``.
        uncertain: Whether ``confidence`` is below the model's threshold.
        probabilities: Label to probability, in the order of the model's labels.
        person: Name of the enrolled person, or ``identity.UNKNOWN``; None where nobody asks.
        likeness: Of the face and the most alike person, up to 1.
    """

    box: tuple[float, float, float, float]
    score: float
    keypoints: NDArray[np.float32]
    id: int | None = None
    emotion: str | None = None
    confidence: float = 0.0
    uncertain: bool = False
    probabilities: dict[str, float] = field(default_factory=dict)
    person: str | None = None
    likeness: float = 0.0
