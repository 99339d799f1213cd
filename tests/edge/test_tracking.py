"""Numbers that stay with faces, readings that stay calm, detection only when it is needed."""

import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_fer.errors import WorkError
from edge_fer.face import Face
from edge_fer.frame import Frame
from edge_fer.pipeline import Pipeline
from edge_fer.tracking.assignment import assign
from edge_fer.tracking.follower import Follower
from edge_fer.tracking.schedule import DetectionSchedule
from edge_fer.tracking.smoothing import Smoother
from edge_fer.tracking.tracker import Tracker, agree, moved

NAMES = ("angry", "happy", "neutral")


def face(x: float, y: float, side: float = 80, score: float = 0.9, **kwargs) -> Face:
    points = np.array([[x + side * a, y + side * b] for a, b in [(0.3, 0.3), (0.7, 0.3)] * 3])
    return Face((x, y, side, side), score, points.astype(np.float32), **kwargs)


# Assignment


@settings(deadline=None, max_examples=200)
@given(
    hnp.arrays(
        float,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5),
        elements=st.floats(-100, 100),
    )
)
def test_the_assignment_is_the_cheapest_there_is(cost):
    pairs = assign(cost)
    assert len(pairs) == min(cost.shape)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    wide = cost if cost.shape[0] <= cost.shape[1] else cost.T
    cheapest = min(
        sum(wide[row, column] for row, column in enumerate(order))
        for order in itertools.permutations(range(wide.shape[1]), wide.shape[0])
    )
    assert sum(cost[pair] for pair in pairs) == pytest.approx(cheapest, abs=1e-6)


# Boxes


def test_agreement_of_boxes_by_hand():
    assert agree((0, 0, 10, 10), (0, 0, 10, 10)) == pytest.approx(1)
    assert agree((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3 - 25 / (15**2 + 10**2))
    assert agree((0, 0, 10, 10), (100, 0, 10, 10)) == pytest.approx(-(100**2) / (110**2 + 10**2))
    assert -1 <= agree((0, 0, 0, 0), (9, 9, 0, 0)) < 0


def test_key_points_go_with_the_box():
    before = face(10, 20, 80)
    after = moved(before, (100, 200, 40, 40))
    assert after.box == (100, 200, 40, 40)
    np.testing.assert_allclose(after.keypoints[0], [100 + 0.3 * 40, 200 + 0.3 * 40], rtol=1e-5)


# Tracker


def walk(paths, steps=60, rate=15.0, hidden=lambda who, step: False, keep=1.0, order=None):
    """Numbers of each path over time, as a tracker gives them; None where it was hidden."""
    tracker = Tracker(keep=keep)
    seen = []
    for step in range(steps):
        there = [(who, path(step)) for who, path in paths.items() if not hidden(who, step)]
        if order is not None:
            there = [there[i] for i in order.permutation(len(there))]
        got = tracker.update([found for _, found in there], step / rate)
        numbers = {who: f.id for (who, _), f in zip(there, got, strict=True)}
        seen.append({who: numbers.get(who) for who in paths})
    return seen


def test_faces_come_back_in_their_order_with_numbers_from_one():
    tracker = Tracker()
    faces = [face(300, 50, score=0.9), face(20, 50, score=0.6)]
    got = tracker.update(faces, 0.0)
    assert [f.id for f in got] == [1, 2]
    assert [f.box for f in got] == [f.box for f in faces]  # what was detected is not changed
    assert [f.id for f in tracker.update(faces[::-1], 0.1)] == [2, 1]
    assert [f.id for f in tracker.update([*faces, face(600, 50)], 0.2)] == [1, 2, 3]
    assert tracker.update([], 0.3) == []


def test_crossing_faces_keep_their_numbers_though_one_hides_the_other():
    paths = {"a": lambda i: face(40 + 9 * i, 100), "b": lambda i: face(570 - 9 * i, 112)}

    def hidden(who, step):
        return who == "b" and abs(paths["a"](step).box[0] - paths["b"](step).box[0]) < 55

    seen = walk(paths, hidden=hidden, order=np.random.default_rng(3))
    assert any(step["b"] is None for step in seen)
    for who in paths:
        assert len({step[who] for step in seen} - {None}) == 1, who


@pytest.mark.parametrize("gap", [1, 5, 10])
def test_a_face_hidden_for_a_moment_keeps_its_number(gap):
    seen = walk(
        {"a": lambda i: face(40 + 4 * i, 100)}, hidden=lambda _, step: 20 <= step < 20 + gap
    )
    assert len({step["a"] for step in seen} - {None}) == 1


def test_a_face_gone_for_longer_is_another_one():
    seen = walk({"a": lambda i: face(40, 100)}, hidden=lambda _, step: 20 <= step < 40, keep=1.0)
    assert seen[0]["a"] == 1
    assert seen[-1]["a"] == 2


@pytest.mark.parametrize("rate", [5.0, 15.0, 60.0])
def test_a_fast_face_is_followed_at_any_frame_rate(rate):
    # 300 pixels a second: at 5 frames a second three quarters of the face's width a frame.
    seen = walk({"a": lambda i: face(40 + 300 * i / rate, 100)}, steps=int(2 * rate), rate=rate)
    assert {step["a"] for step in seen} == {1}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.tuples(st.floats(-50, 900), st.floats(-50, 600)), max_size=4)))
