"""How right a model file is on a split of a data set, by each of the two truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks.estimate import share
from edge_fer.benchmarks.results import Model, Score
from edge_fer.card import Card
from edge_fer.classifier import Classifier
from edge_fer.files import KERAS_MODELS
from edge_fer.packages import require
from edge_fer.train.dataset import Dataset
from edge_fer.train.truths import TRUTHS, Judged, judge, known_truths, truth_of


class ScoredModel:
    """A model file that can be asked about the pictures of a data set.

    Args:
        path: A ``.tflite`` file with a card, or a ``.keras`` or ``.h5`` file.
        names: The data's classes, which a Keras file that does not tell its own is taken to have.
        threads: Threads of LiteRT.

    Attributes:
        path: The file.
        labels: Its classes, in the order of the logits.
        temperature: The card's; 1 for a Keras model.
        threshold: The card's; 0 for a Keras model.
        truth: What it was trained to name: ``"fer2013"`` or ``"ferplus"``.

    Raises:
        ModelError: It is broken.
        MissingPackageError: A Keras model without Keras.
    """

    def __init__(self, path: Path, names: Sequence[str], threads: int = 2) -> None:
        self.path = path
        if path.suffix in KERAS_MODELS:
            require("evaluating a Keras model", "tensorflow", "keras")
            from edge_fer.train.keras_file import input_spec, labels_of, load_model, without_softmax

            network, facts = load_model(path)
            self.labels = labels_of(network, facts, names, path)
            self.temperature, self.threshold = 1.0, 0.0
            recipe = facts.get("recipe", {})
            self._spec = input_spec(network, facts, path)
            self._network = without_softmax(network)
        else:
            self._classifier = Classifier(path, threads)
            card = self._classifier.card
            self.labels, self._spec, recipe = card.labels, card.input, card.recipe
            self.temperature, self.threshold = card.temperature, card.threshold
        self.truth = truth_of(recipe)

    def logits(self, data: Dataset) -> NDArray[np.float32]:
        """Logits [N, classes] of every picture once, as it is (no test-time augmentation)."""
        pictures = data.prepared(self._spec)
        if self.path.suffix in KERAS_MODELS:
            pixels = pictures.astype(np.float32)
            return np.asarray(self._network.predict(pixels, batch_size=256, verbose=0), np.float32)
        return self._classifier.logits(pictures)


def evaluate(
    model: Path | ScoredModel, data: Dataset, split: str = "public", threads: int = 2
) -> dict[str, Judged]:
    """Judge a model on a split, every picture once, by each truth that the data set tells.

    Args:
        model: The model or its file.
        data: The data set, with FER+'s votes or without.
        split: ``"training"``, ``"public"`` or ``"private"``.
        threads: Threads of LiteRT.

    Returns:
        The figures by FER-2013's labels, ``"fer2013"``, and with votes also by FER+'s majority,
        ``"ferplus"``.

    Raises:
        ModelError: The model is broken or does not know a class of the data.
        MissingPackageError: A Keras model without Keras.
    """
    if isinstance(model, Path):
        model = ScoredModel(model, data.names, threads)
    part = data.split(split)
    logits = model.logits(part)
    return {
        truth: judge(logits, model.labels, part, truth, model.temperature, model.threshold)
        for truth in known_truths(part)
    }


def card_scores(card: Card, split: str = "public") -> tuple[Score, ...]:
    """What a model's card tells of a split."""
    told = {truth: card.metrics.get(truth, {}).get(split, {}) for truth in TRUTHS}
    return tuple(
        _score(truth, split, facts["n"], facts["accuracy"], facts["macro_f1"], facts["ece"], False)
        for truth, facts in told.items()
        if {"n", "accuracy", "macro_f1", "ece"} <= set(facts)
    )


def with_scores(
    models: Sequence[Model], files: Mapping[str, Path], data: Dataset, split: str
) -> tuple[Model, ...]:
    """The models with their figures on a split, and how often they agree with their float32 file.

    Args:
        models: What was measured of them.
        files: Their files by name.
        data: The data set, with FER+'s votes or without.
        split: ``"public"`` or ``"private"``.

    Raises:
        ModelError: A model does not know a class of the data.
    """
    part = data.split(split)
    scored = {name: ScoredModel(file, data.names) for name, file in files.items()}
    logits = {name: model.logits(part) for name, model in scored.items()}
    exact = {model.family: model.name for model in models if model.precision == "float32"}
    done = []
    for model in models:
        one, given = scored[model.name], logits[model.name]
        judged = {
            truth: judge(given, one.labels, part, truth, one.temperature, one.threshold).scores
            for truth in known_truths(part)
        }
        scores = tuple(
            _score(truth, split, s.n, s.accuracy, s.macro_f1, s.ece, True)
            for truth, s in judged.items()
        )
        reference = exact.get(model.family, model.name)
        same = None
        if reference != model.name and scored[reference].labels == one.labels:
            same = float((given.argmax(1) == logits[reference].argmax(1)).mean())
        done.append(replace(model, scores=scores, agreement=same))
    return tuple(done)


def _score(
    truth: str, split: str, n: int, accuracy: float, f1: float, ece: float, measured: bool
) -> Score:
    right = share(round(accuracy * n), n)
    return Score(truth, split, n, right, round(f1, 5), round(ece, 5), measured)
