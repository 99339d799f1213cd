"""The network to convert, as it is on the device: pixels 0..255 in, logits out.

What a model made by ``edge-fer train`` does not need to be told, others do: their classes, their
pictures' size and colors, and what their scripts did to the pixels first. What is not told is read
off the network or tried on training pictures, and always said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.card import InputSpec
from edge_fer.convert.normalize import TRIED_ON, Normalization, normalization, tried
from edge_fer.convert.pooling import without_average_pooling
from edge_fer.convert.representative import stratified_sample
from edge_fer.convert.rewrite import normalized, of_size
from edge_fer.errors import ModelError
from edge_fer.train.dataset import Dataset
from edge_fer.train.keras_file import input_spec, labels_of, load_model, without_softmax
from edge_fer.train.truths import FER2013, true_labels

Say = Callable[[str], None]


@dataclass(frozen=True)
class Given:
    """What the caller tells of a model; what is empty is found out.

    Attributes:
        weights: The weights of a model that is a ``.json`` description.
        labels: Its classes, in the order of its output.
        size: Height and width, for a network that takes any.
        color: ``"gray"``, ``"rgb"`` or ``"bgr"``.
        normalization: One of ``NORMALIZATIONS``: what was done to its pixels in training.
        unsafe: Run the code that its file carries.
    """

    weights: Path | None = None
    labels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    color: str = ""
    normalization: str = ""
    unsafe: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """A network to convert.

    Attributes:
        data: The pictures of the classes that it knows.
        model: Takes pixels 0..255 [N, H, W, C] and gives logits [N, classes].
        spec: What it takes.
        labels: Its classes.
        facts: What its file tells of its training.
    """

    model: keras.Model
    spec: InputSpec
    labels: tuple[str, ...]
    facts: dict[str, Any]
    data: Dataset


def load_source(path: Path, data: Dataset, given: Given, on_step: Say) -> Source:
    """Read a model and make of it what runs on the device.

    Args:
        path: The model, as ``load_model`` takes it.
        data: What tells the classes, and the normalization, where nobody did.
        given: What is told.
        on_step: Told what was found out.

    Raises:
        ModelError: It is no model of these classes, or not as it is told.
    """
    model, facts = load_model(path, given.weights, given.unsafe)
    if given.size is not None and given.size != model.input_shape[1:3]:
        model = _resized(model, given.size, path)
    spec = input_spec(model, facts, path)
    if given.color:
        spec = replace(spec, color=given.color)
    facts = facts | ({"labels": list(given.labels)} if given.labels else {})
    data = data.known_to(given.labels) if given.labels else data
    labels = labels_of(model, facts, [] if given.labels else data.names, path)
    model = without_softmax(model)
    ours = "recipe" in facts
    if ours or given.normalization:
        step = normalization(given.normalization or "none", spec.color)
    else:
        step = _tried(model, spec, labels, data, on_step)
    if not ours:
        told = "" if given.labels else " (as the data has them; say otherwise with --labels)"
        on_step(
            f"{path.name} takes {spec.width}x{spec.height} pixels, {spec.color}, normalization"
            f" {step.name}; its classes are {', '.join(labels)}{told}"
        )
    model = without_average_pooling(normalized(model, step))
    return Source(model, spec, labels, facts, data)


def _resized(model: keras.Model, size: tuple[int, int], path: Path) -> keras.Model:
    fixed = [wanted for wanted in model.input_shape[1:3] if wanted is not None]
    if fixed:
        raise ModelError(f"{path} takes {model.input_shape[1:3]} rows and columns, not {size}")
    try:
        return of_size(model, *size)
    except ValueError as e:
        line = (str(e).strip().splitlines() or ["?"])[0][:160]
        raise ModelError(f"{path} cannot take {size} rows and columns ({line})") from e


def _tried(
    model: keras.Model, spec: InputSpec, labels: tuple[str, ...], data: Dataset, on_step: Say
) -> Normalization:
    sample = stratified_sample(data.split("training"), TRIED_ON, 0)
    pixels = sample.prepared(spec).astype(np.float32)

    def read(step: Normalization) -> NDArray[np.float32]:
        ready = pixels * step.scale + step.offset
        return np.asarray(model.predict(ready, batch_size=64, verbose=0))

    return tried(read, spec.color, true_labels(FER2013, labels, sample), on_step)