def test_whatever_comes_every_face_gets_a_number_of_its_own(frames):
    tracker = Tracker()
    highest = 0
    for step, places in enumerate(frames):
        got = tracker.update([face(x, y) for x, y in places], step / 10)
        numbers = [f.id for f in got]
        assert len(set(numbers)) == len(places)
        assert all(n >= 1 for n in numbers)
        assert max(numbers, default=0) <= highest + len(places)
        highest = max([highest, *numbers])


def test_expected_faces_move_on_and_slow_down():
    tracker = Tracker(keep=3)
    for step in range(20):
        tracker.update([face(40 + 10 * step, 100)], step / 10)
    here = 40 + 190
    (soon,) = tracker.expected(2.0)
    assert soon.box[0] == pytest.approx(here + 10, abs=2)
    (later,) = tracker.expected(4.8)
    assert later.box[0] < here + 100 * 0.5
    assert tracker.speed(0.1) == pytest.approx(10 / 80, rel=0.2)
    assert tracker.expected(2.0, within=0.05) == []
    assert tracker.expected(9.0) == []


# Smoothing


def says(probabilities, number: int | None = 1) -> Face:
    best = int(np.argmax(probabilities))
    shares = dict(zip(NAMES, probabilities, strict=True))
    return face(0, 0, id=number, emotion=NAMES[best], confidence=max(probabilities),
                probabilities=shares)  # fmt: skip


def flicker(rng, flips=0.3):
    happy = rng.random() > flips
    return says([0.1, 0.6, 0.3] if happy else [0.1, 0.3, 0.6])


def test_flickering_labels_become_calm():
    rng, smoother = np.random.default_rng(1), Smoother()
    raw = [flicker(rng) for _ in range(150)]
    calm = [smoother.update([f], i / 15)[0] for i, f in enumerate(raw)]

    def switches(faces):
        return sum(a.emotion != b.emotion for a, b in itertools.pairwise(faces))

    assert switches(raw) > 30
    assert switches(calm) <= switches(raw) / 4
    assert all(sum(f.probabilities.values()) == pytest.approx(1) for f in calm)
    assert all(f.confidence == f.probabilities[f.emotion] for f in calm)


