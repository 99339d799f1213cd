"""What a converted network is worth: its answers on the public split, and what follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import InputSpec
from edge_fer.convert.layers import LayerError
from edge_fer.network import Network
from edge_fer.probabilities import softmax
from edge_fer.train.dataset import Dataset
from edge_fer.train.metrics import fit_temperature
from edge_fer.train.truths import Judged, judge, known_truths, true_labels


@dataclass(frozen=True, eq=False)
class Trial:
    """A network in one precision on the public split.

    Attributes:
        flatbuffer: The TFLite model.
        logits: What it gave, [N, classes].
        temperature: The one that fits them.
        threshold: The confidence that leaves the asked share of the readings certain.
        judged: Its figures by the truth it names.
        layers: For int8, every layer's error, the worst first.
        equalized: Whether its layers' channels were brought level before.
    """

    flatbuffer: bytes
    logits: NDArray[np.float32]
    temperature: float
    threshold: float
    judged: Judged
    layers: list[LayerError] = field(default_factory=list)
    equalized: bool = False

    @property
    def accuracy(self) -> float:
        """On the public split."""
        return self.judged.scores.accuracy


class Bench:
    """Tries networks on a data set's public split.

    Args:
        data: The data set.
        spec: What the networks take.
        labels: The classes they name.
        truth: By which truth.
        coverage: Share of the public pictures that is to be certain.

    Attributes:
        chance: The accuracy of always naming the most frequent class.

    Raises:
        ModelError: A class of the data is not among the labels.
        DataError: The truth is FER+'s, and there are no votes.
    """

    def __init__(
        self, data: Dataset, spec: InputSpec, labels: tuple[str, ...], truth: str, coverage: float
    ) -> None:
        self._data, self._spec, self._labels = data, spec, labels
        self._truth, self._coverage = truth, coverage
        self.public = data.split("public")
        self._pictures = self.public.prepared(spec)
        wanted = true_labels(truth, labels, self.public)
        self._known = wanted >= 0
        self._wanted = wanted[self._known]
        self.chance = float(np.bincount(self._wanted).max() / max(len(self._wanted), 1))

    def trial(
        self,
        flatbuffer: bytes,
        name: str,
        layers: list[LayerError] | None = None,
        equalized: bool = False,
    ) -> Trial:
        """Try a network.

        Args:
            flatbuffer: The TFLite model.
            name: What to call it in messages.
            layers: Its layers' errors.
            equalized: Whether its channels were brought level.
        """
        logits = Network(flatbuffer, name, threads=2).logits(self._pictures)
        temperature = fit_temperature(logits[self._known], self._wanted)
        threshold = _threshold(logits, temperature, self._coverage)
        judged = judge(logits, self._labels, self.public, self._truth, temperature, threshold)
        return Trial(flatbuffer, logits, temperature, threshold, judged, layers or [], equalized)

    def figures(self, trial: Trial, private: bool) -> dict[str, dict[str, object]]:
        """A network's figures by truth and split, for its card.

        Args:
            trial: The network.
            private: Also on the private split, which this reads.
        """
        seen = {"public": (self.public, trial.logits)}
        if private:
            part = self._data.split("private")
            network = Network(trial.flatbuffer, "model", threads=2)
            seen["private"] = part, network.logits(part.prepared(self._spec))
        figures: dict[str, dict[str, object]] = {}
        for truth in known_truths(self._data):
            figures[truth] = {}
            for split, (part, logits) in seen.items():
                judged = trial.judged
                if (truth, split) != (self._truth, "public"):
                    judged = judge(
                        logits, self._labels, part, truth, trial.temperature, trial.threshold
                    )
                figures[truth][split] = judged.to_dict()
        return figures


def _threshold(logits: NDArray[np.float32], temperature: float, coverage: float) -> float:
    confidence = softmax(logits, temperature).max(1)
    # Rounded down, so that no reading at the threshold becomes uncertain.
    return math.floor(1e4 * float(np.quantile(confidence, 1 - coverage))) / 1e4
