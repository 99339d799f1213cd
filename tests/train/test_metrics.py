"""The figures, against sums done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edge_fer.probabilities import softmax
from edge_fer.train.metrics import calibration_error, fit_temperature, score

NAMES = ("a", "b", "c")
HUGE = float(np.float32(1e30))


def _logits(predicted: list[int], classes: int = 3) -> np.ndarray:
    return 5 * np.eye(classes, dtype=np.float32)[predicted]


def test_figures_by_hand():
    # true a a a a b b c, called a a b c b a c
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    scores = score(_logits([0, 0, 1, 2, 1, 0, 2]), labels, NAMES)
    assert scores.confusion.tolist() == [[2, 1, 1], [1, 1, 0], [0, 0, 1]]
    assert scores.n == 7
    assert scores.accuracy == pytest.approx(4 / 7)
    assert scores.precision == pytest.approx([2 / 3, 1 / 2, 1 / 2])
    assert scores.recall == pytest.approx([1 / 2, 1 / 2, 1])
    assert scores.f1 == pytest.approx([4 / 7, 1 / 2, 2 / 3])
    assert scores.macro_f1 == pytest.approx((4 / 7 + 1 / 2 + 2 / 3) / 3)
    right = math.exp(5) / (math.exp(5) + 2)
    wrong = 1 / (math.exp(5) + 2)
    assert scores.nll == pytest.approx(-(4 * math.log(right) + 3 * math.log(wrong)) / 7, rel=1e-5)
    assert scores.ece == pytest.approx(right - 4 / 7, rel=1e-5)


def test_class_that_never_occurs_or_is_never_called():
    scores = score(_logits([0, 0, 1]), np.array([0, 0, 0]), NAMES)
    assert scores.precision == pytest.approx([1, 0, 0])
    assert scores.recall == pytest.approx([2 / 3, 0, 0])
    assert scores.f1 == pytest.approx([0.8, 0, 0])
    assert scores.macro_f1 == pytest.approx(0.8)  # over the one class that occurs


def test_figures_as_plain_data():
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    plain = score(_logits([0, 0, 1, 2, 1, 0, 2]), labels, NAMES).to_dict()
    assert plain["n"] == 7
    assert plain["accuracy"] == pytest.approx(4 / 7, abs=1e-5)
    assert plain["confusion"] == [[2, 1, 1], [1, 1, 0], [0, 0, 1]]
    assert plain["classes"]["a"] == {"precision": 0.6667, "recall": 0.5, "f1": 0.5714, "n": 4}
    assert list(plain["classes"]) == list(NAMES)


CASES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        npst.arrays(np.float32, (n, 3), elements=st.floats(-50, 50, width=32)),
        npst.arrays(np.int64, n, elements=st.integers(0, 2)),
    )
)


@settings(deadline=None)
@given(CASES, st.floats(0.1, 10))
def test_figures_stay_in_their_ranges(case, temperature):
    logits, labels = case
    scores = score(logits, labels, NAMES, temperature)
    assert scores.n == len(labels) == scores.confusion.sum()
    assert scores.confusion.sum(1).tolist() == np.bincount(labels, minlength=3).tolist()
    for value in (scores.accuracy, scores.macro_f1, *scores.precision, *scores.recall, *scores.f1):
        assert 0 <= value <= 1
    assert 0 <= scores.ece <= 1 + 1e-6
    assert scores.nll >= 0
    assert scores.accuracy == pytest.approx((logits.argmax(1) == labels).mean())
    # temperature changes how sure a classifier is, not what it says
    np.testing.assert_array_equal(scores.confusion, score(logits, labels, NAMES).confusion)


@settings(deadline=None)
@given(npst.arrays(np.int64, st.integers(1, 50), elements=st.integers(0, 2)))
def test_perfect_logits_score_one(labels):
    scores = score(100 * np.eye(3, dtype=np.float32)[labels], labels, NAMES)
    assert scores.accuracy == 1
    assert scores.macro_f1 == 1
    assert scores.ece == pytest.approx(0, abs=1e-6)
    assert scores.nll == pytest.approx(0, abs=1e-6)
    wrong = score(100 * np.eye(3, dtype=np.float32)[(labels + 1) % 3], labels, NAMES)
    assert wrong.accuracy == 0
    assert wrong.macro_f1 == 0
    assert wrong.ece == pytest.approx(1, abs=1e-6)


def test_calibration_error_of_a_calibrated_case_is_zero():
    # ten pictures at 80 %, of which eight are right; ten at 60 %, of which six are right
    sure = np.tile(np.float32([0.8, 0.1, 0.1]), (10, 1))
    unsure = np.tile(np.float32([0.3, 0.6, 0.1]), (10, 1))
    labels = np.array([0] * 8 + [1, 2] + [1] * 6 + [0] * 4)
    assert calibration_error(np.concatenate([sure, unsure]), labels) == pytest.approx(0, abs=1e-6)
    assert calibration_error(sure, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.3, abs=1e-6)
    # errors in different bins do not cancel each other out
    labels = np.array([0] * 6 + [1] * 4 + [1] * 8 + [0] * 2)
    both = calibration_error(np.concatenate([sure, unsure]), labels)
    assert both == pytest.approx(0.2, abs=1e-6)


@pytest.mark.parametrize("scaling", [0.3, 1.0, 2.5, 6.0])
def test_temperature_finds_a_known_scaling(scaling):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 5)).astype(np.float32)
    probabilities = softmax(logits)
    labels = (probabilities.cumsum(1) < rng.random((len(logits), 1))).sum(1).clip(max=4)
    scaled = (logits * scaling).astype(np.float32)
    temperature = fit_temperature(scaled, labels)
    assert temperature == pytest.approx(scaling, rel=0.04)
    fitted = softmax(scaled, temperature)
    assert calibration_error(fitted, labels) < 0.02
    if scaling != 1:
        assert calibration_error(softmax(scaled), labels) > 0.05


@pytest.mark.parametrize("right", [True, False])
def test_temperature_of_the_all_right_and_the_all_wrong_is_usable(right):
    labels = np.arange(30) % 3
    temperature = fit_temperature(_logits(list(labels if right else (labels + 1) % 3)), labels)
    assert temperature == pytest.approx(0.1 if right else 10)


@settings(deadline=None)
@given(
    npst.arrays(np.float32, (4, 3), elements=st.floats(-HUGE, HUGE, width=32)),
    st.floats(0.1, 10),
)
def test_softmax_is_stable(logits, temperature):
    probabilities = softmax(logits, temperature)
    assert probabilities.dtype == np.float32
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    best = np.take_along_axis(probabilities, logits.argmax(1)[:, None], 1)[:, 0]
    np.testing.assert_array_equal(best, probabilities.max(1))


def test_softmax_by_hand():
    logits = np.float32([0, math.log(2), math.log(5)])
    assert softmax(logits) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert softmax(logits, 0.5) == pytest.approx([1 / 30, 4 / 30, 25 / 30])
    assert softmax(logits + 1000) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=1e-4)
