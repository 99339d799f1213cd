"""How right a classifier is: figures from logits and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_fer.probabilities import softmax

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """The figures of one classifier on one split.

    Attributes:
        confusion: Pictures by true class (rows) and predicted class (columns), int64 [C, C].
        names: Class names.
        ece: Expected calibration error.
        nll: Mean negative log-likelihood of the true class, in nats.
    """

    confusion: NDArray[np.int64]
    names: tuple[str, ...]
    ece: float
    nll: float

    @property
    def n(self) -> int:
        """Number of pictures."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of pictures whose most probable class is the true one."""
        return float(np.trace(self.confusion) / self.n)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Of the pictures called a class, the share that are of it, [C]; 0 where none was."""
        return np.asarray(np.diag(self.confusion) / np.maximum(self.confusion.sum(0), 1))

    @property
    def recall(self) -> NDArray[np.float64]:
        """Of the pictures of a class, the share called so, [C]."""
        return np.asarray(np.diag(self.confusion) / np.maximum(self.confusion.sum(1), 1))

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall, [C]."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / np.where(both > 0, both, 1)

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur."""
        return float(self.f1[self.confusion.sum(1) > 0].mean())

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data, rounded to what the number of pictures can tell."""
        classes = {
            name: {
                "precision": round(float(self.precision[i]), 4),
                "recall": round(float(self.recall[i]), 4),
                "f1": round(float(self.f1[i]), 4),
                "n": int(self.confusion[i].sum()),
            }
            for i, name in enumerate(self.names)
        }
        return {
            "n": self.n,
            "accuracy": round(self.accuracy, 5),
            "macro_f1": round(self.macro_f1, 5),
            "ece": round(self.ece, 5),
            "nll": round(self.nll, 5),
            "classes": classes,
            "confusion": self.confusion.tolist(),
        }


def score(logits: Logits, labels: Labels, names: tuple[str, ...], temperature: float = 1) -> Scores:
    """Score logits [N, C] against true class numbers [N]."""
    probabilities = softmax(logits, temperature)
    predicted = logits.argmax(1)
    count = len(names)
    confusion = np.bincount(labels * count + predicted, minlength=count * count)
    true = probabilities[np.arange(len(labels)), labels]
    return Scores(
        confusion=confusion.reshape(count, count).astype(np.int64),
        names=names,
        ece=calibration_error(probabilities, labels),
        nll=float(-np.log(np.maximum(true, 1e-12)).mean()),
    )


def calibration_error(probabilities: NDArray[np.float32], labels: Labels, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins of confidence (Guo et al. 2017)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(float(right[place == b].mean()) - float(confidence[place == b].mean()))
        * float((place == b).mean())
        for b in np.unique(place)
    ]
    return float(sum(gaps))


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature that makes the labels most likely (Guo et al. 2017), to three digits."""

    def loss(temperature: float) -> float:
        p = softmax(logits, temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(p, 1e-12)).mean())

    candidates = np.geomspace(0.1, 10, 41)
    for _ in range(3):
        best = int(np.argmin([loss(t) for t in candidates]))
        low, high = candidates[max(best - 1, 0)], candidates[min(best + 1, len(candidates) - 1)]
        candidates = np.linspace(low, high, 21)
    return round(float(min(candidates, key=loss)), 3)
