"""The crop's check: what it reports of a known geometry."""

from dataclasses import replace

import numpy as np
import pytest
from toy_data import toy_dataset

from edge_fer.benchmarks.crop_check import FRAME_SIZE, check_crop, paste
from edge_fer.card import Card, CropRule
from edge_fer.crop import crop_face, prepare
from edge_fer.face import Face
from edge_fer.labels import FER_LABELS

SCALE, SHIFT = 1.25, 0.2


class KnowsWhere:
    """Finds every pasted face where the rule with SCALE and SHIFT says that it lies."""

    def __init__(self, side):
        width = side / SCALE
        middle_x, middle_y = FRAME_SIZE[0] / 2, FRAME_SIZE[1] / 2 + SHIFT * width
        box = (middle_x - width / 2, middle_y - width / 2, width, width)
        eyes = [(middle_x - width / 5, middle_y), (middle_x + width / 5, middle_y)]
        self.face = Face(box, 0.9, np.array([*eyes, *[(0, 0)] * 4], np.float32))
        self.blind = set()
        self.calls = 0

    def detect(self, frame):
        self.calls += 1
        far = Face((0, 0, 20, 20), 0.99, self.face.keypoints)
        return [far] if self.calls - 1 in self.blind else [far, self.face]


class Compares:
    """Calls a picture by the number of the known picture that it is most like."""

    def __init__(self, data):
        self.card = Card("compares", FER_LABELS, crop=CropRule(SCALE, SHIFT))
        self._known, self._labels = data.prepared(self.card.input).astype(float), data.labels

    def logits(self, pictures):
        out = np.zeros((len(pictures), len(FER_LABELS)), np.float32)
        for row, picture in zip(out, pictures, strict=True):
            nearest = np.abs(self._known - picture).mean((1, 2, 3)).argmin()
            row[self._labels[nearest]] = 1
        return out

    def classify(self, frame, faces):
        crops = np.stack([crop_face(frame, f, self.card.crop, self.card.input) for f in faces])
        names = [FER_LABELS[i] for i in self.logits(crops).argmax(1)]
        return [replace(face, emotion=n) for face, n in zip(faces, names, strict=True)]


@pytest.fixture
def public():
    return toy_dataset(training=1, public=2, private=1).split("public")


def test_a_right_rule_reads_the_same_end_to_end(public):
    result = check_crop(Compares(public), KnowsWhere(200), public, side=200)
    assert result.n == len(public)
    assert result.found == 1
    assert result.direct == result.direct_all == result.end_to_end == 1
    assert result.scale == pytest.approx(SCALE, abs=1e-3)
    assert result.shift == pytest.approx(SHIFT, abs=1e-2)
    assert result.scale_spread == pytest.approx(0, abs=1e-6)
    assert result.roll_spread == pytest.approx(0, abs=1e-6)


def test_a_wrong_rule_shows(public):
    classifier = Compares(public)
    classifier.card = Card("compares", FER_LABELS, crop=CropRule(SCALE, SHIFT + 0.6))
    result = check_crop(classifier, KnowsWhere(200), public, side=200)
    assert result.direct == 1
    assert result.end_to_end < 0.9


def test_faces_not_found_count_against_found_only(public):
    detector = KnowsWhere(200)
    detector.blind = {0, 3, 5}
    result = check_crop(Compares(public), detector, public, side=200)
    assert result.found == pytest.approx(1 - 3 / len(public))
    assert result.end_to_end == 1


def test_tilted_heads_are_read_through_the_turned_crop(public):
    class Tilted(KnowsWhere):
        def detect(self, frame):
            # The first frame is turned one way, the next the other.
            sign = -1 if self.calls % 2 else 1
            self.calls += 1
            angle = np.radians(-30 * sign)
            cos, sin = np.cos(angle), np.sin(angle)
            middle = np.array(FRAME_SIZE) / 2
            turn = np.array([[cos, -sin], [sin, cos]])
            x, y, width, height = self.face.box
            center = turn @ (np.array([x + width / 2, y + height / 2]) - middle) + middle
            box = (*(center - (width / 2, height / 2)), width, height)
            keypoints = ((self.face.keypoints - middle) @ turn.T + middle).astype(np.float32)
            return [replace(self.face, box=box, keypoints=keypoints)]

    classifier = Compares(public)
    turned = check_crop(classifier, Tilted(200), public, side=200, tilt=30)
    assert turned.end_to_end == 1
    assert turned.roll_spread == pytest.approx(30, abs=0.1)
    classifier.card = Card("compares", FER_LABELS, crop=CropRule(SCALE, SHIFT, rotate=False))
    assert check_crop(classifier, Tilted(200), public, side=200, tilt=30).end_to_end < 0.9


def test_the_pasted_picture_comes_back_by_the_crop(public):
    side = 192
    corner = ((FRAME_SIZE[0] - side) // 2, (FRAME_SIZE[1] - side) // 2)
    picture = public.pixels[0]
    frame = paste(picture, side, corner)
    assert frame.shape == (FRAME_SIZE[1], FRAME_SIZE[0], 3)
    spec = Card("x", FER_LABELS).input
    crop = crop_face(frame, KnowsWhere(side).face, CropRule(SCALE, SHIFT), spec)
    assert np.abs(crop.astype(int) - prepare(picture, spec)).mean() < 6
