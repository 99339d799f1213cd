"""What flows through the pipeline: frames in, readings out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face

_LONGEST = 16384
"""Pixels of the longest side of a picture: a larger one is a fault of its source."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture from a source.

    Attributes:
        pixels: Blue-green-red, uint8 [H, W, 3].
        index: Number of the frame, from 0.
        time: Seconds since the source's start.
        name: File name, for pictures.
        clock: Seconds since 1970, for live sources.
        taken: Monotonic time at which it came, for live sources.
    """

    pixels: NDArray[np.uint8]
    index: int
    time: float
    name: str | None = None
    clock: float | None = None
    taken: float | None = None


def as_bgr(pixels: NDArray[Any] | None) -> NDArray[np.uint8] | None:
    """Pixels as the pipeline takes them, or None for what is no picture.

    Grey, 16-bit and four-channel pictures are converted; what is right stays the same memory.

    Args:
        pixels: Whatever a source gave.
    """
    if pixels is None or pixels.ndim not in (2, 3) or not all(pixels.shape):
        return None
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype != np.uint8 or max(pixels.shape[:2]) > _LONGEST:
        return None
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    elif channels == 4:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    elif channels != 3:
        return None
    return np.asarray(pixels, np.uint8)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read from one frame.

    Attributes:
        frame: The frame.
        faces: Every face in it, classified, the surest detection first.
        stages: Seconds that each stage took.
        blurred: Whether the annotated frame hides who the faces are.
        failed: Whether the frame could not be read.
    """

    frame: Frame
    faces: list[Face]
    stages: dict[str, float] = field(default_factory=dict)
    blurred: bool = False
    failed: bool = False

    @cached_property
    def annotated(self) -> NDArray[np.uint8]:
        """The frame with boxes and emotions drawn; made once, for every sink that wants it."""
        from edge_fer.draw import annotate, hide

        if self.blurred and self.failed:  # there may be faces that nobody has found
            return hide(self.frame.pixels)
        return annotate(self.frame.pixels, self.faces, self.blurred)

    def age(self, now: float) -> float | None:
        """Seconds since the frame came, for live sources; ``now`` is monotonic time."""
        return None if self.frame.taken is None else now - self.frame.taken

    def to_dict(self) -> dict[str, Any]:
        """The reading as plain data: the schema of a JSON line."""
        height, width = self.frame.pixels.shape[:2]
        row: dict[str, Any] = {
            "frame": self.frame.index,
            "time": round(self.frame.time, 3),
            "width": width,
            "height": height,
        }
        if self.frame.name is not None:
            row["source"] = self.frame.name
        if self.frame.clock is not None:
            row["clock"] = round(self.frame.clock, 3)
        row["faces"] = [_face_dict(face) for face in self.faces]
        return row


def _face_dict(face: Face) -> dict[str, Any]:
    known = {"person": face.person, "likeness": round(face.likeness, 4)}
    return {
        "id": face.id,
        **(known if face.person is not None else {}),
        "box": [round(v, 1) for v in face.box],
        "score": round(face.score, 3),
        "emotion": face.emotion,
        "confidence": round(face.confidence, 4),
        "uncertain": face.uncertain,
        "probabilities": {k: round(v, 4) for k, v in face.probabilities.items()},
    }
