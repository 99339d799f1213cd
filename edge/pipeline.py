"""Source to readings: detect or follow, track, crop and classify, smooth, recognise."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from edge_fer.classifier import Classifier
from edge_fer.detector import Detector
from edge_fer.errors import EdgeFerError
from edge_fer.face import Face
from edge_fer.frame import Frame, Reading
from edge_fer.limited import Limited
from edge_fer.tracking.follower import Follower
from edge_fer.tracking.schedule import DetectionSchedule
from edge_fer.tracking.smoothing import Smoother
from edge_fer.tracking.tracker import Tracker

if TYPE_CHECKING:
    from edge_fer.identity.recognizer import Recognizer

log = logging.getLogger(__name__)


class Pipeline:
    """Finds the faces of each frame, follows them, and reads their emotions.

    A frame with a file's name is a picture by itself: its faces are not tracked.

    Args:
        detector: What finds faces.
        classifier: What reads them.
        tracker: What numbers them; None reads every frame alone.
        smoother: What calms the readings of a track; None leaves them as they are.
        detect_every: The detector runs every so many frames, or ``"auto"``: as motion asks for;
            between, faces are followed. Needs a tracker.
        blur_faces: Annotated frames show no face that could be recognised.
        recognizer: What gives faces their people's names; None leaves them nameless.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        tracker: Tracker | None = None,
        smoother: Smoother | None = None,
        detect_every: int | str = 1,
        blur_faces: bool = False,
        recognizer: Recognizer | None = None,
    ) -> None:
        self._detector, self._classifier = detector, classifier
        self._blur_faces, self._recognizer = blur_faces, recognizer
        self._failures = Limited(lambda text: log.warning("%s", text))
        self._tracker, self._smoother = tracker, smoother
        self._schedule = DetectionSchedule(detect_every) if detect_every != 1 else None
        self._follower = Follower()
        self._last: Frame | None = None

    def read(self, frame: Frame) -> Reading:
        """Read one frame."""
        start = perf_counter()
        alone = frame.name is not None or self._tracker is None
        faces = self._detector.detect(frame.pixels) if alone else self._tracked(frame)
        found = perf_counter()
        faces = self._classifier.classify(frame.pixels, faces)
        if self._smoother is not None and not alone:
            threshold = self._classifier.card.threshold
            faces = self._smoother.update(faces, frame.time, threshold)
        classified = perf_counter()
        stages = {"detect": found - start, "classify": classified - found}
        if self._recognizer is not None:
            faces = self._recognizer.update(frame, faces)
            stages["identify"] = perf_counter() - classified
        return Reading(frame, faces, stages, self._blur_faces)

    def run(self, source: Iterable[Frame]) -> Iterator[Reading]:
        """Read every frame of a source; what it raises passes through.

        A frame that the detector or the classifier fails on ends nothing: its reading has no faces
        and is marked as failed.
        """
        for frame in source:
            try:
                reading = self.read(frame)
            except EdgeFerError:
                raise
            except Exception as e:
                self._failures.failed(f"frame {frame.index} could not be read", e)
                reading = Reading(frame, [], blurred=self._blur_faces, failed=True)
            yield reading

    def _tracked(self, frame: Frame) -> list[Face]:
        tracker, schedule, pixels = self._tracker, self._schedule, frame.pixels
        assert tracker is not None
        if schedule is None:
            return tracker.update(self._detector.detect(pixels), frame.time)
        last, self._last = self._last, frame
        expected = {face.id or 0: face for face in tracker.expected(frame.time)}
        same = last is not None and last.pixels.shape == pixels.shape
        if not schedule.due(pixels, list(expected.values())) and same:
            followed = self._follower.follow(pixels, expected)
            if followed is not None:
                return tracker.update(followed, frame.time)
        faces = tracker.update(self._detector.detect(pixels), frame.time)
        self._follower.start(pixels, faces)
        step = frame.time - last.time if last is not None else 0.0
        schedule.detected(tracker.speed(step), len(faces))
        return faces
