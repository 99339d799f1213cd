"""The live pipeline's benchmark: its counts, never its times."""

import json

import cv2
import numpy as np
import pytest

from edge_fer.benchmarks.live import measure_live
from edge_fer.classifier import Classifier
from edge_fer.detector import open_detector


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


@pytest.mark.parametrize(("every", "most"), [(1, 20), (5, 5), ("auto", 20)])
def test_faces_are_kept_with_fewer_detections(moving, every, most):
    with open_detector("blazeface") as detector:
        live = measure_live(moving, Classifier("fer-base"), detector, every, rounds=1)
    assert (live.video, live.frames, live.detect_every) == ("moving.avi", 20, every)
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
