"""Keras model files with the facts of their training inside.

A ``.keras`` file is a ZIP archive; the facts lie in it as ``edge_fer.json``, so that a model that
was moved or renamed still knows its recipe and its data.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from edge_fer.card import InputSpec
from edge_fer.errors import ModelError
from edge_fer.files import KERAS_MODELS, write_whole
from edge_fer.plain import from_plain

_FACTS = "edge_fer.json"


def save_model(model: keras.Model, facts: dict[str, Any], path: Path) -> None:
    """Write a model and the facts of its training as one file, whole or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    with write_whole(path) as part:
        model.save(part)
        with zipfile.ZipFile(part, "a", zipfile.ZIP_DEFLATED) as z:
            z.writestr(_FACTS, json.dumps(facts, indent=1))


def load_model(path: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Read a classifier of pictures and the facts of its training.

    Args:
        path: A ``.keras`` or whole-model ``.h5`` file.

    Returns:
        The model, not compiled, and the facts (empty where the file holds none).

    Raises:
        ModelError: It does not exist, is no Keras model, or does not classify pictures.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; give a .keras model made by edge-fer train")
    if path.suffix not in KERAS_MODELS:
        raise ModelError(f"{path} is no Keras model; give the .keras or .h5 file")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as e:  # Keras raises whatever the broken part happens to raise
        line = (str(e).strip().splitlines() or [type(e).__name__])[0][:160]
        raise ModelError(f"{path} is no Keras model that can be loaded ({line})") from e
    shape, result = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or not isinstance(result, tuple):
        raise ModelError(f"{path} has several inputs or outputs; one of each is needed")
    if len(shape) != 4 or len(result) != 2 or None in shape[1:]:
        raise ModelError(f"{path} does not take one picture of a fixed size and give one row")
    facts: dict[str, Any] = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            if _FACTS in z.namelist():
                facts = _parsed(z.read(_FACTS), path)
    return model, facts


def input_spec(model: keras.Model, facts: dict[str, Any], path: Path) -> InputSpec:
    """What a model takes: as its recipe says where it knows it, else read off its input.

    Raises:
        ModelError: It takes neither grey nor color pictures, or not what its recipe says.
    """
    _, height, width, channels = model.input_shape
    color = {1: "gray", 3: "rgb"}.get(channels)
    if color is None:
        raise ModelError(f"{path} takes pictures of {channels} channels; 1 or 3 are needed")
    raw = facts.get("recipe", {}).get("input")
    if raw is None:
        return InputSpec(height, width, channels, color)
    spec = from_plain(InputSpec, raw, ModelError, f"{path}, recipe")
    if (spec.height, spec.width, spec.channels) != (height, width, channels):
        raise ModelError(f"{path} takes {height}x{width}x{channels}, its recipe says {spec}")
    return spec


def labels_of(
    model: keras.Model, facts: dict[str, Any], names: Sequence[str], path: Path
) -> tuple[str, ...]:
    """The classes of a model's numbers: as its facts say, else those of the data.

    Raises:
        ModelError: It gives another number of them, or the data has a class that it does not know.
    """
    labels = tuple(map(str, facts.get("labels", names)))
    if len(set(labels)) < len(labels):
        raise ModelError(
            f"{path} has several heads, to teach other networks; give the model.keras beside it"
        )
    if model.output_shape[1] != len(labels) or not set(names) <= set(labels):
        raise ModelError(
            f"{path} gives {model.output_shape[1]} numbers ({', '.join(labels)});"
            f" the data set has the {len(names)} classes {', '.join(names)}"
        )
    return labels


def without_softmax(model: keras.Model) -> keras.Model:
    """The same network up to its logits: the softmax is the device's, with the temperature."""
    last = model.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return keras.Model(model.inputs, last.input)
    if getattr(last, "activation", None) is keras.activations.softmax:
        if isinstance(last, keras.layers.Activation):
            return keras.Model(model.inputs, last.input)
        last.activation = keras.activations.linear
    return model


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ModelError(f"{path}: {_FACTS} inside is not JSON; train the model again") from e
    if not isinstance(facts, dict):
        raise ModelError(f"{path}: {_FACTS} inside is no table; train the model again")
    return facts
