"""Long runs, made short."""

import json

import pytest

from edge_fer.benchmarks.soak import Sample, growth, soak
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
    samples = soak([str(make_clip()), "--loop", "--detector", "blazeface"], 4.0, 0.5, told.append)
    assert told == samples
    assert 5 <= len(samples) <= 9
    assert all(s.memory_mib > 5 and s.descriptors > 2 and s.threads >= 1 for s in samples)


def test_a_run_that_ends_is_told(tmp_path):
    with pytest.raises(WorkError, match="ended by itself"):
        soak([str(tmp_path / "none.mp4")], 30.0, 0.2)


def test_the_command(cli, make_clip, tmp_path):
    arguments = ["benchmark", "--live", make_clip(), "--soak", 0.05, "--detector", "blazeface"]
    done = cli(*arguments, "--json", "-", "--plot", tmp_path / "soak.png")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["results"]
    assert len(row["samples"]) >= 2
    assert "MiB an hour" in done.stderr
    assert (tmp_path / "soak.png").stat().st_size > 5000


def test_soaking_needs_a_video(cli):
    done = cli("benchmark", "--soak", 1)
    assert done.returncode == 2
    assert "--live" in done.stderr
