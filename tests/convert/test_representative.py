"""The pictures that calibrate a quantization."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.card import InputSpec
from edge_fer.convert.representative import calibration_inputs, stratified_sample
from edge_fer.train.dataset import Dataset


@pytest.mark.parametrize("spec", [InputSpec(), InputSpec(24, 32), InputSpec(16, 16, 3, "rgb")])
def test_calibration_ends_with_black_and_white(toy, spec):
    sample = toy.take(np.arange(5))
    inputs = list(calibration_inputs(sample, spec))
    assert len(inputs) == 7
    for (picture,) in inputs:
        assert picture.shape == (1, spec.height, spec.width, spec.channels)
        assert picture.dtype == np.float32
    assert (inputs[-2][0] == 0).all()
    assert (inputs[-1][0] == 255).all()
    for (picture,), wanted in zip(inputs, sample.prepared(spec), strict=False):
        np.testing.assert_array_equal(picture[0], wanted)


def _labelled(labels: list[int]) -> Dataset:
    count = len(labels)
    return Dataset(
        np.zeros((count, 8, 8), np.uint8),
        np.array(labels, np.int64),
        np.zeros(count, np.uint8),
        3 * np.arange(count) + 5,
    )


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=200),
    st.integers(1, 150),
    st.integers(0, 2**32),
)
def test_every_class_has_the_same_share_as_far_as_it_goes(labels, count, seed):
    data = _labelled(labels)
    sample = stratified_sample(data, count, seed)
    there = np.bincount(labels, minlength=7)
    share = -(-count // (there > 0).sum())
    assert np.bincount(sample.labels, minlength=7).tolist() == np.minimum(there, share).tolist()
    # real pictures, none twice, in order
    assert (np.diff(sample.rows) > 0).all()
    assert set(sample.rows) <= set(data.rows)
    assert sample.labels.tolist() == [labels[(row - 5) // 3] for row in sample.rows]
    again = stratified_sample(data, count, seed)
    np.testing.assert_array_equal(again.rows, sample.rows)


def test_another_seed_takes_other_pictures(toy):
    taken = {stratified_sample(toy, 49, seed).rows.tobytes() for seed in range(8)}
    assert len(taken) == 8


def test_sample_keeps_what_the_pictures_are(toy):
    sample = stratified_sample(dataclasses.replace(toy, dropped=3), 21, 0)
    assert len(sample) == 21
    np.testing.assert_array_equal(sample.pixels, toy.pixels[sample.rows])
    np.testing.assert_array_equal(sample.splits, toy.splits[sample.rows])
