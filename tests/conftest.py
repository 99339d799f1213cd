"""What several tests share: the picture, small videos, the command and stand-ins."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings

from edge_fer.face import Face
from edge_fer.frame import Frame, Reading
from edge_fer.labels import FER_LABELS

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "benchmarks" / "collins.jpg"

# The same examples on every machine, and no limit on the time of one: CI machines are slow.
settings.register_profile("edge-fer", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("edge-fer")


@pytest.fixture(scope="session")
def picture_file():
    """A picture with one face."""
    return PICTURE


@pytest.fixture(scope="session")
def picture():
    """The same as blue-green-red pixels, which no test can change."""
    pixels = cv2.imread(str(PICTURE))
    pixels.setflags(write=False)
    return pixels


def _codec(path):
    return cv2.VideoWriter.fourcc(*{".avi": "MJPG", ".webm": "VP80"}.get(path.suffix, "mp4v"))


@pytest.fixture
def make_clip(tmp_path, picture):
    """Makes a video in which the picture moves a few pixels a frame."""

    def make(name="clip.mp4", frames=10, fps=10.0, size=(320, 320)):
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), _codec(path), fps, size)
        assert writer.isOpened()
        small = cv2.resize(picture, size)
        for number in range(frames):
            writer.write(np.roll(small, 3 * number, axis=1))
        writer.release()
        return path

    return make


@pytest.fixture(scope="session")
def command():
    """The installed command."""
    path = Path(sys.executable).parent / "edge-fer"
    assert path.is_file(), "edge-fer is not installed beside this Python"
    return str(path)


@pytest.fixture(scope="session")
def clean_environment():
    """This process's environment without a display."""
    return {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}


@pytest.fixture(scope="session")
def cli(command, clean_environment):
    """Runs the command and waits for it."""

    def run(*arguments, env=None, **options):
        return subprocess.run(
            [command, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=clean_environment | (env or {}),
            **options,
        )

    return run


@pytest.fixture
def start(command, clean_environment):
    """Starts the command and ends it with the test."""
    started = []

    def run(*arguments, env=None, **options):
        process = subprocess.Popen(
            [command, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment | (env or {}),
            **options,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def face_at():
    """Makes a face of a box, its eyes on a line through the box's centre."""

    def make(box, angle=0.0, **facts):
        x, y, width, height = box
        eye = np.array([math.cos(angle), math.sin(angle)]) * width / 4
        points = np.full((6, 2), (x + width / 2, y + height / 2), np.float32)
        points[0] -= eye
        points[1] += eye
        return Face(tuple(map(float, box)), 0.9, points, **facts)

    return make


@pytest.fixture(scope="session")
def read_face(face_at):
    """Makes a face whose emotion has been read."""

    def make(box=(20, 20, 40, 40), emotion="happy", confidence=0.7, **facts):
        others = (1 - confidence) / (len(FER_LABELS) - 1)
        shares = {name: confidence if name == emotion else others for name in FER_LABELS}
        return face_at(box, emotion=emotion, confidence=confidence, probabilities=shares, **facts)

    return make


@pytest.fixture(scope="session")
def reading():
    """Makes a reading of a plain frame."""

    def make(faces=(), index=0, time=0.0, name=None, size=(96, 64), level=0, clock=None):
        pixels = np.full((size[1], size[0], 3), level, np.uint8)
        return Reading(Frame(pixels, index, time, name, clock), list(faces))

    return make


class FakeSource:
    """A source of frames made before; it raises ``error`` after the last one."""

    def __init__(self, frames=(), live=False, fps=None, count=None, error=None):
        self.frames, self.live, self.fps, self.count = list(frames), live, fps, count
        self._error, self.files = error, ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __iter__(self):
        yield from self.frames
        if self._error:
            raise self._error


class FakeDetector:
    """Finds the same faces in every frame, and remembers the frames."""

    def __init__(self, faces=()):
        self.faces, self.frames = list(faces), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def detect(self, frame):
        self.frames.append(frame)
        return list(self.faces)


class FakeClassifier:
    """Reads the same emotion in every face, and remembers what it was given."""

    def __init__(self, emotion="sad"):
        self.emotion, self.given = emotion, []

    def classify(self, frame, faces):
        self.given.append((frame, faces))
        return [replace(face, emotion=self.emotion) for face in faces]


@pytest.fixture(scope="session")
def fake_source():
    return FakeSource


@pytest.fixture(scope="session")
def fake_detector():
    return FakeDetector


@pytest.fixture(scope="session")
def fake_classifier():
    return FakeClassifier
