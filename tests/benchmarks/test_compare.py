"""What changed beyond the noise."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.benchmarks.compare import Change, changes, machine_differences
from edge_fer.benchmarks.estimate import Estimate, exactly


@st.composite
def figures(draw):
    value = draw(st.floats(0.01, 1e4))
    below, above = draw(st.floats(0, 0.9)), draw(st.floats(0, 2))
    return Estimate(value, value * (1 - below), value * (1 + above))


@given(figures())
def test_nothing_changes_against_itself(figure):
    change = Change("m", "ms", figure, figure)
    assert change.percent.value == 0
    assert not change.beyond_noise


@given(figures(), figures())
def test_there_and_back_is_as_sure(one, other):
    there, back = Change("m", "ms", one, other), Change("m", "ms", other, one)
    assert (1 + there.percent.value / 100) * (1 + back.percent.value / 100) == pytest.approx(1)
    assert there.beyond_noise == back.beyond_noise
    assert not (there.worse and back.worse)


@given(figures(), figures())
def test_figures_whose_intervals_do_not_touch_have_changed(one, other):
    change = Change("m", "ms", one, other)
    if one.high < other.low or other.high < one.low:
        assert change.beyond_noise
    if one.low <= other.value <= one.high and other.low <= one.value <= other.high:
        assert not change.beyond_noise


@given(figures(), figures(), st.floats(0.1, 10))
def test_another_unit_changes_nothing(one, other, factor):
    scaled = [Estimate(*(factor * v for v in (f.value, f.low, f.high))) for f in (one, other)]
    plain = Change("m", "ms", one, other).percent
    assert Change("m", "ms", *scaled).percent.value == pytest.approx(plain.value, abs=1e-6)


def test_worse_is_more_of_time_and_less_of_accuracy():
    slower = Change("m", "ms", exactly(10), exactly(11))
    assert slower.worse
    assert slower.regressed(5)
    assert not slower.regressed(15)
    assert not replace(slower, better=1).worse
    assert Change("m", "accuracy", exactly(0.7), exactly(0.6), better=1).regressed(5)
    noisy = Change("m", "ms", Estimate(10, 8, 13), Estimate(11, 9, 14))
    assert not noisy.regressed(5)


def test_nothing_right_before_is_no_division_by_zero():
    change = Change("m", "accuracy", Estimate(0, 0, 0.1), Estimate(0.5, 0.4, 0.6), better=1)
    assert change.beyond_noise
    assert not change.worse


def test_figures_of_one_name_are_compared(benchmark_of, model_of):
    old = benchmark_of((model_of("a", 1.0), model_of("gone", 1.0)))
    new = benchmark_of((model_of("a", 1.3), model_of("new", 1.0)))
    found = changes(old, new)
    assert {change.model for change in found} == {"a"}
    worse = {change.what for change in found if change.regressed(5)}
    assert {
        "median ms, 1 thread",
        "p95 ms, 2 threads",
        "frame ms, 640x480, 1 face, 1 thread",
    } <= worse
    assert not {"start ms, 1 thread", "file, kB", "accuracy, fer2013 public"} & worse


def test_accuracies_by_the_card_and_measured_are_not_compared(benchmark_of, model_of):
    model = model_of("a", 1.0)
    by_card = replace(model, scores=(replace(model.scores[0], measured=False),))
    found = changes(benchmark_of((by_card,)), benchmark_of((model,)))
    assert not any("accuracy" in change.what for change in found)


def test_another_machine_is_noticed(benchmark_of):
    here = benchmark_of()
    there = replace(here, machine={**here.machine, "processor": "Cortex-A72"})
    assert machine_differences(here, here) == []
    (line,) = machine_differences(here, there)
    assert "Cortex-A72 now" in line
