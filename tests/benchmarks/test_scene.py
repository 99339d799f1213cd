"""Frames with a known number of faces."""

import pytest

from edge_fer.benchmarks.scene import MOST_FACES, TYPICAL, Scene, draw
from edge_fer.benchmarks.stages import STAGES, WatchedClassifier, WatchedDetector, frame_times
from edge_fer.detector import open_detector


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720), (1920, 1080), (480, 640)])
def test_every_face_is_found(size):
    with open_detector("blazeface") as detector:
        for faces in range(1, MOST_FACES + 1):
            frame = draw(Scene(*size, faces))
            assert frame.shape == (size[1], size[0], 3)
            assert len(detector.detect(frame)) == faces


def test_the_stages_are_parts_of_the_frame():
    classifier = WatchedClassifier("fer-base")
    with WatchedDetector(open_detector("blazeface")) as detector:
        for scene in TYPICAL:
            times, stages, found = frame_times(scene, detector, classifier, 5)
            assert found == scene.faces
            assert set(stages) == set(STAGES)
            assert all(ms > 0 for ms in stages.values())
            assert len(times) == 5
            # Each is a median, and those of parts need not add up; but none is more than a frame.
            assert max(stages.values()) < times.max()
