"""Choosing the shipped model that keeps up with a camera on this board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_fer.benchmarks.speed import latencies, timed
from edge_fer.card import Card
from edge_fer.classifier import Classifier
from edge_fer.detector import Detector
from edge_fer.models import model_names
from edge_fer.train.truths import FER2013, FERPLUS

_RUNS = 20
_FACES = 2
"""Faces in each frame that are reckoned with."""
_SHARE = 0.7
"""Share of a frame's time that may be used: the rest is for drawing, sinks and other programs."""


@dataclass(frozen=True)
class Candidate:
    """A model with settings, and what it costs here.

    Attributes:
        name: Of the model.
        accuracy: On the public split, by a truth that all candidates share.
        frame_ms: Milliseconds a frame with two faces.
        threads: Threads of the networks.
        detect_every: The detector runs every so many frames.
    """

    name: str
    accuracy: float
    frame_ms: float
    threads: int = 1
    detect_every: int = 1

    def holds(self, fps: float) -> bool:
        """Whether it leaves time enough at so many frames a second."""
        return self.frame_ms <= _SHARE * 1000 / fps


def choose_model(fps: float, detector: Detector, threads: int = 1) -> Candidate:
    """The most accurate shipped model that holds a frame rate here.

    Args:
        fps: Frames a second to hold.
        detector: What finds faces; it takes its part of the time.
        threads: Threads of the network.

    Returns:
        The choice; the quickest where none holds the rate.
    """
    classifiers = {name: Classifier(name, threads) for name in model_names()}
    accuracies = card_accuracies({name: one.card for name, one in classifiers.items()})[1]
    detector_ms = _detector_ms(detector)
    candidates = []
    for name, accuracy in accuracies.items():
        took = float(np.median(latencies(classifiers[name], _RUNS)))
        candidates.append(Candidate(name, accuracy, detector_ms + _FACES * took, threads))
    return pick(candidates, fps)


def pick(candidates: Sequence[Candidate], fps: float) -> Candidate:
    """The most accurate candidate that holds a frame rate, else the quickest.

    Of the same model the settings with the fewest threads are taken, then those that detect most
    often.
    """
    holding = [c for c in candidates if c.holds(fps)]
    if holding:
        return max(holding, key=lambda c: (c.accuracy, -c.threads, -c.detect_every, -c.frame_ms))
    return min(candidates, key=lambda c: c.frame_ms)


def card_accuracies(cards: Mapping[str, Card]) -> tuple[str, dict[str, float]]:
    """The truth by which models can be ranked, and their accuracies by it on the public split.

    It is what people see (FER+) where every card tells it, else FER-2013's labels. A model whose
    card does not tell its accuracy has 0.
    """
    found = {
        truth: {name: _accuracy(card, truth) for name, card in cards.items()}
        for truth in (FERPLUS, FER2013)
    }
    truth = FERPLUS if all(found[FERPLUS].values()) else FER2013
    return truth, found[truth]


def _accuracy(card: Card, truth: str) -> float:
    return float(card.metrics.get(truth, {}).get("public", {}).get("accuracy", 0.0))


def _detector_ms(detector: Detector) -> float:
    frame = np.full((480, 640, 3), 128, np.uint8)
    return float(np.median(timed(lambda: detector.detect(frame), 5)))
