"""Cross-layer equalization (Nagel et al., "Data-Free Quantization", 2019), by what layers give.

int8 has one scale for all channels of a layer's output, so a channel of small values next to one of
large ones is left with few steps. Between two layers with nothing but a ReLU or a pooling between
them, a channel can be made larger on the one side and smaller on the other: the network gives the
same. Kernels have a scale per output channel here, so it is outputs that are brought level, and
kernels only as far as one output of them adds several channels up.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_fer.convert.rewrite import folded
from edge_fer.train.prune import layers_before

_SMALLEST = 1e-6
_FURTHEST = 64.0  # no channel is stretched by more than this


def equalized(model: keras.Model, pictures: NDArray[np.uint8], rounds: int = 2) -> keras.Model:
    """The network with its batch norms folded and the channels of its layers brought level.

    Args:
        model: Takes pixels 0..255.
        pictures: Prepared pictures [N, H, W, C] that show what each channel reaches.
        rounds: How often each pair of layers is looked at.
    """
    model = keras.models.clone_model(even := folded(model))
    model.set_weights(even.get_weights())
    pairs = _pairs(model)
    if not pairs:
        return model
    # The model's own output too, for one output alone would come without a list about it.
    probe = keras.Model(model.inputs, [*(first.output for first, _ in pairs), model.output])
    pixels = pictures.astype(np.float32)
    for _ in range(rounds):
        *outputs, _ = probe.predict(pixels, batch_size=64, verbose=0)
        for (first, second), output in zip(pairs, outputs, strict=True):
            _level(first, second, np.abs(output).max(axis=tuple(range(output.ndim - 1))))
    return model


def _pairs(model: keras.Model) -> list[tuple[keras.Layer, keras.Layer]]:
    """Layers whose output goes to one other alone, through nothing that a scale would change."""
    after: dict[str, list[keras.Layer]] = {layer.name: [] for layer in model.layers}
    for layer in model.layers:
        for name in layers_before(layer):
            after[name].append(layer)
    pairs = []
    for first in model.layers:
        if not _is_kernel(first) or not _keeps_scale(first):
            continue
        following = after[first.name]
        while len(following) == 1 and _passes(following[0]):
            following = after[following[0].name]
        if len(following) == 1 and _is_kernel(following[0]):
            second = following[0]
            if getattr(second, "groups", 1) == 1 and getattr(second, "depth_multiplier", 1) == 1:
                pairs.append((first, second))
    return pairs


def _is_kernel(layer: keras.Layer) -> bool:
    return type(layer) in (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense) and layer.use_bias


def _keeps_scale(layer: keras.Layer) -> bool:
    return layer.activation in (keras.activations.linear, keras.activations.relu)


def _passes(layer: keras.Layer) -> bool:
    if isinstance(layer, layers.ReLU):
        return layer.max_value is None and not layer.threshold
    if isinstance(layer, layers.Activation):
        return _keeps_scale(layer)
    kinds = (
        layers.MaxPooling2D,
        layers.AveragePooling2D,
        layers.GlobalAveragePooling2D,
        layers.ZeroPadding2D,
        layers.Dropout,
        layers.LeakyReLU,
    )
    return isinstance(layer, kinds)


def _level(first: keras.Layer, second: keras.Layer, reach: NDArray[Any]) -> None:
    """Divide each channel of the first layer by its own factor, and multiply the second's."""
    kernel, bias = first.get_weights()
    onward, onward_bias = second.get_weights()
    if isinstance(second, layers.DepthwiseConv2D):
        wide = reach  # every channel has a scale of its own there
    else:
        taken = np.abs(onward).max(axis=(*range(onward.ndim - 2), onward.ndim - 1))
        wide = np.sqrt(reach / np.maximum(taken, _SMALLEST))
    alive = reach > _SMALLEST
    if not alive.any():
        return
    factor = np.where(alive, wide / np.median(wide[alive]), 1)
    factor = np.clip(factor, 1 / _FURTHEST, _FURTHEST).astype(np.float32)
    by_output = factor.reshape(kernel.shape[2:]) if _is_deep(first) else factor
    by_input = factor.reshape((-1, 1))
    first.set_weights([kernel / by_output, bias / factor])
    second.set_weights([onward * by_input, onward_bias])


def _is_deep(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.DepthwiseConv2D)
