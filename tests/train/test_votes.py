"""FER+'s votes: reading them, and the majority by its protocol."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from toy_data import VOTES_HEADER, toy_dataset, votes_for, write_csv, write_votes

from edge_fer.errors import DataError
from edge_fer.labels import FER_LABELS, FERPLUS_LABELS
from edge_fer.train.readers import load
from edge_fer.train.votes import ANSWERS, distribution, majority, read_votes


@pytest.mark.parametrize(
    ("taggers", "label"),
    [
        ({"happy": 10}, "happy"),
        ({"angry": 6, "disgust": 4}, "angry"),
        ({"sad": 5, "neutral": 5}, None),
        # Half is not more than half, until single votes are left out.
        ({"fear": 5, "surprise": 4, "sad": 1}, "fear"),
        ({"fear": 4, "surprise": 3, "sad": 3}, None),
        ({"neutral": 4, "sad": 2, "happy": 1, "angry": 1, "fear": 1, "disgust": 1}, "neutral"),
        ({"unknown": 9, "happy": 1}, None),
        ({"not_a_face": 10}, None),
        ({"contempt": 8, "neutral": 2}, None),
    ],
)
def test_the_majority_of_seven_classes(taggers, label):
    number = majority(votes_for(**taggers)[None], FER_LABELS)[0]
    assert number == (-1 if label is None else FER_LABELS.index(label))


def test_contempt_counts_where_it_is_a_class():
    names = (*FER_LABELS, "contempt")
    assert majority(votes_for(contempt=8, neutral=2)[None], names).tolist() == [7]


@given(arrays(np.uint8, (5, len(ANSWERS)), elements=st.integers(0, 10)))
def test_a_label_always_has_the_most_votes(votes):
    for row, number in zip(votes, majority(votes, FER_LABELS), strict=True):
        if number >= 0:
            assert row[ANSWERS.index(FER_LABELS[number])] == row.max() > 1


@pytest.mark.parametrize(
    ("taggers", "shares"),
    [
        ({"happy": 10}, {"happy": 1}),
        ({"sad": 6, "neutral": 4}, {"sad": 0.6, "neutral": 0.4}),
        # What one tagger alone saw is left out, and the rest makes the whole.
        ({"happy": 5, "sad": 3, "fear": 1, "angry": 1}, {"happy": 5 / 8, "sad": 3 / 8}),
        ({"happy": 1, "sad": 1, "fear": 1, "angry": 1, "neutral": 1, "disgust": 1}, {}),
        ({"unknown": 4, "happy": 6}, {"happy": 1}),
        ({"unknown": 5, "happy": 3, "sad": 2}, {}),
        ({"unknown": 9, "happy": 1}, {}),
        ({"not_a_face": 10}, {}),
        ({"unknown": 3, "not_a_face": 3, "happy": 4}, {}),
        ({"contempt": 4, "neutral": 6}, {"neutral": 1}),
        ({"contempt": 6, "neutral": 4}, {}),
        ({}, {}),
    ],
)
def test_the_distribution_over_seven_classes(taggers, shares):
    row = distribution(votes_for(**taggers)[None], FER_LABELS)[0]
    assert row.dtype == np.float32
    assert row.tolist() == pytest.approx([shares.get(name, 0) for name in FER_LABELS])


def test_the_distribution_follows_the_names():
    votes = votes_for(contempt=6, neutral=4)[None]
    assert distribution(votes, FERPLUS_LABELS)[0] == pytest.approx([0, 0, 0, 0, 0, 0, 0.4, 0.6])
    names = ("contempt", "sad", "neutral")
    assert distribution(votes, names)[0] == pytest.approx([0.6, 0, 0.4])


@given(arrays(np.uint8, (5, len(ANSWERS)), elements=st.integers(0, 10)))
def test_a_distribution_sums_to_one_or_is_empty_and_agrees_with_the_majority(votes):
    before = votes.copy()
    shares = distribution(votes, FERPLUS_LABELS)
    assert ((shares >= 0) & (shares <= 1)).all()
    for row, number in zip(shares, majority(votes, FERPLUS_LABELS), strict=True):
        assert row.sum() == pytest.approx(1, abs=1e-6) or not row.any()
        if number >= 0:
            assert row.argmax() == number
            assert row[number] > 0.5
    np.testing.assert_array_equal(votes, before)


def test_votes_go_with_their_pictures(tmp_path):
    data = toy_dataset(training=4, public=2, private=1)
    rows = [votes_for(**{FER_LABELS[(label + 1) % 7]: 10}) for label in data.labels]
    file = write_votes(tmp_path / "fer2013new.csv", rows)
    read = load(write_csv(tmp_path / "fer2013.csv", data), votes=file)
    for split in ("training", "public", "private"):
        part = read.split(split)
        assert majority(part.votes, FER_LABELS).tolist() == [(x + 1) % 7 for x in part.labels]


def test_votes_of_another_data_set_are_refused(tmp_path):
    data = write_csv(tmp_path / "fer2013.csv", toy_dataset(training=2, public=1, private=1))
    file = write_votes(tmp_path / "votes.csv", [votes_for(happy=10)] * 5)
    with pytest.raises(DataError, match=r"5 rows and the data set 28"):
        load(data, votes=file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        VOTES_HEADER,
        f"{VOTES_HEADER}\nTraining,x.png,1,2\n",
        f"{VOTES_HEADER}\nTraining,x.png{',x' * 10}\n",
    ],
    ids=["empty", "header alone", "too few columns", "words"],
)
def test_broken_votes_are_refused(tmp_path, text):
    file = tmp_path / "votes.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=r"votes\.csv"):
        read_votes(file)


def test_missing_votes_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_votes(tmp_path / "nowhere.csv")
