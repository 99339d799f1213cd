"""How right a model file is on a split of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import InputSpec
from edge_fer.classifier import Classifier
from edge_fer.errors import ModelError
from edge_fer.packages import require
from edge_fer.train.dataset import Dataset
from edge_fer.train.metrics import Scores, score

KERAS = (".keras", ".h5")


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
    part = data.split(split)
    if model.suffix in KERAS:
        logits, labels, temperature = *_keras_logits(model, part), 1.0
    else:
        classifier = Classifier(model, threads)
        labels, temperature = classifier.card.labels, classifier.card.temperature
        logits = classifier.logits(part.prepared(classifier.card.input))
    order = _order(labels, data.names, model)
    return score(logits[:, order], part.labels, data.names, temperature)


def check_model(model: Path) -> None:
    """Refuse a broken model before the data set, which takes longer, is read.

    Raises:
        ModelError: It is broken.
    """
    if model.suffix not in KERAS:
        Classifier(model)


def _keras_logits(model: Path, part: Dataset) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    require("evaluating a Keras model", "tensorflow", "keras")
    from edge_fer.train.keras_file import load_model

    network, facts = load_model(model)
    _, height, width, channels = network.input_shape
    spec = InputSpec(height, width, channels, {1: "gray", 3: "rgb"}.get(channels, ""))
    pixels = part.prepared(spec).astype(np.float32)
    logits = np.asarray(network.predict(pixels, batch_size=256, verbose=0))
    return logits, tuple(facts.get("labels", part.names))


def _order(labels: tuple[str, ...], names: tuple[str, ...], model: Path) -> list[int]:
    """Columns of the model's output in the data's order of classes."""
    missing = [name for name in names if name not in labels]
    if missing:
        raise ModelError(f"{model} does not know {', '.join(missing)}, which the data set has")
    return [labels.index(name) for name in names]
