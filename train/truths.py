"""The two truths of FER-2013's pictures, and how right logits are by each.

FER-2013's label tells how a picture was collected, FER+'s votes tell what ten people see in it; on
two thirds of the test pictures they are the same. A figure is by one of them, never by both mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import DataError, ModelError
from edge_fer.probabilities import softmax
from edge_fer.train.dataset import Dataset
from edge_fer.train.metrics import Scores, score
from edge_fer.train.votes import majority

FER2013, FERPLUS = TRUTHS = ("fer2013", "ferplus")
WORDS = {FER2013: "FER-2013's labels", FERPLUS: "the majority of FER+'s taggers"}


def truth_of(recipe: Mapping[str, Any]) -> str:
    """What a model names, by the recipe it was trained with (as plain data)."""
    return str(recipe.get("targets", {}).get("head", FER2013))


def known_truths(data: Dataset) -> tuple[str, ...]:
    """The truths that a data set can tell."""
    return TRUTHS if data.votes is not None else (FER2013,)


def true_labels(truth: str, names: Sequence[str], data: Dataset) -> NDArray[np.int64]:
    """Class numbers [N] by a truth; -1 where it names none of the classes.

    Args:
        truth: ``"fer2013"``, or ``"ferplus"``: the class on which most taggers agree.
        names: The classes that are numbered.
        data: The pictures.

    Raises:
        ModelError: A class of the data is not among the names.
        DataError: There are no votes.
    """
    if truth == FERPLUS:
        if data.votes is None:
            raise DataError("FER+'s votes are needed; give --votes fer2013new.csv")
        return majority(data.votes, names)
    missing = [name for name in data.names if name not in names]
    if missing:
        raise ModelError(f"the model does not know {', '.join(missing)}, which the data set has")
    return np.array([names.index(name) for name in data.names], np.int64)[data.labels]


@dataclass(frozen=True, eq=False)
class Judged:
    """How right a model is on some pictures, by one truth.

    Attributes:
        scores: The figures over all pictures for which the truth names a class of the model.
        unique: The figures without repeated pictures; None where all are repeated.
        certain: Share of the readings that reach the model's threshold.
        certain_accuracy: Accuracy of those.
    """

    scores: Scores
    unique: Scores | None
    certain: float
    certain_accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        figures = {
            **self.scores.to_dict(),
            "certain": round(self.certain, 4),
            "certain_accuracy": round(self.certain_accuracy, 5),
        }
        if self.unique is not None:
            accuracy = round(self.unique.accuracy, 5)
            figures["without_repeats"] = {"n": self.unique.n, "accuracy": accuracy}
        return figures


def judge(
    logits: NDArray[np.float32],
    names: Sequence[str],
    data: Dataset,
    truth: str,
    temperature: float = 1,
    threshold: float = 0,
) -> Judged:
    """Judge logits by a truth.

    Args:
        logits: [N, classes].
        names: The classes.
        data: The N pictures.
        truth: ``"fer2013"`` or ``"ferplus"``.
        temperature: Logits are divided by it before the softmax.
        threshold: Confidence from which on a reading is certain.

    Raises:
        ModelError: A class of the data is not among the names.
        DataError: There are no votes, or the truth names a class for no picture.
    """
    labels = true_labels(truth, names, data)
    known = labels >= 0
    if not known.any():
        raise DataError(f"no picture has a label by {truth}")
    alone = known if data.repeated is None else known & ~data.repeated
    names = tuple(names)
    unique = score(logits[alone], labels[alone], names, temperature) if alone.any() else None
    sure = softmax(logits[known], temperature).max(1) >= threshold
    right = logits[known].argmax(1) == labels[known]
    return Judged(
        scores=score(logits[known], labels[known], names, temperature),
        unique=unique,
        certain=float(sure.mean()),
        certain_accuracy=float(right[sure].mean()) if sure.any() else 0.0,
    )
