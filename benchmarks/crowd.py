"""A made scene, hard on trackers: faces come, go, cross, rush, stand still and are cut away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks import FRAME_SIZE
from edge_fer.frame import Frame

Pictures = NDArray[np.uint8]
_FPS = 30
_SECONDS = 30
_CUT = 10
"""Seconds between cuts: all that is seen changes from one frame to the next."""


@dataclass(frozen=True)
class _Actor:
    """A face and its way: in a straight line, swaying, between two moments."""

    picture: NDArray[np.uint8]
    side: float
    begin: float
    end: float
    start: tuple[float, float]
    velocity: tuple[float, float]
    sway: float

    def at(self, time: float) -> tuple[float, float]:
        """The face's centre."""
        since = time - self.begin
        rock = self.sway * self.side * math.sin(2 * math.pi * since)
        (x, y), (right, down) = self.start, self.velocity
        return x + since * right + rock, y + since * down


def crowd(pictures: Pictures, seed: int = 0, seconds: float = _SECONDS) -> Iterator[Frame]:
    """Play the scene.

    Args:
        pictures: Faces in grey, framed closely [N, H, W].
        seed: Decides who comes when, and the way they take.
        seconds: How long the scene is, at thirty frames a second.

    Yields:
        Frames of ``FRAME_SIZE``, with the noise of a sensor in good light.
    """
    rng = np.random.default_rng(seed)
    actors = _cast(pictures, rng, seconds)
    sets = [_background(rng) for _ in range(math.ceil(seconds / _CUT))]
    for index in range(round(seconds * _FPS)):
        time = index / _FPS
        canvas = sets[int(time // _CUT)].copy()
        for actor in actors:
            if actor.begin <= time < actor.end:
                _paint(canvas, actor, time)
        grain = rng.standard_normal(canvas.shape, np.float32) * 2
        grey = np.clip(np.rint(canvas + grain), 0, 255).astype(np.uint8)
        yield Frame(np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8), index, time)


def _cast(pictures: Pictures, rng: np.random.Generator, seconds: float) -> list[_Actor]:
    """Someone new every second or two; nobody stays beyond a cut."""
    width, height = FRAME_SIZE
    actors, begin = [], 0.0
    while begin < seconds:
        side = float(rng.uniform(0.4, 0.65)) * height
        y = float(rng.uniform(0.3, 0.7)) * height
        cut = (math.floor(begin / _CUT) + 1) * _CUT
        if rng.random() < 0.4:  # stands somewhere at once, and goes at once
            start = float(rng.uniform(0.2, 0.8)) * width, y
            speed, end = 0.0, begin + float(rng.uniform(1, 4))
        else:  # walks or rushes through, from one side to the other
            speed = float(rng.choice([-1, 1]) * rng.choice([80, 160, 320, 640]))
            start = (-side / 2 if speed > 0 else width + side / 2), y
            end = begin + (width + side) / abs(speed)
        actors.append(
            _Actor(
                picture=pictures[int(rng.integers(len(pictures)))],
                side=side,
                begin=begin,
                end=min(end, cut),
                start=start,
                velocity=(speed, float(rng.uniform(-15, 15))),
                sway=float(rng.choice([0.0, 0.05, 0.2])),
            )
        )
        begin += float(rng.exponential(1.5))
    return actors


def _background(rng: np.random.Generator) -> NDArray[np.float32]:
    """Something of large and small shapes, as a room is."""
    width, height = FRAME_SIZE
    levels = np.full((height, width), float(rng.uniform(90, 150)), np.float32)
    for cells in (4, 12, 48):
        shapes = rng.standard_normal((cells * 3 // 4, cells), np.float32) * 25
        levels += cv2.resize(shapes, FRAME_SIZE, interpolation=cv2.INTER_CUBIC)
    return levels


def _paint(canvas: NDArray[np.float32], actor: _Actor, time: float) -> None:
    """Put a face over what is there, its edges soft, at parts of a pixel."""
    rows, columns = actor.picture.shape
    x, y = actor.at(time)
    scale = actor.side / columns
    place = np.array([[scale, 0, x - actor.side / 2], [0, scale, y - actor.side / 2]])
    face = cv2.warpAffine(
        actor.picture, place, FRAME_SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    oval = np.zeros((rows, columns), np.float32)
    middle, axes = (columns // 2, rows // 2), (columns // 2 - 3, rows // 2 - 3)
    cv2.ellipse(oval, middle, axes, 0, 0, 360, 1.0, -1)
    mask = cv2.warpAffine(cv2.blur(oval, (5, 5)), place, FRAME_SIZE, flags=cv2.INTER_LINEAR)
    canvas += mask * (face - canvas)
