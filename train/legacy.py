"""A network in the two files of older scripts: ``model.json`` and ``model.weights.h5``.

Keras 2 and Keras 3 describe networks in two ways. The description written here keeps to what both
read (Keras 2 from 2.13, whose layout of the weights is that of Keras 3).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras

from edge_fer.files import write_whole

ARCHITECTURE, WEIGHTS = "model.json", "model.weights.h5"

_LEFT_OUT = ("synchronized", "quantization_config")


def export_legacy(model: keras.Model, folder: Path) -> tuple[Path, Path]:
    """Write a network as ``model.json`` and ``model.weights.h5``.

    Args:
        model: Functional, of layers that both versions have.
        folder: Where to.

    Returns:
        The two files.

    Raises:
        StorageError: A file cannot be written.
    """
    description = json.loads(model.to_json())
    graph = _plain(description["config"])
    layers = [_layer(layer) for layer in description["config"]["layers"]]
    plain = {"module": "keras", "class_name": "Model", "config": {**graph, "layers": layers}}
    with write_whole(folder / ARCHITECTURE) as part:
        part.write_text(json.dumps(plain, indent=1) + "\n")
    with write_whole(folder / WEIGHTS) as part:
        # Keras knows the layout by the whole ending of the name.
        named = part.with_suffix(".weights.h5")
        try:
            model.save_weights(named)
            named.replace(part)
        finally:
            named.unlink(missing_ok=True)
    return folder / ARCHITECTURE, folder / WEIGHTS


def _layer(layer: dict[str, Any]) -> dict[str, Any]:
    config = _plain(layer["config"])
    if layer["class_name"] == "InputLayer":
        shape = config.pop("batch_shape")
        config = {"batch_input_shape": shape, "name": config["name"], "dtype": config["dtype"]}
    return {
        "module": layer["module"],
        "class_name": layer["class_name"],
        "config": config,
        "registered_name": None,
        "name": layer["name"],
        "inbound_nodes": [_node(node) for node in layer["inbound_nodes"]],
    }


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without what only Keras 3 has, and what the weights make needless."""
    kept = {}
    for key, value in config.items():
        if value is None or key in _LEFT_OUT or key.endswith("_initializer"):
            continue
        if key == "dtype" and isinstance(value, dict):
            value = value["config"]["name"]
        kept[key] = value
    return kept


def _node(node: dict[str, Any]) -> list[Any]:
    """Where a layer's inputs come from: layer, its call, and which of that call's tensors."""
    sources: list[Any] = []
    waiting = list(node["args"])
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, list):
            waiting = one + waiting
        elif isinstance(one, dict) and one.get("class_name") == "__keras_tensor__":
            sources.append([*one["config"]["keras_history"], {}])
    return sources
