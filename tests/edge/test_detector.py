"""Finding faces."""

import importlib.util
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_fer import detector as detectors
from edge_fer.detector import can_run_mediapipe, open_detector
from edge_fer.detector.blazeface import BlazeFace, _suppress
from edge_fer.errors import InputError, MissingPackageError

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None or not can_run_mediapipe(),
    reason="MediaPipe is not installed, or cannot run on this processor",
)


@pytest.fixture(scope="module")
def blazeface():
    with BlazeFace() as detector:
        yield detector


def test_the_face_is_found(blazeface, picture):
    (face,) = blazeface.detect(picture)
    assert face.box == pytest.approx((177, 83, 95.5, 95.5), abs=3)
    assert 0.8 < face.score <= 1
    assert face.keypoints.shape == (6, 2)
    assert face.keypoints.dtype == np.float32
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.keypoints
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]


def test_the_face_is_not_read_by_the_detector(blazeface, picture):
    (face,) = blazeface.detect(picture)
    assert (face.id, face.emotion, face.probabilities) == (None, None, {})


def test_two_faces_are_two(blazeface, picture):
    part = picture[:260, 110:350]
    faces = blazeface.detect(np.hstack([part, part]))
    assert sorted(f.box[0] for f in faces) == pytest.approx([67, 307], abs=8)
    assert [f.score for f in faces] == sorted((f.score for f in faces), reverse=True)


@pytest.mark.parametrize(("right", "down"), [(200, 0), (0, 150)])
def test_the_box_is_in_the_frame_s_pixels(blazeface, picture, right, down):
    frame = cv2.copyMakeBorder(picture, down, 0, right, 0, cv2.BORDER_CONSTANT)
    (face,) = blazeface.detect(frame)
    assert face.box == pytest.approx((177 + right, 83 + down, 95.5, 95.5), abs=8)


def test_the_least_score_leaves_faces_out(picture):
    score = BlazeFace().detect(picture)[0].score
    assert len(BlazeFace(min_score=score - 0.01).detect(picture)) == 1
    assert BlazeFace(min_score=score + 0.01).detect(picture) == []


def test_a_black_frame_has_no_face(blazeface):
    assert blazeface.detect(np.zeros((480, 640, 3), np.uint8)) == []


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 500), (500, 1), (2, 3), (40, 8000), (8000, 40), (3, 40_000), (40_000, 3)]
)
def test_frames_of_any_shape_are_taken(blazeface, shape):
    assert blazeface.detect(np.zeros((*shape, 3), np.uint8)) == []


def _points(boxes):
    """Detections of boxes (x, y, width, height of the centre): key points at the centre."""
    boxes = np.array(boxes, np.float32).reshape(-1, 2, 2)
    return np.concatenate([boxes, np.repeat(boxes[:, :1], 6, 1)], 1)


place, length = st.floats(-1, 2, width=32), st.floats(-0.5, 2, width=32) | st.just(0)
detections = st.lists(
    st.tuples(st.tuples(place, place, length, length), st.floats(2**-7, 1, width=32)),
    min_size=1,
    max_size=30,
)


@given(found=detections)
@example([((0.5, 0.5, 0, 0), 0.9)] * 5)
def test_suppression_ends_with_sorted_scores(found):
    scores = np.array([score for _, score in found], np.float32)
    points, kept = _suppress(_points([box for box, _ in found]), scores)
    assert points.shape == (len(kept), 8, 2)
    assert 1 <= len(kept) <= len(found)
    assert kept[0] == scores.max()
    assert (np.diff(kept) <= 0).all()
    assert set(kept) <= set(scores)
    assert np.isfinite(points).all()


@given(
    box=st.tuples(place, place, st.floats(2**-7, 2, width=32), st.floats(2**-7, 2, width=32)),
    scores=st.lists(st.floats(2**-7, 1, width=32), min_size=1, max_size=20),
)
def test_equal_boxes_are_one_face(box, scores):
    points, kept = _suppress(_points([box] * len(scores)), np.array(scores, np.float32))
    assert kept == [max(np.float32(s) for s in scores)]
    assert points == pytest.approx(_points([box]), abs=1e-4)


@given(box=st.tuples(place, place, length, length), score=st.floats(2**-7, 1, width=32))
def test_a_single_detection_is_unchanged(box, score):
    points, kept = _suppress(_points([box]), np.array([score], np.float32))
    assert points == pytest.approx(_points([box]), abs=1e-6)
    assert kept == [np.float32(score)]


