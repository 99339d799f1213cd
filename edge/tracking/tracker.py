"""One number a face: a small tracker.

Each track moves on at constant velocity; tracks and detections are paired by how well their boxes
agree, the best sum over all pairs; an alpha-beta filter (the steady state of a Kalman filter for
constant velocity) corrects place, size and velocity. Motion model and assignment are those of SORT
(Bewley et al., "Simple Online and Realtime Tracking", 2016); the agreement of two boxes also counts
the distance of their centres (Zheng et al., "Distance-IoU Loss", 2020), so that a fast face is
followed whose boxes no longer overlap. Plain floats: so few numbers are faster so than as arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_fer.face import Face
from edge_fer.tracking.assignment import assign

Box = tuple[float, float, float, float]

_FORGET = 0.4
"""Seconds after which the velocity of a face that is not seen has fallen to a third: who vanishes
behind something does not fly on for ever."""
_REACH = -0.6
"""Least agreement of a pair: boxes of one size whose centres are one and a half widths apart."""


@dataclass
class _Track:
    """A face over time; lengths in pixels, times in seconds.

    Attributes:
        face: As it was detected last, with its number.
        x, y: Filtered centre of its box.
        width, height: Filtered size of its box.
        right, down: Velocity of the centre.
        time: When it was detected last.
        hits: How often it was detected.
    """

    face: Face
    x: float
    y: float
    width: float
    height: float
    time: float
    right: float = 0.0
    down: float = 0.0
    hits: int = 1

    def box_at(self, time: float) -> Box:
        """Where it should be at another time: the velocity decays from the last detection on."""
        way = -_FORGET * math.expm1(-max(time - self.time, 0.0) / _FORGET)
        x, y = self.x + self.right * way, self.y + self.down * way
        return x - self.width / 2, y - self.height / 2, self.width, self.height

    def correct(self, face: Face, time: float, gain: float) -> None:
        """Take a detection.

        Args:
            face: As it was detected, with the track's number.
            time: Of the detection.
            gain: Share of the difference between expected and detected box that is believed.
        """
        x, y, width, height = self.box_at(time)
        left, top, wide, high = face.box
        step = time - self.time
        # The first detections tell the velocity best, one after a long gap hardly any.
        gain = max(gain, 1 / (self.hits + 1))
        across, along = left + wide / 2 - x - width / 2, top + high / 2 - y - height / 2
        if step > 0:
            trust = gain**2 / (2 - gain) * math.exp(-max(step - _FORGET, 0.0) / _FORGET)
            self.right += trust * across / step
            self.down += trust * along / step
        self.x, self.y = x + width / 2 + gain * across, y + height / 2 + gain * along
        self.width += gain * (wide - self.width)
        self.height += gain * (high - self.height)
        self.face, self.time, self.hits = face, time, self.hits + 1


class Tracker:
    """Gives every face the number of its track.

    Args:
        keep: Seconds for which a face that is not seen keeps its number. Raise it where people
            are often hidden for longer; lower it where many people come and go.
        gain: Share of the difference between expected and detected place that is believed, 0..1.
            Lower it where boxes tremble; raise it where faces move abruptly.
    """

    def __init__(self, keep: float = 1.0, gain: float = 0.8) -> None:
        self._keep, self._gain = keep, gain
        self._tracks: list[_Track] = []
        self._next = 1

    def update(self, faces: Sequence[Face], time: float) -> list[Face]:
        """Take the faces of a frame.

        Args:
            faces: What the detector found.
            time: Of the frame, in seconds; it must not go back.

        Returns:
            The same faces, in the same order, with their tracks' numbers.
        """
        self._tracks = [t for t in self._tracks if time - t.time <= self._keep]
        tracks: list[_Track | None] = [None] * len(faces)
        for track, number in self._pairs(faces, time):
            track.correct(replace(faces[number], id=track.face.id), time, self._gain)
            tracks[number] = track
        return [
            (track or self._begin(face, time)).face
            for track, face in zip(tracks, faces, strict=True)
        ]

    def expected(self, time: float, within: float = math.inf) -> list[Face]:
        """The tracked faces where they should be.

        Args:
            time: In seconds.
            within: Only those that were seen at most so many seconds before.
        """
        oldest = time - min(within, self._keep)
        return [moved(t.face, t.box_at(time)) for t in self._tracks if t.time >= oldest]

    def speed(self, step: float) -> float:
        """The widths of its box that the fastest face moves in so many seconds."""
        return max((math.hypot(t.right, t.down) * step / t.width for t in self._tracks), default=0)

    def _pairs(self, faces: Sequence[Face], time: float) -> list[tuple[_Track, int]]:
        if not self._tracks or not faces:
            return []
        expected = [track.box_at(time) for track in self._tracks]
        agreement = np.array([[agree(box, face.box) for face in faces] for box in expected])
        # What is out of reach costs the same whatever it is: it must not bend the good pairs.
        cost = 1 - np.maximum(agreement, _REACH)
        return [(self._tracks[i], j) for i, j in assign(cost) if agreement[i, j] > _REACH]

    def _begin(self, face: Face, time: float) -> _Track:
        x, y, width, height = face.box
        numbered = replace(face, id=self._next)
        track = _Track(numbered, x + width / 2, y + height / 2, width, height, time)
        self._tracks.append(track)
        self._next += 1
        return track


def overlap(box: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    return common / max(box[2] * box[3] + other[2] * other[3] - common, 1e-9)


def agree(box: Box, other: Box) -> float:
    """Distance-IoU of two boxes: 1 where they are the same, down to almost -1 far apart."""
    far = math.hypot(
        box[0] + box[2] / 2 - other[0] - other[2] / 2, box[1] + box[3] / 2 - other[1] - other[3] / 2
    )
    around = math.hypot(
        max(box[0] + box[2], other[0] + other[2]) - min(box[0], other[0]),
        max(box[1] + box[3], other[1] + other[3]) - min(box[1], other[1]),
    )
    return overlap(box, other) - (far / max(around, 1e-9)) ** 2


def moved(face: Face, box: Box) -> Face:
    """The face with another box, its key points moved and scaled with it."""
    x, y, width, height = face.box
    scale = np.array([box[2] / max(width, 1e-9), box[3] / max(height, 1e-9)], np.float32)
    corner, place = np.array([x, y], np.float32), np.array(box[:2], np.float32)
    return replace(face, box=box, keypoints=(face.keypoints - corner) * scale + place)
