"""Choosing the shipped model that keeps up with a camera on this board."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from edge_fer.benchmarks.speed import latencies
from edge_fer.card import Card
from edge_fer.classifier import Classifier
from edge_fer.detector import Detector
from edge_fer.models import DEFAULT_MODEL, model_names
from edge_fer.train.truths import truth_of

_RUNS = 20
_FACES = 2
"""Faces in each frame that are reckoned with."""
_SHARE = 0.7
"""Share of a frame's time that may be used: the rest is for drawing, sinks and other programs."""


@dataclass(frozen=True)
class Candidate:
    """A model and what it costs here.

    Attributes:
        name: Of the shipped model.
        accuracy: By its own truth, on the public split, as its card says.
        milliseconds: Of one inference.
    """

    name: str
    accuracy: float
    milliseconds: float


def choose_model(fps: float, detector: Detector, threads: int = 1) -> Candidate:
    """The most accurate shipped model of the default's family that holds a frame rate here.

    Args:
        fps: Frames a second to hold.
        detector: What finds faces; it takes its part of the time.
        threads: Threads of the network.

    Returns:
        The choice; the quickest where none holds the rate.
    """
    family = truth_of(Classifier(DEFAULT_MODEL).card.recipe)
    candidates = []
    for name in model_names():
        classifier = Classifier(name, threads)
        if truth_of(classifier.card.recipe) == family:
            took = float(np.median(latencies(classifier, _RUNS)))
            candidates.append(Candidate(name, _accuracy(classifier.card, family), took))
    return pick(candidates, fps, _detector_ms(detector))


def pick(candidates: list[Candidate], fps: float, detector_ms: float) -> Candidate:
    """The most accurate candidate that leaves time enough, else the quickest."""
    left = _SHARE * 1000 / fps - detector_ms
    holds = [c for c in candidates if _FACES * c.milliseconds <= left]
    if holds:
        return max(holds, key=lambda c: (c.accuracy, -c.milliseconds))
    return min(candidates, key=lambda c: c.milliseconds)


def _accuracy(card: Card, family: str) -> float:
    return float(card.metrics.get(family, {}).get("public", {}).get("accuracy", 0.0))


def _detector_ms(detector: Detector) -> float:
    frame = np.full((480, 640, 3), 128, np.uint8)
    times = []
    for _ in range(5):
        before = time.perf_counter()
        detector.detect(frame)
        times.append(1000 * (time.perf_counter() - before))
    return float(np.median(times))