def test_overlapping_detections_are_averaged_by_score():
    scores = np.array([0.3, 0.9], np.float32)
    points, kept = _suppress(_points([(0.54, 0.5, 0.2, 0.2), (0.5, 0.5, 0.2, 0.2)]), scores)
    assert kept == pytest.approx([0.9])
    assert points == pytest.approx(_points([(0.51, 0.5, 0.2, 0.2)]))


def test_distant_detections_stay_apart():
    boxes = [(0.2, 0.2, 0.2, 0.2), (0.8, 0.8, 0.2, 0.2), (0.2, 0.8, 0.2, 0.2)]
    points, kept = _suppress(_points(boxes), np.array([0.5, 0.9, 0.7], np.float32))
    assert kept == pytest.approx([0.9, 0.7, 0.5])
    assert points == pytest.approx(_points([boxes[1], boxes[2], boxes[0]]))


@pytest.mark.parametrize(("apart", "faces"), [(0.5, 1), (0.6, 2)])
def test_detections_are_one_face_from_an_overlap_of_30_percent(apart, faces):
    # Squares of side 1 at a distance d have (1 - d) / (1 + d) of their union in common.
    points, _ = _suppress(_points([(0, 0, 1, 1), (apart, 0, 1, 1)]), np.array([0.9, 0.8]))
    assert len(points) == faces


@needs_mediapipe
def test_both_detectors_find_the_same(blazeface, picture):
    for frame in (picture, picture[:300, 100:], np.hstack([picture[:260, 110:350]] * 2)):
        with open_detector("mediapipe") as mediapipe:
            theirs = mediapipe.detect(frame)
        ours = blazeface.detect(frame)
        assert len(ours) == len(theirs) > 0
        for our, their in zip(ours, theirs, strict=True):
            # MediaPipe cuts the fractions of its boxes off.
            assert np.abs(np.subtract(our.box, their.box)).max() <= 1.01
            assert np.abs(our.keypoints - their.keypoints).max() < 0.05
            assert our.score == pytest.approx(their.score, abs=1e-3)


@needs_mediapipe
def test_mediapipe_does_not_bring_tensorflow_in():
    program = (
        "import sys, json; from edge_fer import open_detector; d = open_detector('mediapipe');"
        "print(json.dumps([type(d).__name__, 'tensorflow' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == ["MediaPipeFace", False]


PI_4 = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n\n"
PI_5 = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes sha1 sha2 crc32 atomics fphp\n\n"


@pytest.mark.parametrize(
    ("cpuinfo", "runs"),
    [
        (4 * PI_4 + "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n", False),
        (4 * PI_5 + "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n", True),
        (PI_5 + PI_4, False),
        ("", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("machine", ["aarch64", "arm64"])
def test_arm_processors_need_atomics(monkeypatch, tmp_path, machine, cpuinfo, runs):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    assert can_run_mediapipe(machine, path) is runs


def test_other_processors_run_mediapipe(monkeypatch, tmp_path):
    assert can_run_mediapipe("x86_64", tmp_path / "missing")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert can_run_mediapipe("arm64", tmp_path / "missing")


def test_this_machine_s_processor_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not can_run_mediapipe(cpuinfo=tmp_path / "missing")


@pytest.mark.parametrize("name", ["dlib", "", "BlazeFace"])
def test_an_unknown_detector_is_refused(name):
    with pytest.raises(InputError, match=r"auto, mediapipe, blazeface"):
        open_detector(name)


def test_no_threads_are_refused():
    with pytest.raises(InputError, match="threads"):
        open_detector("blazeface", threads=0)


def test_auto_goes_on_without_mediapipe(monkeypatch, picture):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with open_detector() as detector:
        assert isinstance(detector, BlazeFace)
        assert len(detector.detect(picture)) == 1


def test_auto_leaves_mediapipe_alone_where_it_would_crash(monkeypatch):
    monkeypatch.setattr(detectors, "can_run_mediapipe", lambda: False)
    assert isinstance(open_detector(), BlazeFace)


def test_asking_for_missing_mediapipe_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'edge-fer\[mediapipe\]'"):
        open_detector("mediapipe")


@needs_mediapipe
def test_asking_for_mediapipe_where_it_would_crash_is_refused(monkeypatch):
    monkeypatch.setattr(detectors, "can_run_mediapipe", lambda: False)
    with pytest.raises(InputError, match="--detector blazeface"):
        open_detector("mediapipe")
