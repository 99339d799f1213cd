"""Following faces from frame to frame between two detections.

A face is looked for near where its track expects it, by the normalised correlation with what it
looked like when it was detected: a sixth of a millisecond, where detection takes one and a half. A
face that no longer looks like itself is lost, and asks for a detection at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face
from edge_fer.tracking.tracker import moved

Pixels = NDArray[np.uint8]

_SIDE = 24
"""Pixels of a template's side."""
_MARGIN = 10
"""Template pixels by which a face may be off on each side: four tenths of its width."""
_ALIKE = 0.55
"""Correlation below which a face is lost."""


@dataclass(frozen=True, eq=False)
class _Target:
    face: Face
    template: Pixels


class Follower:
    """Finds detected faces again in the frames after."""

    def __init__(self) -> None:
        self._targets: list[_Target] = []

    def start(self, pixels: Pixels, faces: Sequence[Face]) -> None:
        """Remember what faces look like, from the frame in which they were detected."""
        self._targets = [_Target(face, _patch(pixels, face, 0)) for face in faces]

    def follow(self, pixels: Pixels, expected: dict[int, Face]) -> list[Face] | None:
        """Find the faces in another frame.

        Args:
            pixels: The frame.
            expected: Where each track's face should be, by its number.

        Returns:
            The faces, or None where one was lost.
        """
        found: list[Face] = []
        for target in self._targets:
            near = expected.get(target.face.id or 0, target.face)
            face, alike = _look(pixels, near, target.template)
            if alike < _ALIKE:
                return None
            found.append(replace(face, score=target.face.score))
        return found


def _look(pixels: Pixels, near: Face, template: Pixels) -> tuple[Face, float]:
    scores = cv2.matchTemplate(_patch(pixels, near, _MARGIN), template, cv2.TM_CCOEFF_NORMED)
    _, alike, _, (column, row) = cv2.minMaxLoc(scores)
    x, y, width, height = near.box
    across = (column - _MARGIN + _between(scores[row], column)) * width / _SIDE
    along = (row - _MARGIN + _between(scores[:, column], row)) * height / _SIDE
    return moved(near, (x + across, y + along, width, height)), float(alike)


def _patch(pixels: Pixels, face: Face, margin: int) -> Pixels:
    """The grey face at the template's scale, with so many template pixels around it."""
    x, y, width, height = face.box
    wide, high = width * margin / _SIDE, height * margin / _SIDE
    left, top = round(x - wide), round(y - high)
    right, bottom = max(round(x + width + wide), left + 1), max(round(y + height + high), top + 1)
    rows, columns = pixels.shape[:2]
    inside = pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    side = _SIDE + 2 * margin
    if not inside.size:
        return np.zeros((side, side), np.uint8)
    if inside.shape[:2] != (bottom - top, right - left):
        over = (max(-top, 0), max(bottom - rows, 0), max(-left, 0), max(right - columns, 0))
        inside = np.asarray(cv2.copyMakeBorder(inside, *over, cv2.BORDER_REPLICATE), np.uint8)
    small = cv2.resize(inside, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)


def _between(line: NDArray[np.float32], best: int) -> float:
    """How far the top of a parabola through the best score and its neighbours is from it."""
    if not 0 < best < len(line) - 1:
        return 0.0
    before, top, after = (float(v) for v in line[best - 1 : best + 2])
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
