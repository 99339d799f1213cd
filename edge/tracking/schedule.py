"""When the detector has to look again."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face

_CELLS = (40, 30)
_CHANGED = 22
"""Grey levels by which a cell must change to count as motion: more than a sensor's noise."""
_FEW = 3
"""Cells that may change without a face having come in."""
_LONGEST = 8
"""Frames between two detections at most: a face that is followed is never older."""
_IDLE = 4
"""The same where there is no face to follow."""


class DetectionSchedule:
    """Says for each frame whether the detector is to run.

    Args:
        every: A number: every so many frames. ``"auto"``: at once where something moves that is no
            known face, else the more often the faster the known faces move.
    """

    def __init__(self, every: int | str = "auto") -> None:
        self._every = every
        self._cells: NDArray[np.int16] | None = None
        self._since = self._interval = 0

    def due(self, pixels: NDArray[np.uint8], faces: Sequence[Face]) -> bool:
        """Whether the detector is to run on a frame.

        Args:
            pixels: The frame.
            faces: Where the known faces are expected.
        """
        self._since += 1
        if self._every != "auto":
            return self._since >= int(self._every)
        before, self._cells = self._cells, _cells(pixels)
        if before is None or self._since >= self._interval:
            return True
        moving = np.abs(self._cells - before) > _CHANGED
        height, width = pixels.shape[:2]
        for face in faces:
            x, y, wide, high = face.box
            # Hair, shoulders and what moves with a head belong to it.
            left, right = (x - 0.5 * wide) * _CELLS[0] / width, (x + 1.5 * wide) * _CELLS[0] / width
            top, bottom = (y - 0.6 * high) * _CELLS[1] / height, (y + 2 * high) * _CELLS[1] / height
            moving[max(int(top), 0) : int(bottom) + 1, max(int(left), 0) : int(right) + 1] = False
        return int(moving.sum()) > _FEW

    def detected(self, speed: float, faces: int) -> None:
        """Note that the detector has run.

        Args:
            speed: Of the fastest known face, in widths of its box a frame.
            faces: How many there are.
        """
        self._since = 0
        longest = _LONGEST if faces else _IDLE
        self._interval = max(2, min(longest, round(0.3 / max(speed, 1e-3))))


def _cells(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    small = cv2.resize(pixels, _CELLS, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)).astype(np.int16)
