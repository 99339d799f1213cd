"""Keras model files with the facts of their training inside.

A ``.keras`` file is a ZIP archive; the facts lie in it as ``edge_fer.json``, so that a model that
was moved or renamed still knows its recipe and its data.
"""

from __future__ import annotations

import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras

from edge_fer.card import InputSpec
from edge_fer.errors import ModelError
from edge_fer.files import KERAS_MODELS, write_whole
from edge_fer.plain import from_plain
from edge_fer.train.keras2 import build, load_saved_model, load_weights
from edge_fer.train.untrusted import check_archive, check_config, check_hdf5

_FACTS = "edge_fer.json"

Make = Callable[[], keras.Model]


def save_model(model: keras.Model, facts: dict[str, Any], path: Path) -> None:
    """Write a model and the facts of its training as one file, whole or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    with write_whole(path) as part:
        model.save(part)
        with zipfile.ZipFile(part, "a", zipfile.ZIP_DEFLATED) as z:
            z.writestr(_FACTS, json.dumps(facts, indent=1))


def load_model(
    path: Path, weights: Path | None = None, unsafe: bool = False
) -> tuple[keras.Model, dict[str, Any]]:
    """Read a classifier of pictures and the facts of its training.

    Args:
        path: A ``.keras`` or whole-model ``.h5`` file, of Keras 3 or 2, a SavedModel folder of
            Keras 2, or a ``.json`` description, whose weights lie in ``weights``.
        weights: The weights' ``.h5`` file.
        unsafe: Run the code that the file carries.

    Returns:
        The model, not compiled, and the facts (empty where the file holds none).

    Raises:
        ModelError: It does not exist, is no Keras model, carries code, claims more than it holds,
            or does not classify pictures.
    """
    if not path.exists():
        raise ModelError(f"{path}: no such file; give a .keras model made by edge-fer train")
    if path.is_dir():
        read = load_saved_model
    elif path.suffix == ".json":
        if weights is None:
            raise ModelError(f"{path} describes a network without its weights; add --weights FILE")
        read = partial(_described, weights=weights)
    elif path.suffix in KERAS_MODELS:
        read = partial(_archived if zipfile.is_zipfile(path) else _hdf5, unsafe=unsafe)
    else:
        raise ModelError(f"{path} is no Keras model; give the .keras or .h5 file")
    try:
        with warnings.catch_warnings(action="ignore"):  # that old names are old
            model = read(path)
    except ModelError:
        raise
    except Exception as e:  # Keras raises whatever the broken part happens to raise
        line = (str(e).strip().splitlines() or [type(e).__name__])[0][:160]
        raise ModelError(f"{path} is no Keras model that can be loaded ({line})") from e
    shape, result = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or not isinstance(result, tuple):
        raise ModelError(f"{path} has several inputs or outputs; one of each is needed")
    if len(shape) != 4 or len(result) != 2:
        raise ModelError(f"{path} does not take one picture and give one row of numbers")
    facts: dict[str, Any] = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            if _FACTS in z.namelist():
                facts = _parsed(z.read(_FACTS), path)
    return model, facts


def input_spec(model: keras.Model, facts: dict[str, Any], path: Path) -> InputSpec:
    """What a model takes: as its recipe says where it knows it, else read off its input.

    Raises:
        ModelError: It takes pictures of any size, neither grey nor color ones, or not what its
            recipe says.
    """
    _, height, width, channels = model.input_shape
    if None in (height, width, channels):
        raise ModelError(f"{path} does not take pictures of a fixed size; give it: --input-size")
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


def _archived(path: Path, unsafe: bool) -> keras.Model:
    check_archive(path)
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        config = json.loads(archive.read("config.json"))
        weights = Path(archive.extract("model.weights.h5", folder))
        check_config(config, path, unsafe, check_hdf5(weights))
        return _first_that_works(
            lambda: keras.models.load_model(path, compile=False, safe_mode=not unsafe),
            lambda: _filled(build(config), weights),
        )


def _hdf5(path: Path, unsafe: bool) -> keras.Model:
    sizes = check_hdf5(path)
    with h5py.File(path) as file:
        text = file.attrs.get("model_config")
    if text is None:
        raise ModelError(f"{path} holds weights alone; add the network: --architecture model.json")
    config = json.loads(text)
    check_config(config, path, unsafe, sizes)
    return _first_that_works(
        lambda: keras.models.load_model(path, compile=False, safe_mode=not unsafe),
        lambda: _filled(build(config), path),
    )


def _described(path: Path, weights: Path) -> keras.Model:
    if not weights.is_file():
        raise ModelError(f"{weights}: no such file")
    text = path.read_text("utf-8")
    config = json.loads(text)
    check_config(config, path, unsafe=False, sizes=check_hdf5(weights))
    return _first_that_works(
        lambda: _filled(keras.models.model_from_json(text), weights),
        lambda: _filled(build(config), weights),
    )


def _filled(model: keras.Model, weights: Path) -> keras.Model:
    load_weights(model, weights)
    return model


def _first_that_works(of_keras3: Make, of_keras2: Make) -> keras.Model:
    try:
        return of_keras3()
    except Exception:  # Keras raises whatever the strange part happens to raise
        return of_keras2()


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ModelError(f"{path}: {_FACTS} inside is not JSON; train the model again") from e
    if not isinstance(facts, dict):
        raise ModelError(f"{path}: {_FACTS} inside is no table; train the model again")
    return facts
