"""The data set: its splits, its fingerprint, and what must not leak."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.card import InputSpec
from edge_fer.errors import DataError
from edge_fer.train.dataset import PRIVATE, PUBLIC, SPLITS, TRAINING, Dataset, stratified


def _dataset(pictures: list[int], splits: list[int]) -> Dataset:
    """Pictures of one shade each."""
    pixels = (
        np.zeros((len(pictures), 48, 48), np.uint8) + np.array(pictures, np.uint8)[:, None, None]
    )
    count = len(pictures)
    return Dataset(pixels, np.arange(count) % 7, np.array(splits, np.uint8), 100 + np.arange(count))


def test_split_gives_the_pictures_of_one_split(small):
    parts = {name: small.split(name) for name in SPLITS}
    assert {name: len(part) for name, part in parts.items()} == {
        "training": 21,
        "public": 14,
        "private": 7,
    }
    for number, part in enumerate(parts.values()):
        assert set(part.splits) == {number}
        np.testing.assert_array_equal(part.pixels, small.pixels[small.splits == number])
        np.testing.assert_array_equal(part.labels, small.labels[small.splits == number])
        np.testing.assert_array_equal(part.rows, small.rows[small.splits == number])


@pytest.mark.parametrize("name", SPLITS)
def test_empty_split_is_refused_by_name(small, name):
    rest = small.take(small.splits != SPLITS.index(name))
    with pytest.raises(DataError, match=f"{name} split"):
        rest.split(name)


def test_take_by_marks_and_by_places(small):
    marks = small.labels == 3
    by_marks, by_places = small.take(marks), small.take(np.flatnonzero(marks)[::-1])
    assert set(by_marks.labels) == {3}
    np.testing.assert_array_equal(by_marks.pixels, by_places.pixels[::-1])
    np.testing.assert_array_equal(by_marks.rows, by_places.rows[::-1])
    assert dataclasses.replace(small, dropped=4).take(marks).dropped == 4


@pytest.mark.parametrize(("channels", "color"), [(1, "gray"), (3, "rgb")])
def test_prepared_has_the_networks_shape(small, channels, color):
    pictures = small.prepared(InputSpec(24, 32, channels, color))
    assert pictures.shape == (len(small), 24, 32, channels)
    assert pictures.dtype == np.uint8
    same = small.prepared(InputSpec(48, 48, channels, color))
    for channel in range(channels):
        np.testing.assert_array_equal(same[..., channel], small.pixels)


def test_without_leaks_by_hand():
    data = _dataset(
        [1, 2, 3, 2, 5, 5, 3], [TRAINING, TRAINING, TRAINING, PUBLIC, TRAINING, TRAINING, PRIVATE]
    )
    clean = data.without_leaks()
    assert clean.pixels[:, 0, 0].tolist() == [1, 2, 5, 5, 3]
    assert clean.rows.tolist() == [100, 103, 104, 105, 106]
    assert clean.dropped == 2
    assert data.dropped == 0
    assert len(data) == 7
    again = clean.without_leaks()
    assert (len(again), again.dropped) == (5, 2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 1, 2])), min_size=1, max_size=30))
def test_without_leaks_keeps_all_else(cells):
    data = _dataset([shade for shade, _ in cells], [split for _, split in cells])
    clean = data.without_leaks()
    held_out = {shade for shade, split in cells if split != TRAINING}
    kept = [i for i, (shade, s) in enumerate(cells) if s != TRAINING or shade not in held_out]
    assert (clean.rows - 100).tolist() == kept
    assert clean.dropped == len(cells) - len(kept)
    np.testing.assert_array_equal(clean.pixels, data.pixels[kept])
    np.testing.assert_array_equal(clean.splits, data.splits[kept])


def test_repeated_pictures_are_marked_by_hand():
    cells = [
        (1, TRAINING, False),
        (2, TRAINING, None),  # left out: the public split holds it too
        (2, PUBLIC, True),
        (5, TRAINING, False),  # the first of two in one split
        (5, TRAINING, True),
        (7, PUBLIC, False),
        (7, PUBLIC, True),
        (8, PUBLIC, True),  # in both held-out splits
        (8, PRIVATE, True),
        (9, PRIVATE, False),
    ]
    data = _dataset([shade for shade, _, _ in cells], [split for _, split, _ in cells])
    assert data.repeated is None
    clean = data.without_leaks()
    assert clean.repeated.dtype == bool
    assert clean.repeated.tolist() == [mark for _, _, mark in cells if mark is not None]
    assert clean.split("public").repeated.tolist() == [True, False, True, True]
    assert clean.take(np.array([2, 3])).repeated.tolist() == [False, True]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 1, 2])), min_size=1, max_size=30))
def test_what_is_not_marked_occurs_once_and_every_marked_picture_has_a_twin(cells):
    clean = _dataset([shade for shade, _ in cells], [split for _, split in cells]).without_leaks()
    alone = clean.pixels[~clean.repeated]
    assert len({picture.tobytes() for picture in alone}) == len(alone)
    shades = [shade for shade, _ in cells]
    assert all(shades.count(picture[0, 0]) > 1 for picture in clean.pixels[clean.repeated])


@settings(deadline=None)
@given(
    place=st.tuples(st.integers(0, 41), st.integers(0, 47), st.integers(0, 47)),
    change=st.integers(1, 255),
)
def test_fingerprint_tells_every_pixel(small, place, change):
    pixels = small.pixels.copy()
    pixels[place] ^= np.uint8(change)
    assert dataclasses.replace(small, pixels=pixels).fingerprint() != small.fingerprint()


@settings(deadline=None)
@given(place=st.integers(0, 41), name=st.sampled_from(["labels", "splits"]))
def test_fingerprint_tells_every_label_and_split(small, place, name):
    values = getattr(small, name).copy()
    values[place] = (values[place] + 1) % 3
    assert dataclasses.replace(small, **{name: values}).fingerprint() != small.fingerprint()


def test_fingerprint_is_of_the_content_alone(small):
    copy = Dataset(
        np.asfortranarray(small.pixels), small.labels.copy(), small.splits.copy(), small.rows + 7
    )
    assert copy.fingerprint() == small.fingerprint()
    assert small.take(np.arange(len(small))[::-1]).fingerprint() != small.fingerprint()
    assert small.take(np.arange(len(small) - 1)).fingerprint() != small.fingerprint()


def test_describe_counts_the_splits(small):
    facts = dataclasses.replace(small, dropped=5).describe()
    assert facts == {
        "training": 21,
        "public": 14,
        "private": 7,
        "duplicates_left_out": 5,
        "sha256": small.fingerprint(),
    }


@given(
    labels=st.lists(st.integers(0, 6), max_size=300).map(lambda x: np.array(x, np.int64)),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None)
def test_stratified_marks_the_share_of_every_class(labels, share, seed):
    marked = stratified(labels, share, seed)
    assert marked.dtype == bool
    assert marked.shape == labels.shape
    for number in np.unique(labels):
        of_class, count = (labels == number).sum(), marked[labels == number].sum()
        assert abs(count - share * of_class) <= 1
        assert (count >= 1) == (of_class >= 2)
    np.testing.assert_array_equal(stratified(labels, share, seed), marked)


def test_stratified_depends_on_the_seed():
    labels = np.repeat(np.arange(7), 40)
    marks = {stratified(labels, 0.3, seed).tobytes() for seed in range(10)}
    assert len(marks) == 10
