"""When faces are looked at, and whose names they get."""

from dataclasses import replace

import numpy as np
import pytest

from edge_fer.detector.blazeface import BlazeFace
from edge_fer.frame import Frame
from edge_fer.identity import UNKNOWN, unit
from edge_fer.identity.people import Gallery
from edge_fer.identity.recognizer import Recognizer
from edge_fer.pipeline import Pipeline
from edge_fer.tracking.tracker import Tracker

FPS = 30
ANN, BOB, STRANGER = np.eye(3, dtype=np.float32)
KNOWN = Gallery(("Ann", "Bob"), np.stack([ANN, BOB]))


class Embedder:
    """Sees in a face whom the test has put before the camera, by its track's number."""

    network, threshold = "fake 1", 0.9

    def __init__(self, **people):
        self.people, self.looks = people, []

    def embed(self, frame, face):
        self.looks.append(face.id)
        return unit(self.people[f"face{face.id}"])


@pytest.fixture(scope="module")
def face(picture):
    with BlazeFace() as detector:
        (face,) = detector.detect(picture)
    return face


@pytest.fixture
def watch(picture, face):
    """Runs faces of given numbers past a recogniser; gives the looks and names of each frame."""

    def run(recognizer, embedder, seconds, ids=(1,), start=0.0, face=face, fps=FPS):
        rows = []
        for n in range(round(seconds * fps)):
            frame = Frame(picture, n, start + n / fps)
            before = len(embedder.looks)
            faces = recognizer.update(frame, [replace(face, id=i) for i in ids])
            looks = embedder.looks[before:]
            rows.append((frame.time, looks, {f.id: f.person for f in faces}))
        return rows

    return run


def test_a_face_is_recognised_at_first_sight_and_then_now_and_then(watch):
    embedder = Embedder(face1=ANN)
    rows = watch(Recognizer(embedder, lambda: KNOWN), embedder, 20)
    assert rows[0][2] == {1: "Ann"}
    assert all(names == {1: "Ann"} for _, _, names in rows)
    times = [time for time, looks, _ in rows if looks]
    assert times == pytest.approx([0, 0.5, 1, 6, 11, 16], abs=2 / FPS)


def test_a_stranger_is_looked_at_more_often_and_never_named(watch):
    embedder = Embedder(face1=STRANGER)
    rows = watch(Recognizer(embedder, lambda: KNOWN), embedder, 9)
    assert all(names == {1: UNKNOWN} for _, _, names in rows)
    times = [time for time, looks, _ in rows if looks]
    assert times == pytest.approx([0, 0.5, 1, 3, 5, 7], abs=2 / FPS)


@pytest.mark.parametrize("fps", [5, 30])
def test_many_faces_cost_one_look_a_frame_and_one_frame_in_25(watch, fps):
    crowd = range(1, 11)
    embedder = Embedder(**{f"face{n}": STRANGER for n in crowd})
    rows = watch(Recognizer(embedder, lambda: KNOWN), embedder, 40, crowd, fps=fps)
    counts = [len(looks) for _, looks, _ in rows]
    assert max(counts) == 1
    for size in (25, 100, len(rows)):
        assert max(np.convolve(counts, np.ones(size), "valid")) <= 3 + size / 25
    # Everybody has a turn before anyone has another.
    assert sorted(embedder.looks[:10]) == list(crowd)


def test_who_is_not_seen_well_is_not_looked_at(watch, face):
    embedder = Embedder(face1=ANN)
    recognizer = Recognizer(embedder, lambda: KNOWN)
    center = face.keypoints.mean(0)
    small = replace(face, keypoints=(face.keypoints - center) / 4 + center)
    assert not any(looks for _, looks, _ in watch(recognizer, embedder, 2, face=small))
    rows = watch(recognizer, embedder, 1, start=2.0)
    assert next(time for time, _, names in rows if names == {1: "Ann"}) < 2.2


def test_one_bad_moment_does_not_name_anybody_else(watch):
    embedder = Embedder(face1=ANN)
    recognizer = Recognizer(embedder, lambda: KNOWN)
    watch(recognizer, embedder, 2)
    embedder.people["face1"] = ANN + 0.4 * BOB  # nearer to Ann's earlier looks than the threshold
    rows = watch(recognizer, embedder, 5, start=2.0)
    assert all(names == {1: "Ann"} for _, _, names in rows)


def test_a_track_that_goes_over_to_somebody_else_changes_its_name(watch):
    embedder = Embedder(face1=ANN)
    recognizer = Recognizer(embedder, lambda: KNOWN)
    watch(recognizer, embedder, 2)
    embedder.people["face1"] = BOB
    rows = watch(recognizer, embedder, 6, start=2.0)
    assert rows[-1][2] == {1: "Bob"}
    assert {"Ann", "Bob"} == {names[1] for _, _, names in rows}


def test_who_is_removed_is_not_named_two_seconds_later(watch):
    embedder, known = Embedder(face1=ANN), [KNOWN]
    recognizer = Recognizer(embedder, lambda: known[0])
    watch(recognizer, embedder, 3)
    known[0] = Gallery(("Bob",), BOB[None])
    rows = watch(recognizer, embedder, 3, start=3.0)
    assert all(names == {1: UNKNOWN} for time, _, names in rows if time > 5.1)


def test_every_face_of_a_picture_is_looked_at_by_itself(picture, face):
    embedder = Embedder(faceNone=BOB)
    recognizer = Recognizer(embedder, lambda: KNOWN)
    for n in range(5):
        faces = recognizer.update(Frame(picture, n, 0.0, "photo.jpg"), [face, face])
        assert [f.person for f in faces] == ["Bob", "Bob"]


def test_a_track_that_is_gone_is_forgotten(watch):
    embedder = Embedder(face1=ANN)
    recognizer = Recognizer(embedder, lambda: KNOWN)
    watch(recognizer, embedder, 1)
    rows = watch(recognizer, embedder, 0.1, start=30.0)
    assert rows[0][1] == [1]


def test_the_pipeline_names_tracked_faces(picture, face, fake_detector, fake_classifier):
    embedder = Embedder(face1=ANN)
    pipeline = Pipeline(
        fake_detector([face]),
        fake_classifier("happy"),
        Tracker(),
        recognizer=Recognizer(embedder, lambda: KNOWN),
    )
    readings = [pipeline.read(Frame(picture, n, n / FPS)) for n in range(10)]
    assert [r.faces[0].person for r in readings] == ["Ann"] * 10
    assert embedder.looks == [1]
    assert list(readings[0].stages) == ["detect", "classify", "identify"]
    row = readings[0].to_dict()["faces"][0]
    assert (row["person"], row["likeness"], row["emotion"]) == ("Ann", 1.0, "happy")


def test_without_a_recogniser_nothing_speaks_of_people(
    picture, face, fake_classifier, fake_detector
):
    reading = Pipeline(fake_detector([face]), fake_classifier("happy")).read(Frame(picture, 0, 0.0))
    assert not {"person", "likeness"} & set(reading.to_dict()["faces"][0])