@pytest.mark.parametrize("rate", [5, 15, 60])
def test_the_time_constant_is_in_seconds_whatever_the_frame_rate(rate):
    smoother = Smoother(seconds=0.5, margin=0)
    smoother.update([says([0.8, 0.1, 0.1])], 0.0)
    for step in range(1, rate + 1):
        (got,) = smoother.update([says([0.1, 0.8, 0.1])], step / rate)
    old = math.exp(-1 / 0.5)
    logs = old * np.log([0.8, 0.1, 0.1]) + (1 - old) * np.log([0.1, 0.8, 0.1])
    wanted = np.exp(logs) / np.exp(logs).sum()
    np.testing.assert_allclose(list(got.probabilities.values()), wanted, rtol=1e-6)


def test_the_name_changes_only_with_a_margin():
    smoother = Smoother(seconds=1e-9, margin=0.2)
    (first,) = smoother.update([says([0.5, 0.4, 0.1])], 0.0)
    (near,) = smoother.update([says([0.4, 0.5, 0.1])], 1.0)
    (clear,) = smoother.update([says([0.3, 0.6, 0.1])], 2.0)
    assert [first.emotion, near.emotion, clear.emotion] == ["angry", "angry", "happy"]
    assert near.confidence == pytest.approx(0.4)


def test_every_track_has_its_own_memory_and_faces_without_one_pass():
    smoother = Smoother()
    faces = [says([0.9, 0.05, 0.05], 1), says([0.05, 0.9, 0.05], 2), says([0.05, 0.05, 0.9], None)]
    for step in range(5):
        got = smoother.update(faces, step / 10)
    assert [f.emotion for f in got] == list(NAMES)
    assert got[2] is faces[2]


def test_a_forgotten_track_starts_anew():
    smoother = Smoother(seconds=100, forget=2)
    smoother.update([says([0.9, 0.05, 0.05])], 0.0)
    (kept,) = smoother.update([says([0.05, 0.9, 0.05])], 1.0)
    (anew,) = smoother.update([says([0.05, 0.9, 0.05])], 4.0)
    assert kept.emotion == "angry"
    assert anew.emotion == "happy"


def test_smoothed_readings_can_be_uncertain():
    smoother = Smoother()
    (sure,) = smoother.update([says([0.9, 0.05, 0.05])], 0.0, threshold=0.5)
    assert not sure.uncertain
    for step in range(1, 9):
        (torn,) = smoother.update([says([0.05, 0.9, 0.05])], step / 20, threshold=0.6)
    assert torn.uncertain


# Following and detecting


@pytest.fixture
def portrait(picture):
    """The picture's face, 160 pixels wide."""
    return cv2.resize(picture[20:250, 100:330], (160, 160), interpolation=cv2.INTER_AREA)


def scene(portrait, x, y, background):
    frame = background.copy()
    frame[y : y + 160, x : x + 160] = portrait
    return frame


@pytest.fixture
def background():
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    return cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)


def test_a_moved_face_is_found_again_to_a_pixel_or_two(portrait, background):
    follower = Follower()
    start = face(240, 180, 100, id=1)
    follower.start(scene(portrait, 200, 150, background), [start])
    for right, down in [(0, 0), (7, -5), (30, 12), (-33, 30)]:
        moved_frame = scene(portrait, 200 + right, 150 + down, background)
        (found,) = follower.follow(moved_frame, {})
        assert found.box[0] == pytest.approx(240 + right, abs=2)
        assert found.box[1] == pytest.approx(180 + down, abs=2)
        assert found.box[2:] == start.box[2:]


def test_a_face_that_is_gone_is_lost(portrait, background):
    follower = Follower()
    follower.start(scene(portrait, 200, 150, background), [face(240, 180, 100, id=1)])
    assert follower.follow(background, {}) is None


@pytest.mark.parametrize("corner", [(-60, -60), (600, 440), (-300, 100), (900, 900)])
def test_faces_over_the_edge_do_no_harm(background, corner):
    follower = Follower()
    there = face(*corner, 100, id=1)
    follower.start(background, [there])
    follower.follow(background, {1: there})


