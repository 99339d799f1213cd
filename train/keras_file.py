"""Keras model files with the facts of their training inside.

A ``.keras`` file is a ZIP archive; the facts lie in it as ``edge_fer.json``, so that a model that
was moved or renamed still knows its recipe and its data.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from edge_fer.errors import ModelError
from edge_fer.files import write_whole

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
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as e:  # Keras raises whatever the broken part happens to raise
        line = (str(e).strip().splitlines() or [type(e).__name__])[0][:160]
        raise ModelError(f"{path} is no Keras model that can be loaded ({line})") from e
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or len(model.output_shape) != 2:
        raise ModelError(f"{path} does not take one picture and give one row of numbers")
    facts: dict[str, Any] = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            if _FACTS in z.namelist():
                facts = _parsed(z.read(_FACTS), path)
    return model, facts


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ModelError(f"{path}: {_FACTS} inside is not JSON; train the model again") from e
    if not isinstance(facts, dict):
        raise ModelError(f"{path}: {_FACTS} inside is no table; train the model again")
    return facts
