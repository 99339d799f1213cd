"""Figures by each of the two truths, against sums done by hand."""

import dataclasses
import math

import numpy as np
import pytest
from toy_data import votes_for

from edge_fer.errors import DataError, ModelError
from edge_fer.labels import FER_LABELS, FERPLUS_LABELS
from edge_fer.train.dataset import Dataset
from edge_fer.train.recipe import Recipe
from edge_fer.train.truths import judge, known_truths, true_labels, truth_of

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


def _data(labels, votes=None, repeated=None):
    """Pictures whose pixels do not matter."""
    count = len(labels)
    return Dataset(
        pixels=np.zeros((count, 8, 8), np.uint8),
        labels=np.array(labels, np.int64),
        splits=np.ones(count, np.uint8),
        rows=np.arange(count),
        votes=None if votes is None else np.stack([votes_for(**row) for row in votes]),
        repeated=None if repeated is None else np.array(repeated, bool),
    )


def _logits(sure, names=FER_LABELS):
    """Logits whose softmax gives a class this probability, and every other the same rest."""
    rows = []
    for number, share in sure:
        row = np.full(len(names), (1 - share) / (len(names) - 1))
        row[number] = share
        rows.append(np.log(row))
    return np.array(rows, np.float32)


# What is true


@pytest.mark.parametrize(
    "names",
    [FER_LABELS, FER_LABELS[::-1], FERPLUS_LABELS, ("contempt", *FER_LABELS[::-1])],
    ids=["same", "turned", "with contempt", "contempt first"],
)
def test_labels_are_numbered_as_the_model_does(names):
    data = _data([HAPPY, ANGRY, NEUTRAL, HAPPY])
    numbers = true_labels("fer2013", names, data)
    assert [names[number] for number in numbers] == ["happy", "angry", "neutral", "happy"]
    assert data.labels.tolist() == [HAPPY, ANGRY, NEUTRAL, HAPPY]


def test_votes_are_numbered_as_the_model_does():
    seen = [
        {"sad": 9},
        {"contempt": 8, "neutral": 2},
        {"unknown": 10},
        {"happy": 5, "surprise": 5},
        {"angry": 6, "disgust": 4},
    ]
    data = _data([HAPPY] * 5, seen)
    assert true_labels("ferplus", FER_LABELS, data).tolist() == [SAD, -1, -1, -1, ANGRY]
    assert true_labels("ferplus", FERPLUS_LABELS, data).tolist() == [SAD, 7, -1, -1, ANGRY]
    turned = ("contempt", *FER_LABELS[::-1])
    assert true_labels("ferplus", turned, data).tolist() == [3, 0, -1, -1, 7]
    assert true_labels("fer2013", turned, data).tolist() == [4] * 5


def test_a_class_that_the_model_does_not_know_is_named():
    names = ("contempt", *FER_LABELS[:2], *FER_LABELS[3:])
    with pytest.raises(ModelError, match="fear"):
        true_labels("fer2013", names, _data([HAPPY]))


def test_missing_votes_are_asked_for():
    with pytest.raises(DataError, match="--votes"):
        true_labels("ferplus", FER_LABELS, _data([HAPPY]))


def test_a_data_set_tells_the_truths_that_it_has():
    assert known_truths(_data([HAPPY])) == ("fer2013",)
    assert known_truths(_data([HAPPY], [{"sad": 9}])) == ("fer2013", "ferplus")


def test_the_truth_of_a_recipe():
    assert truth_of({}) == "fer2013"  # of a model from elsewhere
    assert truth_of({"name": "old", "epochs": 3}) == "fer2013"
    for head in ("fer2013", "ferplus"):
        recipe = Recipe.from_dict({"targets": {"head": head}})
        assert truth_of(recipe.to_dict()) == head


# Judging


SURE = [(HAPPY, 0.9), (SAD, 0.8), (FEAR, 0.7), (ANGRY, 0.6), (NEUTRAL, 0.5)]


def test_certain_readings_by_hand():
    # right, wrong, right, wrong, right
    data = _data([HAPPY, FEAR, FEAR, SAD, NEUTRAL])
    judged = judge(_logits(SURE), FER_LABELS, data, "fer2013", threshold=0.65)
    assert judged.scores.n == 5
    assert judged.scores.accuracy == pytest.approx(3 / 5)
    assert judged.certain == pytest.approx(3 / 5)
    assert judged.certain_accuracy == pytest.approx(2 / 3)


def test_all_are_certain_without_a_threshold_and_none_above_the_highest():
    data = _data([HAPPY, FEAR, FEAR, SAD, NEUTRAL])
    judged = judge(_logits(SURE), FER_LABELS, data, "fer2013")
    assert (judged.certain, judged.certain_accuracy) == (1, pytest.approx(3 / 5))
    judged = judge(_logits(SURE), FER_LABELS, data, "fer2013", threshold=0.95)
    assert (judged.certain, judged.certain_accuracy) == (0, 0)


