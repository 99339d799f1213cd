"""Accuracy on changed pictures."""

from dataclasses import replace

import numpy as np
import pytest
from toy_data import toy_dataset, votes_for

from edge_fer.benchmarks.accuracy import ScoredModel, evaluate
from edge_fer.benchmarks.robustness import CHANGES, robustness
from edge_fer.errors import DataError
from edge_fer.labels import FER_LABELS
from edge_fer.models import find_model


@pytest.fixture(scope="module")
def toy():
    return toy_dataset(training=1, public=3, private=2)


class FakeModel:
    """Is right by the labels on the pictures that it knows, and says the next class elsewhere."""

    def __init__(self, data, truth="fer2013"):
        self.labels, self.truth, self.temperature, self.threshold = FER_LABELS, truth, 1.0, 0.0
        self._known = {picture.tobytes() for picture in data.pixels}
        self.seen = []

    def logits(self, data):
        self.seen.append(data)
        strange = [picture.tobytes() not in self._known for picture in data.pixels]
        return np.eye(7, dtype=np.float32)[(data.labels + strange) % 7]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_changes_every_picture_and_depends_on_the_seed_alone(change, toy):
    before = toy.pixels.copy()
    for place, picture in enumerate(toy.pixels):
        changed, again = (change(picture, np.random.default_rng([0, place])) for _ in range(2))
        assert changed.shape == picture.shape
        assert changed.dtype == np.uint8
        assert (changed != picture).mean() > 0.1
        np.testing.assert_array_equal(changed, again)
    np.testing.assert_array_equal(toy.pixels, before)


def test_signs_and_places_are_by_chance(toy):
    picture = toy.pixels[0]
    for name, kinds in {
        "turned 20 degrees": 2,
        "crop 15 % too large or small": 2,
        "crop shifted 15 %": 20,
        "a square of 40 % hidden": 20,
        "glare from one side": 20,
        "mouth hidden": 1,
        "24 px": 1,
    }.items():
        rngs = (np.random.default_rng(seed) for seed in range(20))
        assert len({CHANGES[name](picture, rng).tobytes() for rng in rngs}) == kinds, name


def test_what_is_hidden_by_hand():
    picture = np.full((50, 50), 99, np.uint8)
    masked = CHANGES["mouth hidden"](picture, np.random.default_rng(0))
    assert (masked[:31] == 99).all()
    assert (masked[31:] == 200).all()
    hidden = CHANGES["a square of 40 % hidden"](picture, np.random.default_rng(0)) != 99
    assert hidden.sum() == 20 * 20
    shifted = np.zeros((50, 50), np.uint8)
    shifted[25, 25] = 255
    y, x = np.mgrid[:50, :50]
    moved = CHANGES["crop shifted 15 %"](shifted, np.random.default_rng(0)).astype(float)
    way = np.hypot(*((axis * moved).sum() / moved.sum() - 25 for axis in (x, y)))
    assert way == pytest.approx(0.15 * 50, abs=0.2)


def test_the_table_is_the_same_every_time(toy):
    model = ScoredModel(find_model("fer-base"), FER_LABELS)
    lines = robustness(model, toy, "public")
    assert [line.change for line in lines] == list(CHANGES)
    assert robustness(model, toy, "public") == lines
    whole = evaluate(model, toy, "public")["fer2013"].scores.accuracy
    for line in lines:
        assert 0 <= line.accuracy <= 1
        assert line.drop == pytest.approx(100 * (whole - line.accuracy))
    assert len({line.accuracy for line in lines}) > 1


def test_the_drop_is_in_points_of_the_whole_accuracy(toy):
    public = toy.split("public")
    assert {(line.accuracy, line.drop) for line in robustness(FakeModel(public), toy)} == {(0, 100)}
    known = public.take(np.arange(len(public)) < 7)  # a third
    (drop,) = {line.drop for line in robustness(FakeModel(known), toy)}
    assert drop == pytest.approx(100 / 3)


def test_pictures_are_changed_by_their_place_in_the_split(toy):
    model = FakeModel(toy)
    robustness(model, toy, "private")
    whole, *changed = model.seen
    private = toy.split("private")
    np.testing.assert_array_equal(whole.pixels, private.pixels)
    assert len(changed) == len(CHANGES)
    for change, data in zip(CHANGES.values(), changed, strict=True):
        wanted = [change(p, np.random.default_rng([0, i])) for i, p in enumerate(private.pixels)]
        np.testing.assert_array_equal(data.pixels, wanted)
        np.testing.assert_array_equal(data.labels, private.labels)


def test_a_model_is_judged_by_its_own_truth(toy):
    seen = [votes_for(**{FER_LABELS[(label + 1) % 7]: 9}) for label in toy.labels]
    seen[int(np.flatnonzero(toy.splits == 1)[0])] = votes_for(unknown=9)
    voted = replace(toy, votes=np.stack(seen))
    public = voted.split("public")
    # What most people see is always the class that the model names on changed pictures.
    lines = robustness(FakeModel(public, "ferplus"), voted)
    assert {(line.accuracy, line.drop) for line in lines} == {(1, -100)}
    lines = robustness(FakeModel(public), voted)
    assert {(line.accuracy, line.drop) for line in lines} == {(0, 100)}
    with pytest.raises(DataError, match="--votes"):
        robustness(FakeModel(public, "ferplus"), toy)
