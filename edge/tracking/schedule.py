"""When the detector has to look again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face
from edge_fer.tracking.tracker import overlap

_CELLS = (40, 30)
_CHANGED = 8
"""Grey levels by which a cell's mean must change to count as motion, where there is no noise."""
_HIDING = 2
"""Frames between two detections at most where one face may be hiding another."""
_NOISE = 6
"""Times the median change by which a cell must change: four deviations of a sensor's noise."""
_CUT = 25
"""Median change, in grey levels, from which on nothing is where it was."""
_FEW = 3
"""Cells that may change without a face having come in."""
_LONGEST = 8
"""Frames between two detections at most: a face that is followed is never older."""
_IDLE = 2
"""The same where there is no face to follow."""


class DetectionSchedule:
    """Says for each frame whether the detector is to run.

    Args:
        every: A number: every so many frames. ``"auto"``: at once where something moves that is no
            known face, else the more often the faster the known faces move.
    """

    def __init__(self, every: int | str = "auto") -> None:
        self._every = every
        self._then: NDArray[np.int16] | None = None
        self._now: NDArray[np.int16] | None = None
        self._since = self._interval = self._faces = 0

    def due(self, pixels: NDArray[np.uint8], faces: Sequence[Face]) -> bool:
        """Whether the detector is to run on a frame.

        Args:
            pixels: The frame.
            faces: Where the known faces are expected.
        """
        self._since += 1
        if self._every != "auto":
            return self._since >= int(self._every)
        self._now = _cells(pixels)
        if self._then is None or self._since >= self._interval:
            return True
        if self._since >= _HIDING and any(
            overlap(face.box, other.box) > 0 for face, other in itertools.combinations(faces, 2)
        ):
            return True
        # Since the detection and not since the frame before: who comes in slowly comes in, too.
        change = np.abs(self._now - self._then)
        usual = int(np.median(change[::3, ::3]))
        if usual > _CUT:
            return True
        moving = change > max(_CHANGED, _NOISE * usual)
        height, width = pixels.shape[:2]
        for face in faces:
            x, y, wide, high = face.box
            # Hair, shoulders and what moves with a head belong to it.
            left, right = x - 0.35 * wide, x + 1.35 * wide
            top, bottom = y - 0.6 * high, y + 2 * high
            moving[
                max(int(top * _CELLS[1] / height), 0) : int(bottom * _CELLS[1] / height) + 1,
                max(int(left * _CELLS[0] / width), 0) : int(right * _CELLS[0] / width) + 1,
            ] = False
        return int(moving.sum()) > _FEW

    def detected(self, speed: float, faces: int) -> None:
        """Note that the detector has run.

        Args:
            speed: Of the fastest known face, in widths of its box a frame.
            faces: How many there are.
        """
        self._since, self._then = 0, self._now
        if faces != self._faces:  # someone came or went, or is seen now and then: look again
            self._faces, self._interval = faces, 1
            return
        longest = _LONGEST if faces else _IDLE
        self._interval = max(2, min(longest, round(0.3 / max(speed, 1e-3))))


def _cells(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    # Two steps: many pixels a cell are averaged, but not all of a large frame are read.
    twice = cv2.resize(pixels, (2 * _CELLS[0], 2 * _CELLS[1]), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(twice, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(grey, _CELLS, interpolation=cv2.INTER_AREA)).astype(np.int16)