def test_the_schedule_counts_frames():
    schedule = DetectionSchedule(3)
    still = np.zeros((48, 64, 3), np.uint8)
    due = []
    for _ in range(9):
        due.append(schedule.due(still, []))
        if due[-1]:
            schedule.detected(0.0, 1)
    assert due == [False, False, True] * 3


def _settled(pixels, faces=(), speed=0.0):
    """A schedule after two detections that found the same faces."""
    schedule = DetectionSchedule("auto")
    for _ in range(2):
        assert schedule.due(pixels, faces)
        schedule.detected(speed, max(len(faces), 1))
    return schedule


def test_auto_detects_seldom_where_nothing_moves_and_at_once_where_something_comes():
    rng = np.random.default_rng(0)
    still = rng.integers(60, 160, (480, 640, 3)).astype(np.uint8)
    schedule = _settled(still)
    for _ in range(7):
        grain = rng.normal(0, 15, (480, 640, 1))
        noisy = np.clip(still + grain, 0, 255).astype(np.uint8)
        assert not schedule.due(noisy, [])  # noise is no motion
    assert schedule.due(noisy, [])
    schedule.detected(0.0, 1)
    come = still.copy()
    come[100:300, 200:380] = 250
    assert schedule.due(come, [])


def test_who_comes_in_slowly_is_seen_too():
    still = np.full((480, 640, 3), 100, np.uint8)
    schedule = _settled(still)
    due = []
    for step in range(1, 8):
        frame = still.copy()
        frame[100:300, : 6 * step] = 115  # never much from one frame to the next
        due.append(schedule.due(frame, []))
    assert not due[0]
    assert due[3]


def test_a_cut_calls_the_detector():
    rng = np.random.default_rng(0)
    here, there = rng.integers(0, 256, (2, 30, 40, 3)).astype(np.uint8)
    large = [cv2.resize(p, (640, 480), interpolation=cv2.INTER_NEAREST) for p in (here, there)]
    schedule = _settled(large[0])
    assert not schedule.due(large[0], [])
    assert schedule.due(large[1], [])


def test_motion_of_a_known_face_does_not_call_the_detector():
    still = np.full((480, 640, 3), 100, np.uint8)
    schedule = _settled(still, [face(220, 120, 150)])
    waved = still.copy()
    waved[100:300, 200:360] = 250
    assert not schedule.due(waved, [face(220, 120, 150)])


def test_faces_that_hide_each_other_are_detected_every_other_frame():
    still = np.full((480, 640, 3), 100, np.uint8)
    apart = [face(50, 120, 150), face(400, 120, 150)]
    schedule = _settled(still, apart)
    assert [schedule.due(still, apart) for _ in range(4)] == [False] * 4
    schedule = _settled(still, apart)
    crossing = [face(220, 120, 150), face(300, 120, 150)]
    assert [schedule.due(still, crossing) for _ in range(2)] == [False, True]


def test_who_comes_or_goes_is_looked_for_again_at_once():
    still = np.full((480, 640, 3), 100, np.uint8)
    schedule = _settled(still)
    schedule.detected(0.0, 2)
    assert schedule.due(still, [])
    schedule.detected(0.0, 2)
    assert not schedule.due(still, [])


def test_fast_faces_are_detected_more_often():
    still = np.full((480, 640, 3), 100, np.uint8)
    waits = []
    for speed in (0.0, 0.1, 1.0):
        schedule = _settled(still, speed=speed)
        waits.append(next(i for i in range(1, 20) if schedule.due(still, [])))
    assert waits == [8, 3, 2]


class FakeDetector:
    """Finds the bright square of a frame, and counts how often it is asked."""

    asked = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def detect(self, pixels):
        self.asked += 1
        rows, columns = np.nonzero(pixels[..., 0] > 200)
        if not len(rows):
            return []
        return [face(columns.min(), rows.min(), np.ptp(columns) + 1.0)]


