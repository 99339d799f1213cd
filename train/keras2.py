"""Networks as Keras 2 described them, for Keras 3.

Keras 3 reads what Keras 2 wrote only where nothing in the description has changed since. The
differences are few and named here; weights of every layout go into the network so made.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import h5py
import keras

from edge_fer.errors import ModelError
from edge_fer.packages import require
from edge_fer.train.untrusted import LARGEST, check_config

_MODELS = ("Sequential", "Functional", "Model")
_GONE = {
    "DepthwiseConv2D": ("groups",),
    "Conv2DTranspose": ("groups",),
    "SeparableConv2D": (
        "groups",
        "kernel_initializer",
        "kernel_regularizer",
        "kernel_constraint",
    ),
}


def build(config: Any) -> keras.Model:
    """A network by its description: what ``to_json`` gave, or what lies in a model's file.

    Raises:
        ValueError: It describes no network that Keras 3 knows; Keras raises other errors too.
    """
    config = _modern(config)
    if not isinstance(config, dict) or config.get("class_name") not in _MODELS:
        raise ValueError("no sequential or functional network is described")
    kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
    return kind.from_config(config["config"])


def load_weights(model: keras.Model, path: Path) -> None:
    """Read weights of any layout: Keras chooses it by the file's name, which may say otherwise."""
    with h5py.File(path) as file:
        legacy = "layer_names" in file.attrs or "model_weights" in file
    name = "model.h5" if legacy else "model.weights.h5"
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copyfile(path, Path(folder) / name)
        model.load_weights(copy)


def load_saved_model(folder: Path) -> keras.Model:
    """The network of a SavedModel folder of Keras 2: its description and weights.

    The graph in it, which is a program, is not run.

    Raises:
        ModelError: It holds a graph alone, carries code, or is broken.
    """
    metadata = folder / "keras_metadata.pb"
    if not metadata.is_file():
        raise ModelError(
            f"{folder} is no SavedModel that Keras 2 wrote; give the .keras or .h5 file, or convert"
            " it to .tflite and add a card with edge-fer import"
        )
    if sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) > LARGEST:
        raise ModelError(f"{folder} holds more than {LARGEST >> 20} MiB")
    require("SavedModel folders", "tf_keras")
    import tf_keras
    from tf_keras.protobuf.saved_metadata_pb2 import SavedMetadata

    root = next(n for n in SavedMetadata.FromString(metadata.read_bytes()).nodes if not n.node_id)
    config = json.loads(root.metadata)
    check_config(config, folder, unsafe=False, sizes=None)
    description = {"class_name": config["class_name"], "config": config["config"]}
    old = tf_keras.models.model_from_json(json.dumps(description))
    old.load_weights(str(folder / "variables" / "variables")).expect_partial()
    model = build(description)
    with tempfile.TemporaryDirectory() as place:
        weights = Path(place) / "model.h5"
        old.save_weights(str(weights))
        model.load_weights(weights)
    return model


def _modern(value: Any) -> Any:
    """A description without what Keras 3 does not know."""
    if isinstance(value, list):
        return [_modern(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__tuple__":
        return _modern(value.get("items"))
    value = {key: _modern(one) for key, one in value.items()}
    config = value.get("config")
    if "class_name" not in value or not isinstance(config, dict):
        return value
    for key in ("module", "registered_name", "build_config"):
        value.pop(key, None)
    for key in _GONE.get(value["class_name"], ()):
        config.pop(key, None)
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    if value["class_name"] in _MODELS:
        for key in ("input_layers", "output_layers"):  # one of them, and not a list of one
            if isinstance(config.get(key), list) and len(config[key]) == 1:
                config[key] = config[key][0]
        _count_from_zero(config.get("layers", []))
    return value


def _count_from_zero(layers: list[Any]) -> None:
    """A network inside another was, to Keras 2, called once when it was made."""
    nested = {x.get("config", {}).get("name") for x in layers if x.get("class_name") in _MODELS}
    for layer in layers:
        for node in layer.get("inbound_nodes", []):
            for call in node if isinstance(node, list) else []:
                if isinstance(call, list) and call[0] in nested:
                    call[1] = max(call[1] - 1, 0)
