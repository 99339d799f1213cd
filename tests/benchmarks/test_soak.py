"""Long runs, made short."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.benchmarks.slowed import aged, read_ages
from edge_fer.benchmarks.soak import Sample, growth, run_command, soak
from edge_fer.errors import WorkError


def test_growth_is_a_line_through_what_came_after_settling():
    samples = [
        Sample(float(s), 50 + 10 * min(s, 20) + 0.01 * s, 9 + s // 50, 4) for s in range(101)
    ]
    grown = growth(samples)
    assert grown.memory_mib == pytest.approx(36, abs=0.1)  # 0.01 MiB a second
    assert (grown.descriptors, grown.threads) == (2, 0)


def test_a_run_is_looked_at(make_clip):
    told = []
    samples = soak(
        run_command([str(make_clip()), "--loop", "--detector", "blazeface"]), 4.0, 0.5, told.append
    )
    assert told == samples
    assert 5 <= len(samples) <= 9
    assert all(s.memory_mib > 5 and s.descriptors > 2 and s.threads >= 1 for s in samples)


def test_a_run_that_ends_is_told(tmp_path):
    with pytest.raises(WorkError, match="ended by itself"):
        soak(run_command([str(tmp_path / "none.mp4")]), 30.0, 0.2)


def test_the_command(cli, make_clip, tmp_path):
    arguments = ["benchmark", "--live", make_clip(), "--soak", 0.05, "--detector", "blazeface"]
    done = cli(*arguments, "--json", "-", "--plot", tmp_path / "soak.png")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["results"]
    assert len(row["samples"]) >= 2
    assert "MiB an hour" in done.stderr
    assert (tmp_path / "soak.png").stat().st_size > 5000


def test_a_slow_board_tells_the_age_of_its_readings(cli, make_clip, tmp_path):
    arguments = ["benchmark", "--live", make_clip(), "--soak", 0.1, "--period", 250]
    plot = tmp_path / "soak.png"
    done = cli(*arguments, "--detector", "blazeface", "--json", "-", "--plot", plot)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["results"]
    assert row["period_ms"] == 250
    age = row["age"]
    assert 1 <= age["readings"] <= 6 / 0.25
    assert 1 <= age["median"] <= age["p99"] <= age["oldest"]
    assert "times old" in done.stderr
    assert plot.stat().st_size > 5000


@given(
    late=st.lists(st.floats(0.1, 10), min_size=1), early=st.lists(st.floats(0.1, 10), min_size=1)
)
def test_the_first_second_does_not_count(late, early):
    ages = [(0.5, age) for age in early] + [(2.0, age) for age in late]
    summed = aged(ages, 0.2)
    assert summed.readings == len(ages)
    assert summed.oldest == pytest.approx(max(late) / 0.2, abs=1e-3)
    assert summed.median <= summed.p99 <= summed.oldest


def test_a_line_that_is_half_written_is_left_out(tmp_path):
    path = tmp_path / "ages"
    path.write_text("0.100 0.2000\n0.300 0.2500\n0.5")
    assert read_ages(path) == [(0.1, 0.2), (0.3, 0.25)]
    path.write_text("")
    assert read_ages(path) == []


def test_soaking_needs_a_video(cli):
    done = cli("benchmark", "--soak", 1)
    assert done.returncode == 2
    assert "--live" in done.stderr
