"""The classifier: which classes it names, and how probable they are."""

import numpy as np
import pytest

from edge_fer import classifier as classifiers
from edge_fer.card import Card, pack, unpack
from edge_fer.classifier import Classifier
from edge_fer.labels import FER_LABELS, FERPLUS_LABELS
from edge_fer.models import DEFAULT_MODEL, find_model

# Contempt is the surest, then sad, then happy.
SHARES = np.array([0.02, 0.03, 0.05, 0.1, 0.2, 0.04, 0.06, 0.5])
FRAME = np.zeros((64, 64, 3), np.uint8)


class FakeNetwork:
    """Says the same of every picture."""

    def __init__(self, flatbuffer, where, threads):
        self.input_shape, self.classes = (48, 48, 1), 8

    def logits(self, pictures):
        return np.tile(np.log(SHARES).astype(np.float32) + 3, (len(pictures), 1))


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The file of a model of FER+'s eight classes, on a fake network."""

    def make(**facts):
        monkeypatch.setattr(classifiers, "Network", FakeNetwork)
        card = Card(**{"name": "seen", "labels": FERPLUS_LABELS, **facts})
        pack(b"\x1c\0\0\0TFL3" + bytes(32), card, tmp_path / "seen.tflite")
        return tmp_path / "seen.tflite"

    return make


def _read(classifier, face_at):
    (face,) = classifier.classify(FRAME, [face_at((16, 16, 32, 32))])
    return face


def test_contempt_is_not_named_unless_asked_for(model, face_at):
    classifier = Classifier(model())
    assert classifier.labels == FER_LABELS
    assert classifier.card.labels == FERPLUS_LABELS
    face = _read(classifier, face_at)
    assert face.emotion == "sad"
    assert list(face.probabilities) == list(FER_LABELS)
    assert sum(face.probabilities.values()) == pytest.approx(1)
    # The others share contempt's half in proportion.
    assert face.confidence == pytest.approx(0.4)
    assert face.probabilities["happy"] == pytest.approx(0.2)
    assert face.probabilities["angry"] == pytest.approx(0.04)


def test_nothing_left_out_names_contempt(model, face_at):
    classifier = Classifier(model(), leave_out=())
    assert classifier.labels == FERPLUS_LABELS
    face = _read(classifier, face_at)
    assert face.emotion == "contempt"
    assert face.confidence == pytest.approx(0.5)
    assert list(face.probabilities.values()) == pytest.approx(SHARES.tolist())


def test_any_class_can_be_left_out(model, face_at):
    classifier = Classifier(model(), leave_out=["sad", "contempt", "boredom"])
    assert classifier.labels == tuple(name for name in FER_LABELS if name != "sad")
    face = _read(classifier, face_at)
    assert face.emotion == "happy"
    assert face.confidence == pytest.approx(0.1 / 0.3)


def test_columns_go_with_their_names_wherever_contempt_is(model, face_at):
    labels = ("contempt", *FER_LABELS)
    face = _read(Classifier(model(labels=labels)), face_at)
    # The network's numbers are the same; the first of them is contempt's now.
    assert face.emotion == "neutral"
    assert face.confidence == pytest.approx(0.5 / 0.98)
    assert face.probabilities["angry"] == pytest.approx(0.03 / 0.98)


def test_temperature_and_threshold_hold_for_the_classes_that_are_named(model, face_at):
    roots = np.sqrt(SHARES[:7])
    sure = roots[4] / roots.sum()
    for threshold, uncertain in ((sure - 0.01, False), (sure + 0.01, True)):
        path = model(temperature=2.0, threshold=float(threshold))
        face = _read(Classifier(path), face_at)
        assert face.confidence == pytest.approx(sure)
        assert face.uncertain is uncertain


def test_logits_are_of_all_classes(model):
    logits = Classifier(model()).logits(np.zeros((2, 48, 48, 1), np.uint8))
    np.testing.assert_allclose(logits, np.tile(np.log(SHARES) + 3, (2, 1)), atol=1e-6)


def test_a_model_without_contempt_is_as_before():
    labels = unpack(find_model(DEFAULT_MODEL))[1].labels
    assert Classifier().labels == tuple(name for name in labels if name != "contempt")
    assert Classifier(leave_out=()).labels == labels
