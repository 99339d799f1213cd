"""Average pooling in a form that integer kernels run fast."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def without_average_pooling(model: keras.Model) -> keras.Model:
    """A network that gives the same, its average poolings made depthwise convolutions.

    XNNPACK has no int8 average pooling: LiteRT's own kernel would run it, three to ten times as
    long. A convolution also has an output range of its own, narrower than that of its input.

    Args:
        model: Is not changed. A pooling that meets padding stays: it counts real pixels only.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        if not _can_go(layer):
            return layer.from_config(layer.get_config())
        return layers.DepthwiseConv2D(
            layer.pool_size,
            layer.strides,
            padding="valid",
            use_bias=False,
            depthwise_initializer=keras.initializers.Constant(1 / np.prod(layer.pool_size)),
            name=layer.name,
        )

    if not any(_can_go(layer) for layer in model.layers):
        return model
    made = keras.models.clone_model(model, clone_function=copy)
    for old, new in zip(model.layers, made.layers, strict=True):
        if not _can_go(old):
            new.set_weights(old.get_weights())
    return made


def _can_go(layer: keras.Layer) -> bool:
    if type(layer) is not layers.AveragePooling2D or layer.data_format != "channels_last":
        return False
    _, height, width, _ = layer.input.shape
    whole = height % layer.pool_size[0] == 0 and width % layer.pool_size[1] == 0
    return bool(layer.padding == "valid" or (whole and layer.pool_size == layer.strides))
