"""How the live pipeline does on a video: speed, faces kept, calm, and what our own code costs.

The frames are decoded before anything is timed, as a camera's driver would give them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edge_fer.classifier import Classifier
from edge_fer.detector import Detector
from edge_fer.face import Face
from edge_fer.frame import Frame, Reading
from edge_fer.pipeline import Pipeline
from edge_fer.tracking.smoothing import Smoother
from edge_fer.tracking.tracker import Tracker, overlap

_SAME = 0.5
"""Intersection over union from which on two boxes are one face."""


@dataclass(frozen=True)
class Live:
    """What one way of running the pipeline came to on one video.

    Attributes:
        video: Its name.
        detect_every: A number of frames, or ``"auto"``.
        frames: Number of frames.
        detections: How often the detector ran.
        fps: Frames a second, from the mean time of a frame.
        median_ms: Median time of a frame.
        found: Share of the faces that detection of every frame finds that were found.
        extra: Faces found that it does not find, as a share of those.
        switches: Changes of a face's emotion, a second of video.
        raw_switches: The same without smoothing.
        identities: Numbers given to faces.
        own: Time of our own code as a share of that of networks and warps.
    """

    video: str
    detect_every: int | str
    frames: int
    detections: int
    fps: float
    median_ms: float
    found: float
    extra: float
    switches: float
    raw_switches: float
    identities: int
    own: float


class _Counting:
    """A detector that counts how often it is asked."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self.asked = detector, 0

    def __enter__(self) -> _Counting:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, frame: Any) -> list[Face]:
        self.asked += 1
        return self._detector.detect(frame)


def measure_live(
    name: str,
    frames: Sequence[Frame],
    classifier: Classifier,
    detector: Detector,
    detect_every: int | str = 1,
    rounds: int = 3,
) -> Live:
    """Run the pipeline over the frames of a video.

    Args:
        name: The video's name.
        frames: All its frames, at least one.
        classifier: What reads the faces.
        detector: What finds them.
        detect_every: As for ``Pipeline``.
        rounds: How often to run; the quickest is reported.
    """
    every = [detector.detect(frame.pixels) for frame in frames]
    best: tuple[float, list[float], list[Reading], int, float] | None = None
    for _ in range(rounds):
        counting = _Counting(detector)
        pipeline = Pipeline(counting, classifier, Tracker(), Smoother(), detect_every)
        with _natives() as native:
            times, readings = _timed(pipeline, frames)
        if best is None or sum(times) < best[0]:
            best = sum(times), times, readings, counting.asked, native()
    assert best is not None
    total, times, readings, asked, inside = best
    raw = _timed(Pipeline(detector, classifier, Tracker(), None, detect_every), frames)[1]
    wanted = sum(len(faces) for faces in every)
    got = [[face.box for face in reading.faces] for reading in readings]
    pairs = list(zip(every, got, strict=True))
    found = sum(
        any(overlap(f.box, box) >= _SAME for box in boxes) for faces, boxes in pairs for f in faces
    )
    extra = sum(
        not any(overlap(f.box, box) >= _SAME for f in faces)
        for faces, boxes in pairs
        for box in boxes
    )
    seconds = max(frames[-1].time, 1e-9)
    return Live(
        video=name,
        detect_every=detect_every,
        frames=len(frames),
        detections=asked,
        fps=round(len(frames) / total, 1),
        median_ms=round(1000 * float(np.median(times)), 3),
        found=round(found / max(wanted, 1), 4),
        extra=round(extra / max(wanted, 1), 4),
        switches=round(_switches(readings) / seconds, 3),
        raw_switches=round(_switches(raw) / seconds, 3),
        identities=len({face.id for reading in readings for face in reading.faces}),
        own=round(total / inside - 1, 3),
    )


def noisy(frames: Iterable[Frame], noise: float) -> Iterator[Frame]:
    """Frames with noise, as a sensor in the dark adds it: it makes readings flicker.

    Args:
        frames: The frames.
        noise: Its deviation in grey levels; none where 0.
    """
    rng = np.random.default_rng(0)
    for frame in frames:
        if noise:
            grain = rng.standard_normal(frame.pixels.shape[:2], np.float32)[..., None] * noise
            pixels = np.clip(np.rint(frame.pixels + grain), 0, 255).astype(np.uint8)
            frame = replace(frame, pixels=pixels)
        yield frame


def _timed(pipeline: Pipeline, frames: Sequence[Frame]) -> tuple[list[float], list[Reading]]:
    times, readings = [], []
    for frame in frames:
        before = perf_counter()
        readings.append(pipeline.read(frame))
        times.append(perf_counter() - before)
    return times, readings


def _switches(readings: list[Reading]) -> int:
    said: dict[int, list[str]] = {}
    for reading in readings:
        for face in reading.faces:
            said.setdefault(face.id or 0, []).append(str(face.emotion))
    return sum(a != b for words in said.values() for a, b in itertools.pairwise(words))


@contextmanager
def _natives() -> Iterator[Callable[[], float]]:
    """Adds up the seconds inside of LiteRT's networks and OpenCV's warps while the block runs."""
    spent = 0.0

    def timed(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal spent
            before = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent += perf_counter() - before

        return call

    invoke, warp = Interpreter.invoke, cv2.warpAffine
    Interpreter.invoke, cv2.warpAffine = timed(invoke), timed(warp)
    try:
        yield lambda: spent
    finally:
        Interpreter.invoke, cv2.warpAffine = invoke, warp
