"""Source to readings."""

from dataclasses import replace

import numpy as np
import pytest

from edge_fer.card import pack, unpack
from edge_fer.classifier import Classifier
from edge_fer.crop import crop_face
from edge_fer.detector import open_detector
from edge_fer.errors import InputError, SourceLostError
from edge_fer.frame import Frame
from edge_fer.models import find_model
from edge_fer.pipeline import Pipeline
from edge_fer.sources import open_source


@pytest.fixture(scope="module")
def classifier():
    return Classifier()


@pytest.fixture(scope="module")
def detector():
    with open_detector("blazeface") as detector:
        yield detector


@pytest.fixture
def frames():
    return [Frame(np.full((8, 8, 3), n, np.uint8), n, n / 10) for n in range(4)]


def test_readings_come_in_order(frames, fake_source, fake_detector, fake_classifier, face_at):
    finder, reader = fake_detector([face_at((1, 1, 4, 4))]), fake_classifier("fear")
    readings = list(Pipeline(finder, reader).run(fake_source(frames)))
    assert [r.frame for r in readings] == frames
    assert all([f.emotion for f in r.faces] == ["fear"] for r in readings)
    assert all(a is f.pixels for a, f in zip(finder.frames, frames, strict=True))
    assert [faces for _, faces in reader.given] == [finder.faces] * 4
    assert all(a is f.pixels for (a, _), f in zip(reader.given, frames, strict=True))


def test_every_stage_is_timed(frames, fake_detector, fake_classifier):
    reading = Pipeline(fake_detector(), fake_classifier()).read(frames[0])
    assert list(reading.stages) == ["detect", "classify"]
    assert all(seconds >= 0 for seconds in reading.stages.values())


def test_readings_come_as_frames_do(frames, fake_detector, fake_classifier):
    """A live source must not be read ahead."""
    taken = []

    def source():
        for frame in frames:
            taken.append(frame.index)
            yield frame

    readings = Pipeline(fake_detector(), fake_classifier()).run(source())
    assert taken == []
    assert next(readings).frame.index == 0
    assert taken == [0]


def test_what_the_source_raises_passes_through(frames, fake_source, fake_detector, fake_classifier):
    source = fake_source(frames, error=SourceLostError("unplugged"))
    readings = Pipeline(fake_detector(), fake_classifier()).run(source)
    assert [next(readings).frame.index for _ in frames] == [0, 1, 2, 3]
    with pytest.raises(SourceLostError, match="unplugged"):
        next(readings)


def test_no_faces_give_no_readings_of_faces(frames, fake_detector, classifier):
    assert classifier.classify(frames[0].pixels, []) == []
    assert Pipeline(fake_detector(), classifier).read(frames[0]).faces == []


def test_a_face_is_found_and_read(picture_file, detector, classifier):
    with open_source(picture_file) as source:
        (reading,) = Pipeline(detector, classifier).run(source)
    (face,) = reading.faces
    assert face.box == pytest.approx((177, 83, 95.5, 95.5), abs=3)
    assert face.score > 0.8
    assert tuple(face.probabilities) == classifier.labels
    assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert all(0 <= share <= 1 for share in face.probabilities.values())
    assert face.emotion == max(face.probabilities, key=face.probabilities.get)
    assert face.confidence == face.probabilities[face.emotion]
    assert face.uncertain == (face.confidence < classifier.card.threshold)


@pytest.mark.parametrize(("temperature", "threshold"), [(0.5, 0.0), (3.0, 1.0)])
def test_the_card_sets_temperature_and_threshold(
    tmp_path, picture, detector, temperature, threshold
):
    flatbuffer, card = unpack(find_model("fer-base"))
    card = replace(card, temperature=temperature, threshold=threshold)
    pack(flatbuffer, card, tmp_path / "x.tflite")
    classifier = Classifier(tmp_path / "x.tflite")
    found = detector.detect(picture)
    (face,) = classifier.classify(picture, found)
    logits = classifier.logits(crop_face(picture, found[0], card.crop, card.input)[None])[0]
    grown = np.exp((logits - logits.max()) / temperature)
    assert list(face.probabilities.values()) == pytest.approx(grown / grown.sum(), abs=1e-5)
    assert face.uncertain == (threshold == 1)


def test_several_faces_are_read_each_for_itself(picture, detector, classifier):
    wide = np.hstack([picture, np.zeros_like(picture)])
    (face,) = detector.detect(picture)
    ((alone),) = classifier.classify(picture, [face])
    elsewhere = type(face)((700.0, 300.0, 90.0, 90.0), 0.9, face.keypoints + 500)
    first, second = classifier.classify(wide, [elsewhere, face])
    assert second.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
    assert first.probabilities != second.probabilities
    assert first.box == elsewhere.box


def test_classifying_leaves_the_given_face_as_it_was(picture, detector, classifier):
    (face,) = detector.detect(picture)
    classifier.classify(picture, [face])
    assert (face.emotion, face.probabilities) == (None, {})


def test_no_threads_are_refused():
    with pytest.raises(InputError, match="threads"):
        Classifier(threads=0)
