"""Figures and their intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.benchmarks.estimate import Estimate, estimate, exactly, share

times = st.lists(st.floats(0.01, 1e3), min_size=1, max_size=20).map(np.array)
rounds = st.lists(times, min_size=1, max_size=6)


@given(rounds, st.sampled_from([0.5, 0.95, 0.99]))
def test_the_interval_holds_the_figure_and_lies_within_the_samples(samples, quantile):
    found = estimate(samples, quantile)
    everything = np.concatenate(samples)
    assert found.value == np.quantile(everything, quantile)
    assert everything.min() <= found.low <= found.value <= found.high <= everything.max()


@given(rounds, st.floats(0.1, 10))
def test_another_unit_changes_nothing_else(samples, factor):
    plain, scaled = estimate(samples), estimate([factor * one for one in samples])
    expected = (factor * plain.value, factor * plain.low, factor * plain.high)
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx(expected)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        # Each process is a little quicker or slower than the others.
        samples = [rng.normal(rng.normal(10, 0.3), 1, 30) for _ in range(5)]
        found = estimate(samples)
        hits += found.low <= 10 <= found.high
    assert 184 <= hits <= 200


def test_more_rounds_make_it_narrower():
    rng = np.random.default_rng(0)
    samples = [rng.normal(10, 1, 20) for _ in range(40)]
    few, many = estimate(samples[:4]), estimate(samples)
    assert many.high - many.low < few.high - few.low


def test_frames_a_second_from_milliseconds():
    assert Estimate(10, 8, 20).inverse(1000) == Estimate(100, 50, 125)
    assert Estimate(10, 8, 20).text(1) == "10.0 ± 10.0"
    assert exactly(3) == Estimate(3, 3, 3)


def test_a_share_of_few_is_less_sure_than_one_of_many():
    few, many = share(7, 10), share(700, 1000)
    # Newcombe (1998) gives Wilson's interval for 7 of 10.
    assert (few.low, few.high) == pytest.approx((0.3968, 0.8922), abs=1e-4)
    assert few.low < many.low < 0.7 < many.high < few.high
    assert (share(0, 5).low, share(5, 5).high) == (0, 1)
