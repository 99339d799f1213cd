"""A benchmark that nobody has measured."""

from dataclasses import replace

import pytest

from edge_fer.benchmarks.estimate import Estimate, share
from edge_fer.benchmarks.results import (
    SCHEMA,
    Batch,
    Benchmark,
    Cell,
    Conditions,
    Method,
    Model,
    Operator,
    Peak,
    Pipeline,
    Score,
)
from edge_fer.benchmarks.scene import TYPICAL, Scene
from edge_fer.benchmarks.stages import STAGES

SCENES = (Scene(), *TYPICAL)
MACHINE = {
    "board": None,
    "processor": "Toy <1>",
    "cores": 4,
    "load": 0.1,
    "versions": {"numpy": "2"},
}


def about(value, noise=0.01):
    return Estimate(value, value * (1 - noise), value * (1 + noise))


def a_cell(ms, threads=1):
    stages = dict.fromkeys(STAGES, ms / 4)
    return Cell(
        threads=threads,
        n=500,
        rounds=10,
        median_ms=about(ms),
        p95_ms=about(1.1 * ms),
        p99_ms=about(1.2 * ms),
        gmacs=about(100 / ms),
        of_peak=about(0.5),
        start_ms=about(400.0),
        memory_mib=about(90.0),
        pipelines=tuple(
            Pipeline(s, s.faces, about((4 + 2 * s.faces * ms) / s.detect_every), stages)
            for s in SCENES
        ),
        batches=(Batch(5, about(5 * ms), about(4 * ms)),),
    )


def a_score(accuracy, n=3589):
    return Score("fer2013", "public", n, share(round(n * accuracy), n), 0.6, 0.02, True)


def a_model(name, ms, accuracy=0.7, precision="int8", family="fer"):
    return Model(
        name=name,
        family=family,
        precision=precision,
        bytes=900_000,
        macs=87_000_000,
        sha256="0" * 64,
        steps=2,
        not_delegated=(),
        cells=(a_cell(ms), a_cell(0.6 * ms, threads=2)),
        scores=(
            Score("fer2013", "public", 3589, share(round(3589 * accuracy), 3589), 0.6, 0.02, True),
        ),
        operators=(
            Operator("CONV_2D", (24, 24, 64), 80_000_000, ms, True),
            Operator("MEAN", (64,), 0, -0.001, False),
        ),
    )


@pytest.fixture
def benchmark_of():
    """Makes a benchmark of models, by default a small, a large and a float one."""

    def make(models=None, **changes):
        made = Benchmark(
            schema=SCHEMA,
            made="2026-11-21T12:00:00+00:00",
            machine=MACHINE,
            method=Method(rounds=10, runs=50, seconds=1.0, seed=0, detector="blazeface"),
            conditions=Conditions(temperatures=(50.0, 61.5)),
            models=models
            or (
                a_model("small", 1.0, 0.66),
                a_model("large", 9.0, 0.72),
                a_model("large-float32", 30.0, 0.721, "float32"),
            ),
            peaks=(Peak(1, about(200.0)), Peak(2, about(390.0))),
        )
        return replace(made, **changes)

    return make


@pytest.fixture
def model_of():
    """Makes a model."""
    return a_model
