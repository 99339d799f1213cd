"""The Keras network of an int8 file, to train on from.

A model's file holds its recipe and its weights, rounded to int8, with the batch norms folded into
the kernels. The recipe builds the network; each kernel goes back to its layer, and the batch norms
are made such that they give what was folded in: with the statistics that they would have seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from keras import layers
from numpy.typing import NDArray

from edge_fer.card import unpack
from edge_fer.errors import EdgeFerError, ModelError
from edge_fer.network import Network
from edge_fer.train.keras_file import save_model
from edge_fer.train.networks import build_recipe
from edge_fer.train.prune import layers_before
from edge_fer.train.recipe import Recipe
from edge_fer.train.truths import truth_of

Array = NDArray[np.float32]

_NUMBERS = {
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
}
_LEAST_AGREEMENT = 0.8


def recipe_of(path: Path) -> Recipe:
    """The recipe in the card of a model.

    Raises:
        ModelError: It has none that this version knows.
    """
    _, card = unpack(path)
    try:
        if card.recipe:
            return Recipe.from_dict(card.recipe, str(path))
    except EdgeFerError as e:
        raise ModelError(f"{path}: its recipe is of another version ({e})") from e
    raise ModelError(f"{path} has no recipe in its card; start from a model of edge-fer train")


def rebuilt(path: Path, pictures: NDArray[np.uint8]) -> keras.Model:
    """The float network of a model.

    Args:
        path: A ``.tflite`` file that edge-fer convert made, int8 or of another precision.
        pictures: Prepared training pictures [N, H, W, C]: they tell the batch norms' statistics.

    Raises:
        ModelError: Its recipe builds another network.
    """
    recipe = recipe_of(path)
    flatbuffer, card = unpack(path)
    model = build_recipe(recipe, len(card.labels))
    stored = _kernels(flatbuffer)
    folded: dict[str, tuple[Array, Array]] = {}  # by layer: its outputs' gains and biases
    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D | layers.Dense):
            continue
        place = next((i for i, (k, _) in enumerate(stored) if k.shape == layer.kernel.shape), None)
        if place is None:
            raise ModelError(f"{path}: its recipe builds another network ({layer.name})")
        kernel, bias = stored.pop(place)
        if layer.use_bias:
            layer.set_weights([kernel, bias])
            continue
        # As long as a new kernel (He et al. 2015), or it would learn at another pace.
        gain = np.sqrt((kernel**2).sum(axis=(0, 1, 2)) / 2) + 1e-12
        layer.set_weights([kernel / gain])
        folded[layer.name] = gain, bias
    pixels = pictures.astype(np.float32)
    _undo_folding(model, folded, None)
    _undo_folding(model, folded, pixels)
    wanted = Network(flatbuffer, str(path)).logits(pictures[:64]).argmax(1)
    got = model.predict(pixels[:64], verbose=0).argmax(1)
    if (wanted == got).mean() < _LEAST_AGREEMENT:
        raise ModelError(f"{path}: its weights do not go back into the network of its recipe")
    return model


def write_start(path: Path, out: Path, pictures: NDArray[np.uint8]) -> None:
    """Write the float network of a model as a ``.keras`` file, with the heads' names.

    Raises:
        ModelError: It cannot be rebuilt.
        StorageError: The file cannot be written.
    """
    _, card = unpack(path)
    heads = [[truth_of(card.recipe), list(card.labels)]]
    facts = {"recipe": card.recipe, "labels": list(card.labels), "heads": heads}
    save_model(rebuilt(path, pictures), facts, out)


def _undo_folding(
    model: keras.Model, folded: dict[str, tuple[Array, Array]], pixels: Array | None
) -> None:
    """Let each batch norm give the gain and bias that were folded into its layer.

    Without pictures it has no statistics; with them those that it sees there, once all that lies
    before it is right.
    """
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    before = [model.get_layer(layers_before(norm)[0]) for norm in norms]
    seen: list[Any] = [None] * len(norms)
    if pixels is not None:
        probe = keras.Model(model.inputs, [*(layer.output for layer in before), model.output])
        *seen, _ = probe.predict(pixels, batch_size=64, verbose=0)
    for norm, layer, output in zip(norms, before, seen, strict=True):
        width = norm.gamma.shape[0]
        mean, variance = np.zeros(width, np.float32), np.ones(width, np.float32)
        if output is not None:
            flat = output.reshape(-1, width)
            mean, variance = flat.mean(0), np.maximum(flat.var(0), 1e-6)
        gain, bias = folded[layer.name]
        gamma = gain * np.sqrt(variance + norm.epsilon)
        norm.set_weights([gamma, bias + gain * mean, mean, variance])


def _kernels(flatbuffer: bytes) -> list[tuple[Array, Array]]:
    """Kernels, in Keras's order of axes, and biases of all layers, in the order they run in."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    graph, found = model.subgraphs[0], []
    kinds = schema.BuiltinOperator
    orders = {kinds.CONV_2D: (1, 2, 3, 0), kinds.FULLY_CONNECTED: (1, 0)}
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        order = orders.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if order is not None:
            kernel, bias = (_values(model, graph.tensors[i]) for i in op.inputs[1:3])
            found.append((kernel.transpose(order), bias))
    return found


def _values(model: Any, tensor: Any) -> Array:
    raw = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    values = np.frombuffer(raw, _NUMBERS[tensor.type]).reshape(tensor.shape).astype(np.float32)
    given = tensor.quantization
    if given is None or given.scale is None or not len(given.scale):
        return values
    shape = [1] * values.ndim
    shape[given.quantizedDimension] = -1
    return np.asarray(values * np.asarray(given.scale, np.float32).reshape(shape), np.float32)
