"""Measuring models side by side: many short processes in random order."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from edge_fer.benchmarks.estimate import Estimate, estimate
from edge_fer.benchmarks.graph import Graph
from edge_fer.benchmarks.machine import describe_machine
from edge_fer.benchmarks.peak import PEAK_MACS
from edge_fer.benchmarks.results import (
    SCHEMA,
    Batch,
    Benchmark,
    Cell,
    Conditions,
    Method,
    Model,
    Peak,
    Pipeline,
)
from edge_fer.benchmarks.scene import TYPICAL, Scene
from edge_fer.benchmarks.worker import Job, Sample
from edge_fer.benchmarks.worker import measure as measure_job
from edge_fer.board import read_board
from edge_fer.card import unpack
from edge_fer.classifier import Classifier


@dataclass(frozen=True)
class Plan:
    """What is measured, and how often.

    Attributes:
        threads: Numbers of threads.
        rounds: Processes for each model and number of threads.
        runs: Times to take of everything in each of them.
        seconds: Fewer are taken where they would need longer.
        sizes: Frame sizes, columns and rows.
        faces: Numbers of faces in a frame.
        batches: Numbers of faces that the classifier gets at once.
        seed: Of the random order.
        detector: What finds faces.
        budget: Seconds after which no further round begins, once there were two.
    """

    threads: tuple[int, ...] = (1,)
    rounds: int = 10
    runs: int = 50
    seconds: float = 1.0
    sizes: tuple[tuple[int, int], ...] = ((640, 480), (1280, 720), (1920, 1080))
    faces: tuple[int, ...] = (1, 2, 5, 10)
    batches: tuple[int, ...] = (2, 5, 10)
    seed: int = 0
    detector: str = "blazeface"
    budget: float = float("inf")

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Every number of faces in every size, and those that a choice of models asks for."""
        grid = [Scene(*size, faces) for size in self.sizes for faces in self.faces]
        return tuple(dict.fromkeys((*grid, *TYPICAL)))


QUICK = Plan(
    rounds=4, runs=20, seconds=0.1, sizes=((640, 480),), faces=(1, 2, 5), batches=(5,), budget=45
)
"""A plan for less than a minute."""


def measure(
    files: Mapping[str, Path],
    plan: Plan,
    on_progress: Callable[[str, float], None] = lambda *_: None,
) -> Benchmark:
    """Measure models.

    Every process measures one model with one number of threads. A round has each of them once, in
    random order, so that heat and other programs meet all alike.

    Args:
        files: The models by the names that they are to have.
        plan: What is measured.
        on_progress: Told what is measured next, and the share that is done.

    Raises:
        ModelError: A model is broken; found before the long work.
        WorkError: A process failed.
    """
    for file in files.values():
        Classifier(file)
    began, made = time.monotonic(), datetime.now().astimezone().isoformat(timespec="seconds")
    machine = describe_machine()
    rng = np.random.default_rng(plan.seed)
    cells = [(name, threads) for name in files for threads in plan.threads]
    samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    temperatures: list[float] = []
    throttled: set[str] = set()

    def look() -> None:
        board = read_board()
        temperatures.extend([] if board.temperature is None else [board.temperature])
        throttled.update(board.throttled or ())

    for number in range(plan.rounds):
        took = time.monotonic() - began
        if number >= 2 and took * (number + 1) / number > plan.budget:
            break
        for done, place in enumerate(rng.permutation(len(cells))):
            name, threads = cells[place]
            look()
            on_progress(f"{name}, {threads} threads", (number + done / len(cells)) / plan.rounds)
            job = Job(
                *(str(files[name]), threads, plan.detector, plan.runs, plan.seconds),
                *(plan.scenes, plan.batches, int(rng.integers(2**31))),
            )
            samples[name, threads].append(measure_job(job))
    look()
    return Benchmark(
        schema=SCHEMA,
        made=made,
        machine=machine,
        method=Method(
            *(len(samples[cells[0]]), plan.runs, plan.seconds, plan.seed, plan.detector),
        ),
        conditions=Conditions(tuple(temperatures), tuple(sorted(throttled))),
        models=tuple(
            _model(name, file, {t: samples[name, t] for t in plan.threads})
            for name, file in files.items()
        ),
        peaks=tuple(_peak(t, [s for n in files for s in samples[n, t]]) for t in plan.threads),
    )


def _model(name: str, file: Path, samples: Mapping[int, Sequence[Sample]]) -> Model:
    flatbuffer, card = unpack(file)
    steps, precision = Graph(flatbuffer).steps, str(card.quantization.get("precision", ""))
    return Model(
        name=name,
        family=card.name.removesuffix(f"-{precision}"),
        precision=precision,
        bytes=file.stat().st_size,
        macs=card.macs,
        sha256=card.sha256,
        steps=len(steps),
        not_delegated=tuple(step.name for step in steps if not step.delegated),
        cells=tuple(_cell(threads, some, card.macs) for threads, some in samples.items()),
    )


def _cell(threads: int, samples: Sequence[Sample], macs: int) -> Cell:
    latencies = [np.array(s.latencies) for s in samples]
    peaks = [PEAK_MACS / np.median(s.peak) for s in samples]
    shares = [macs / times / peak for times, peak in zip(latencies, peaks, strict=True)]
    median = estimate(latencies)
    return Cell(
        threads=threads,
        n=sum(map(len, latencies)),
        rounds=len(samples),
        median_ms=median,
        p95_ms=estimate(latencies, 0.95),
        p99_ms=estimate(latencies, 0.99),
        gmacs=median.inverse(macs / 1e6),
        of_peak=estimate(shares),
        start_ms=_each(s.start for s in samples),
        memory_mib=_each(s.memory_mib for s in samples),
        pipelines=_pipelines(samples),
        batches=tuple(
            Batch(
                first.faces,
                estimate([np.array(s.batches[i].one_by_one) for s in samples]),
                estimate([np.array(s.batches[i].together) for s in samples]),
            )
            for i, first in enumerate(samples[0].batches)
        ),
    )


def _pipelines(samples: Sequence[Sample]) -> tuple[Pipeline, ...]:
    by_scene = defaultdict(list)
    for sample in samples:
        for one in sample.scenes:
            by_scene[one.scene].append(one)
    ordered = sorted(by_scene, key=lambda s: (s.detect_every, s.width * s.height, s.faces))
    return tuple(
        Pipeline(
            scene,
            by_scene[scene][0].found,
            estimate([np.array(one.frame) for one in by_scene[scene]]),
            {
                stage: round(float(np.median([one.stages[stage] for one in by_scene[scene]])), 4)
                for stage in by_scene[scene][0].stages
            },
        )
        for scene in ordered
    )


def _peak(threads: int, samples: Sequence[Sample]) -> Peak:
    return Peak(threads, estimate([np.array(s.peak) for s in samples]).inverse(PEAK_MACS / 1e6))


def _each(values: Iterable[float]) -> Estimate:
    """The median of figures that a process has one of."""
    return estimate([np.array([value]) for value in values])
