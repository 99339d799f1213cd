"""Which model, with which settings, holds a frame rate on this machine."""

from __future__ import annotations

from collections.abc import Mapping

from edge_fer.benchmarks.results import Benchmark, Target
from edge_fer.benchmarks.scene import TYPICAL
from edge_fer.card import Card
from edge_fer.choice import Candidate, card_accuracies, pick


def choose(benchmark: Benchmark, cards: Mapping[str, Card], fps: float) -> Target:
    """The most accurate model that holds a frame rate, as ``--model auto`` would choose.

    Args:
        benchmark: What was measured; the scenes of ``TYPICAL`` are looked at.
        cards: The models' cards by name: their accuracies on the public split are compared.
        fps: Frames a second to hold.
    """
    truth, accuracies = card_accuracies(cards)
    candidates = [
        Candidate(
            model.name,
            accuracies[model.name],
            pipeline.frame_ms.value,
            cell.threads,
            pipeline.scene.detect_every,
        )
        for model in benchmark.models
        for cell in model.cells
        for pipeline in cell.pipelines
        if pipeline.scene in TYPICAL
    ]
    best = pick(candidates, fps)
    return Target(
        fps=fps,
        reached=best.holds(fps),
        model=best.name,
        threads=best.threads,
        detect_every=best.detect_every,
        frame_ms=best.frame_ms,
        truth=truth,
        accuracy=best.accuracy,
    )
