"""How right a model file is on a split of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.classifier import Classifier
from edge_fer.errors import ModelError
from edge_fer.files import KERAS_MODELS
from edge_fer.packages import require
from edge_fer.train.dataset import Dataset
from edge_fer.train.metrics import Scores, score
from edge_fer.train.votes import majority


def evaluate(model: Path, data: Dataset, split: str = "public", threads: int = 2) -> Scores:
    """Score a model on a split, every picture once, as it is (no test-time augmentation).

    Args:
        model: A ``.tflite`` file with a card, or a ``.keras`` or ``.h5`` file.
        data: The data set.
        split: ``"training"``, ``"public"`` or ``"private"``.
        threads: Threads of LiteRT.

    Raises:
        ModelError: The model is broken or has other classes than the data.
        MissingPackageError: A Keras model without Keras.
    """
    return evaluate_both(model, data, split, threads)[0]


def evaluate_both(
    model: Path, data: Dataset, split: str = "public", threads: int = 2
) -> tuple[Scores, Scores | None]:
    """Score a model by FER-2013's labels and, where the data has votes, by FER+'s majority.

    The two measure different things and are never mixed: FER-2013's label tells how the picture
    was collected, FER+'s what people see in it.

    Args:
        model: As for ``evaluate``.
        data: The data set, with FER+'s votes or without.
        split: ``"training"``, ``"public"`` or ``"private"``.
        threads: Threads of LiteRT.

    Returns:
        The figures by FER-2013's labels; those by FER+'s over the pictures that have a majority
        for one of the data's classes, or None without votes.
    """
    part = data.split(split)
    if model.suffix in KERAS_MODELS:
        logits, temperature = _keras_logits(model, part), 1.0
    else:
        classifier = Classifier(model, threads)
        order = columns_of(classifier.card.labels, data.names, model)
        logits = classifier.logits(part.prepared(classifier.card.input))[:, order]
        temperature = classifier.card.temperature
    by_label = score(logits, part.labels, data.names, temperature)
    if part.votes is None:
        return by_label, None
    seen = majority(part.votes, data.names)
    return by_label, score(logits[seen >= 0], seen[seen >= 0], data.names, temperature)


def check_model(model: Path) -> None:
    """Refuse a broken model before the data set, which takes longer, is read.

    Raises:
        ModelError: It is broken.
    """
    if model.suffix not in KERAS_MODELS:
        Classifier(model)


def _keras_logits(model: Path, part: Dataset) -> NDArray[np.float32]:
    require("evaluating a Keras model", "tensorflow", "keras")
    from edge_fer.train.keras_file import check_labels, input_spec, load_model, without_softmax

    network, facts = load_model(model)
    check_labels(network, facts, part.names, model)
    pixels = part.prepared(input_spec(network, facts, model)).astype(np.float32)
    logits = without_softmax(network).predict(pixels, batch_size=256, verbose=0)
    return np.asarray(logits, np.float32)


def columns_of(labels: Sequence[str], names: Sequence[str], model: Path | str) -> list[int]:
    """Columns of the model's output in the data's order of classes.

    Raises:
        ModelError: The data has a class that the model does not know.
    """
    missing = [name for name in names if name not in labels]
    if missing:
        raise ModelError(f"{model} does not know {', '.join(missing)}, which the data set has")
    return [labels.index(name) for name in names]
