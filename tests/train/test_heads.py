"""The heads of a network: their places, what they are to say, and how much it counts."""

import dataclasses

import numpy as np
import pytest
from toy_data import tiny_recipe, votes_for

from edge_fer.errors import DataError
from edge_fer.labels import FER_LABELS, FERPLUS_LABELS
from edge_fer.train.dataset import Dataset
from edge_fer.train.heads import Head, heads_of, learned_targets, picture_weights, width_of

FER = Head("fer2013", FER_LABELS, slice(0, 7), 1.0)
SEEN = Head("ferplus", FERPLUS_LABELS, slice(7, 15), 0.5)


@pytest.fixture
def labelled():
    """Four angry pictures and a disgusted one."""
    return Dataset(
        pixels=np.zeros((5, 8, 8), np.uint8),
        labels=np.array([0, 0, 1, 0, 0]),
        splits=np.zeros(5, np.uint8),
        rows=np.arange(5),
    )


@pytest.fixture
def voted(labelled):
    seen = [{"angry": 6, "sad": 4}, {"unknown": 10}, {"disgust": 9, "fear": 1}, {"contempt": 10},
            {"neutral": 10}]  # fmt: skip
    return dataclasses.replace(labelled, votes=np.stack([votes_for(**row) for row in seen]))


def _recipe(loss=None, **targets):
    return tiny_recipe(targets=targets, loss=loss or {})


# Which


@pytest.mark.parametrize("other", [0, 0.5])
def test_without_votes_there_is_the_labels_head_alone(labelled, other):
    assert heads_of(_recipe(other=other), labelled) == (FER,)


def test_votes_that_are_not_to_be_learned_make_no_head(voted):
    assert heads_of(_recipe(), voted) == (FER,)
    seen = Head("ferplus", FERPLUS_LABELS, slice(0, 8), 1.0)
    assert heads_of(_recipe(head="ferplus"), voted) == (seen,)


def test_the_head_that_the_model_names_comes_first_and_weighs_one(voted):
    heads = heads_of(_recipe(other=0.5), voted)
    assert heads == (FER, SEEN)
    assert width_of(heads) == 15
    heads = heads_of(_recipe(head="ferplus", other=0.25), voted)
    assert heads == (
        Head("ferplus", FERPLUS_LABELS, slice(0, 8), 1.0),
        Head("fer2013", FER_LABELS, slice(8, 15), 0.25),
    )
    assert width_of(heads) == 15
    assert width_of(heads[:1]) == 8


def test_the_labels_head_has_the_classes_of_the_data(voted):
    names = tuple(f"class {i}" for i in range(9))
    heads = heads_of(_recipe(other=1), dataclasses.replace(voted, names=names))
    assert [(head.labels, head.columns) for head in heads] == [
        (names, slice(0, 9)),
        (FERPLUS_LABELS, slice(9, 17)),
    ]


@pytest.mark.parametrize("other", [0, 0.5])
def test_the_votes_head_without_votes_is_refused(labelled, other):
    with pytest.raises(DataError, match=r"toy.*--votes"):
        heads_of(_recipe(head="ferplus", other=other), labelled)


# What


def test_labels_are_learned_with_smoothing(voted):
    targets = learned_targets(FER, voted, _recipe(loss={"smoothing": 0.14}))
    assert targets.dtype == np.float32
    assert targets.shape == (5, 7)
    assert targets[0] == pytest.approx([0.88, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02])
    assert targets[2] == pytest.approx([0.02, 0.88, 0.02, 0.02, 0.02, 0.02, 0.02])
    plain = learned_targets(FER, voted, _recipe(loss={"smoothing": 0.0}))
    np.testing.assert_array_equal(plain, np.eye(7)[voted.labels])


def test_votes_are_learned_as_they_are(voted):
    targets = learned_targets(SEEN, voted, _recipe(loss={"smoothing": 0.14}))
    assert targets.dtype == np.float32
    np.testing.assert_allclose(
        targets,
        [
            [0.6, 0, 0, 0, 0.4, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],  # unknown: nothing to learn
            [0, 1, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 1],
            [0, 0, 0, 0, 0, 0, 1, 0],
        ],
        atol=1e-6,
    )


def test_rare_classes_count_more_for_labels(voted):
    # 4 ** -0.5 and 1 are 1 to 2; their mean over the five pictures is to be 1.
    wanted = np.array([5 / 6, 5 / 6, 10 / 6, 5 / 6, 5 / 6])
    recipe = _recipe(loss={"balance": 0.5})
    weights = picture_weights(FER, voted, recipe)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, wanted, rtol=1e-6)
    light = dataclasses.replace(FER, weight=0.25)
    np.testing.assert_allclose(picture_weights(light, voted, recipe), wanted / 4, rtol=1e-6)
    alike = picture_weights(FER, voted, _recipe(loss={"balance": 0.0}))
    np.testing.assert_allclose(alike, np.ones(5))


def test_every_picture_counts_alike_for_votes(voted):
    weights = picture_weights(SEEN, voted, _recipe(loss={"balance": 0.5}))
    assert weights.dtype == np.float32
    assert weights.tolist() == [0.5] * 5