def test_a_reading_at_the_threshold_is_certain():
    even = np.zeros((1, 8), np.float32)
    judged = judge(even, FERPLUS_LABELS, _data([ANGRY]), "fer2013", threshold=0.125)
    assert (judged.certain, judged.certain_accuracy) == (1, 1)


def test_the_temperature_decides_who_is_certain():
    # At 2 a share of p in one class and the rest in six becomes as the square roots are.
    cool = [math.sqrt(p) / (math.sqrt(p) + 6 * math.sqrt((1 - p) / 6)) for _, p in SURE]
    assert cool == pytest.approx([0.551, 0.449, 0.384, 0.333, 0.290], abs=1e-3)
    data = _data([HAPPY, FEAR, FEAR, SAD, NEUTRAL])
    judged = judge(_logits(SURE), FER_LABELS, data, "fer2013", temperature=2, threshold=0.4)
    assert judged.certain == pytest.approx(2 / 5)
    assert judged.certain_accuracy == pytest.approx(1 / 2)
    rights = [cool[0], (1 - cool[1]) / 6, cool[2], (1 - cool[3]) / 6, cool[4]]
    assert judged.scores.nll == pytest.approx(-np.log(rights).mean(), rel=1e-4)


def test_unique_figures_leave_out_repeated_pictures():
    labels = [HAPPY, FEAR, FEAR, SAD, NEUTRAL]
    marks = [True, False, False, True, False]
    data = _data(labels, repeated=marks)
    judged = judge(_logits(SURE), FER_LABELS, data, "fer2013", threshold=0.65)
    assert (judged.scores.n, judged.unique.n) == (5, 3)
    assert judged.unique.accuracy == pytest.approx(2 / 3)
    kept = judge(_logits(SURE)[[1, 2, 4]], FER_LABELS, _data([FEAR, FEAR, NEUTRAL]), "fer2013")
    np.testing.assert_array_equal(judged.unique.confusion, kept.scores.confusion)
    assert judged.unique.nll == pytest.approx(kept.scores.nll)
    assert judged.certain == pytest.approx(3 / 5)  # repeated ones are readings too


def test_all_are_unique_where_nobody_looked():
    judged = judge(_logits(SURE), FER_LABELS, _data([HAPPY, FEAR, FEAR, SAD, NEUTRAL]), "fer2013")
    np.testing.assert_array_equal(judged.unique.confusion, judged.scores.confusion)


def test_pictures_without_a_majority_count_nowhere():
    seen = [{"happy": 9}, {"unknown": 9}, {"sad": 9}, {"contempt": 9}, {"neutral": 9}]
    data = _data([HAPPY] * 5, seen, repeated=[False, True, True, False, False])
    judged = judge(_logits(SURE), FER_LABELS, data, "ferplus", threshold=0.65)
    assert (judged.scores.n, judged.unique.n) == (3, 2)
    assert judged.scores.accuracy == pytest.approx(2 / 3)
    assert judged.unique.accuracy == 1
    # Of the three, happy with 0.9 and fear with 0.7 are certain, and the second is wrong.
    assert judged.certain == pytest.approx(2 / 3)
    assert judged.certain_accuracy == pytest.approx(1 / 2)
    by_label = judge(_logits(SURE), FER_LABELS, data, "fer2013")
    assert (by_label.scores.n, by_label.scores.accuracy) == (5, pytest.approx(1 / 5))


def test_contempt_is_judged_where_the_model_knows_it():
    names = ("contempt", *FER_LABELS)
    data = _data([HAPPY, SAD], [{"contempt": 9}, {"sad": 9}])
    logits = _logits([(0, 0.9), (0, 0.6)], names)
    by_votes, by_label = (judge(logits, names, data, t).scores for t in ("ferplus", "fer2013"))
    assert by_votes.accuracy == pytest.approx(1 / 2)
    assert by_label.accuracy == 0
    assert by_votes.names == names
    assert by_votes.confusion[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert by_label.confusion[names.index("happy"), 0] == 1


def test_a_truth_that_names_no_picture_is_refused():
    data = _data([HAPPY, SAD], [{"unknown": 9}, {"contempt": 9}])
    with pytest.raises(DataError, match="ferplus"):
        judge(_logits(SURE[:2]), FER_LABELS, data, "ferplus")


def test_the_figures_as_plain_data():
    labels = [HAPPY, FEAR, FEAR, SAD, NEUTRAL]
    data = dataclasses.replace(_data(labels), repeated=np.array([True, False, False, False, False]))
    judged = judge(_logits(SURE), FER_LABELS, data, "fer2013", threshold=0.65)
    plain = judged.to_dict()
    assert plain["n"] == 5
    assert plain["accuracy"] == 0.6
    assert plain["certain"] == 0.6
    assert plain["certain_accuracy"] == 0.66667
    assert plain["without_repeats"] == {"n": 4, "accuracy": 0.5}
