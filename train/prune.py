"""A smaller network out of a larger, trained one of the same kind: its strongest channels.

A channel is as strong as the scales that its batch norms give it (Liu et al., "Learning Efficient
Convolutional Networks through Network Slimming", 2017). Channels that are added together, as in the
blocks of a stage, are kept together; blocks that the smaller network does not have are left out. It
has to learn on, but is far ahead of one that starts from nothing.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_fer.errors import ModelError

Kept = dict[str, NDArray[np.int64]]
"""Numbers of the larger network's channels that stay, by group of channels."""


def prune(larger: keras.Model, smaller: keras.Model) -> list[NDArray[np.float32]]:
    """The weights of a smaller network, taken from a larger one.

    Args:
        larger: A trained network.
        smaller: A network of layers that the larger has too, none with more channels. Its last
            layer may name other classes.

    Returns:
        Weights for ``smaller.set_weights``, where the last layer's kernel and bias keep all
        columns of the larger network's. All of them, where both are of one size.

    Raises:
        ModelError: The larger network lacks a layer, or has fewer channels in one.
    """
    groups = _groups(smaller)
    kept = _strongest(larger, smaller, groups)
    last = smaller.layers[-1].name
    weights: list[NDArray[np.float32]] = []
    for layer in smaller.layers:
        if not layer.weights:
            continue
        theirs = _named(larger, layer.name).get_weights()
        try:
            if isinstance(layer, layers.Conv2D | layers.Dense):
                theirs[0] = theirs[0][..., kept[groups[layers_before(layer)[0]]], :]
            if layer.name != last:
                theirs = [w[..., kept[groups[layer.name]]] for w in theirs]
        except IndexError as e:
            raise ModelError(f"its layer {layer.name} is smaller") from e
        shapes = zip(theirs, layer.weights, strict=True)
        if layer.name != last and any(w.shape != tuple(own.shape) for w, own in shapes):
            raise ModelError(f"its layer {layer.name} is of another shape")
        weights += theirs
    return weights


def _groups(model: keras.Model) -> dict[str, str]:
    """For each layer the group that its channels belong to: layers that are added share one."""
    groups: dict[str, str] = {}
    for layer in model.layers:
        before = [groups[name] for name in layers_before(layer)]
        if not before or isinstance(layer, layers.Conv2D | layers.Dense):
            groups[layer.name] = layer.name
        else:
            first, *others = before
            groups = {name: first if group in others else group for name, group in groups.items()}
            groups[layer.name] = first
    return groups


def _strongest(larger: keras.Model, smaller: keras.Model, groups: dict[str, str]) -> Kept:
    strength = {groups[layer.name]: np.zeros(1) for layer in smaller.layers}
    for norm in (w for w in smaller.layers if isinstance(w, layers.BatchNormalization)):
        scale = np.abs(np.asarray(_named(larger, norm.name).gamma))
        strength[groups[norm.name]] = strength[groups[norm.name]] + scale
    return {
        group: np.sort(np.argsort(-of_channels, kind="stable")[: _width(smaller, group)])
        for group, of_channels in strength.items()
    }


def _width(model: keras.Model, group: str) -> int:
    return int(model.get_layer(group).output.shape[-1])


def _named(model: keras.Model, name: str) -> keras.Layer:
    try:
        return model.get_layer(name)
    except ValueError as e:
        raise ModelError(f"it has no layer {name}") from e


def layers_before(layer: keras.Layer) -> list[str]:
    """Names of the layers whose outputs a layer takes."""
    if isinstance(layer, layers.InputLayer):
        return []
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in inputs]
