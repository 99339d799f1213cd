"""The live pipeline's benchmark: its counts, never its times."""

import json

import cv2
import numpy as np
import pytest

from edge_fer.benchmarks.crowd import crowd
from edge_fer.benchmarks.live import measure_live
from edge_fer.classifier import Classifier
from edge_fer.detector import open_detector
from edge_fer.sources.video import Video


@pytest.fixture(scope="module")
def moving(tmp_path_factory, picture):
    """A face that moves slowly through twenty frames."""
    path = tmp_path_factory.mktemp("moving") / "moving.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (512, 512))
    for step in range(20):
        move = np.float32([[1, 0, 2 * step], [0, 1, step]])
        writer.write(cv2.warpAffine(picture, move, (512, 512), borderMode=cv2.BORDER_REPLICATE))
    writer.release()
    return path


@pytest.fixture(scope="module")
def face_pictures(picture):
    """The face, framed closely, and its mirror image, in light and in shade."""
    grey = cv2.cvtColor(picture[55:195, 155:295], cv2.COLOR_BGR2GRAY)
    return np.stack([grey, grey[:, ::-1], grey // 2, 100 + grey // 2])


@pytest.mark.parametrize(("every", "most"), [(1, 20), (5, 5), ("auto", 20)])
def test_faces_are_kept_with_fewer_detections(moving, every, most):
    with open_detector("blazeface") as detector, Video(moving) as video:
        live = measure_live(
            "moving", list(video), Classifier("fer-base"), detector, every, rounds=1
        )
    assert (live.video, live.frames, live.detect_every) == ("moving", 20, every)
    assert live.detections <= most
    assert (live.found, live.extra, live.identities) == (1.0, 0.0, 1)
    assert live.switches <= live.raw_switches
    assert live.fps > 0
    assert live.own > 0
    if every == 1:
        assert live.detections == 20


def test_the_command_tells_both_ways(cli, moving):
    done = cli("benchmark", "fer-base", "--live", moving, "--detector", "blazeface", "--json", "-")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["results"]
    assert [row["detect_every"] for row in rows] == [1, "auto"]
    assert all(row["found"] == 1 for row in rows)
    assert "moving.avi" in done.stderr


def test_a_crowd_comes_and_goes(face_pictures):
    frames = list(crowd(face_pictures, seed=1, seconds=12))
    assert len(frames) == 360
    assert {frame.pixels.shape for frame in frames} == {(480, 640, 3)}
    assert [frame.time for frame in frames[:2]] == [0, 1 / 30]
    steps = [
        np.abs(a.pixels.astype(int) - b.pixels).mean()
        for a, b in zip(frames[280:320:2], frames[281:320:2], strict=False)
    ]
    before, after = frames[299].pixels.astype(int), frames[300].pixels
    assert np.abs(before - after).mean() > 3 * np.median(steps)  # the cut after ten seconds
    once, again = (list(crowd(face_pictures, seed=1, seconds=0.5)) for _ in range(2))
    assert all((a.pixels == b.pixels).all() for a, b in zip(once, again, strict=True))


def test_most_faces_of_a_crowd_are_kept(face_pictures):
    frames = list(crowd(face_pictures, seed=1, seconds=8))
    with open_detector("blazeface") as detector:
        live = measure_live("crowd", frames, Classifier("fer-base"), detector, "auto", rounds=1)
    assert live.found > 0.9
    assert live.identities >= 2
    assert live.detections < live.frames


def test_a_crowd_needs_faces(cli):
    done = cli("benchmark", "--crowd")
    assert done.returncode == 2
    assert "--data" in done.stderr