class FakeClassifier:
    class card:  # noqa: N801
        threshold = 0.0

    def classify(self, pixels, faces):
        return [says([0.2, 0.7, 0.1], f.id) for f in faces]


def frames(count, name=None):
    pixels = np.full((480, 640, 3), 90, np.uint8)
    pixels[200:280, 300:380] = 255
    pixels[220:240, 320:360] = 30
    return [Frame(pixels, i, i / 30, name=name) for i in range(count)]


def test_without_a_tracker_every_frame_is_read_alone():
    detector = FakeDetector()
    readings = list(Pipeline(detector, FakeClassifier()).run(frames(5)))
    assert detector.asked == 5
    assert [f.id for r in readings for f in r.faces] == [None] * 5


def test_pictures_are_not_tracked():
    pipeline = Pipeline(FakeDetector(), FakeClassifier(), Tracker(), Smoother(), 4)
    readings = list(pipeline.run(frames(5, name="x.jpg")))
    assert [f.id for r in readings for f in r.faces] == [None] * 5


@pytest.mark.parametrize(("every", "most"), [(1, 12), (4, 4), ("auto", 3)])
def test_the_detector_runs_when_it_is_needed(every, most):
    detector = FakeDetector()
    pipeline = Pipeline(detector, FakeClassifier(), Tracker(), Smoother(), every)
    readings = list(pipeline.run(frames(12)))
    assert [f.id for r in readings for f in r.faces] == [1] * 12
    assert 1 <= detector.asked <= most
    if every == 1:
        assert detector.asked == 12


def test_a_face_that_goes_is_noticed_at_once():
    detector = FakeDetector()
    pipeline = Pipeline(detector, FakeClassifier(), Tracker(), None, "auto")
    there = frames(6)
    for frame in there:
        pipeline.read(frame)
    empty = Frame(np.full((480, 640, 3), 90, np.uint8), 6, 6 / 30)
    assert pipeline.read(empty).faces == []


def test_a_frame_of_another_shape_is_detected_anew():
    detector = FakeDetector()
    pipeline = Pipeline(detector, FakeClassifier(), Tracker(), None, 8)
    for frame in frames(3):
        pipeline.read(frame)
    asked = detector.asked
    small = Frame(np.full((240, 320, 3), 90, np.uint8), 3, 0.1)
    assert pipeline.read(small).faces == []
    assert detector.asked == asked + 1


class FailingDetector(FakeDetector):
    """Fails on some frames as a native library may."""

    def detect(self, pixels):
        found = super().detect(pixels)
        if self.asked % 3 == 0:
            raise ValueError("odd tensor\nwith a long story")
        return found


def test_a_frame_that_cannot_be_read_ends_nothing(caplog):
    pipeline = Pipeline(FailingDetector(), FakeClassifier(), Tracker(), Smoother())
    readings = list(pipeline.run(frames(9)))
    assert [r.failed for r in readings] == [False, False, True] * 3
    assert [len(r.faces) for r in readings] == [1, 1, 0] * 3
    assert {f.id for r in readings for f in r.faces} == {1}
    assert [r.getMessage() for r in caplog.records] == ["frame 2 could not be read: odd tensor"]


def test_errors_of_our_own_pass_through():
    class Lost(FakeDetector):
        def detect(self, pixels):
            raise WorkError("no more")

    with pytest.raises(WorkError, match="no more"):
        list(Pipeline(Lost(), FakeClassifier()).run(frames(2)))


def test_with_blurred_faces_a_frame_that_cannot_be_read_is_hidden_whole():
    pipeline = Pipeline(FailingDetector(), FakeClassifier(), Tracker(), blur_faces=True)
    *_, failed = pipeline.run(frames(3))
    assert failed.failed
    assert len(np.unique(failed.annotated.reshape(-1, 3), axis=0)) <= 48
    assert not np.array_equal(failed.annotated, failed.frame.pixels)
