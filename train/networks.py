"""The networks: pictures of pixels 0..255 in, logits out.

Every network takes raw pixels, so that the int8 input has scale 1 and zero point -128 and the
device feeds bytes as they come. Only backend-neutral Keras is used: TensorFlow, JAX and torch train
the same network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from edge_fer.card import InputSpec
from edge_fer.errors import RecipeError
from edge_fer.train.recipe import Recipe


def build(name: str, spec: InputSpec, classes: int, options: dict[str, Any]) -> keras.Model:
    """Build a network by name.

    Args:
        name: A key of ``NETWORKS``.
        spec: What the network takes.
        classes: Number of logits.
        options: The builder's own keyword arguments.

    Raises:
        RecipeError: The name or an option is unknown.
    """
    if name not in NETWORKS:
        raise RecipeError(f"network {name!r} is unknown; choose one of {', '.join(NETWORKS)}")
    inputs = keras.Input((spec.height, spec.width, spec.channels), name="pixels")
    try:
        features = NETWORKS[name](inputs, **options)
    except (TypeError, ValueError) as e:
        line = str(e).strip().splitlines()[0]
        raise RecipeError(f"network {name!r} cannot be built with these options: {line}") from e
    # The logits stay float32 under a mixed-precision policy: the loss is computed from them.
    logits = layers.Dense(classes, dtype="float32", name="logits")(features)
    return keras.Model(inputs, logits, name=name)


def build_recipe(recipe: Recipe, classes: int, precision: str = "float32") -> keras.Model:
    """Build the network of a recipe.

    Args:
        recipe: Names the network, its options and its input.
        classes: Number of logits.
        precision: What it computes in: a dtype policy of Keras.

    Raises:
        RecipeError: The name or an option is unknown.
    """
    keras.config.set_dtype_policy(precision)
    try:
        return build(recipe.network.name, recipe.input, classes, recipe.network.options)
    finally:
        keras.config.set_dtype_policy("float32")


def residual(
    inputs: Any,
    stem: int = 32,
    widths: tuple[int, ...] = (64, 128, 192),
    blocks: tuple[int, ...] = (1, 1, 1),
    dropout: float = 0.3,
) -> Any:
    """Residual network of plain 3x3 convolutions (He et al. 2015), each stage at half the size.

    Batch norms fold into the convolutions at conversion; what is left is what XNNPACK runs
    fastest. There is no rescaling layer: the first batch norm takes out the scale of the pixels.

    Args:
        inputs: Pixels.
        stem: Channels of the first convolution, at full size.
        widths: Channels of each stage.
        blocks: Number of residual blocks of each stage.
        dropout: Share of the pooled features dropped in training.
    """
    x = _conv_norm(inputs, stem, "stem")
    x = layers.ReLU(name="stem_relu")(x)
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), 1):
        for index in range(count):
            name = f"stage{stage}_block{index + 1}"
            x = _residual_block(x, width, name, stride=2 if index == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dropout(dropout)(x)


def vgg(
    inputs: Any,
    widths: tuple[int, ...] = (32, 64, 128),
    dense: int = 256,
    dropout: float = 0.25,
) -> Any:
    """The classic network of the FER tutorials: pairs of convolutions, max pooling, two dense.

    Args:
        inputs: Pixels.
        widths: Channels of each pair of convolutions.
        dense: Units of the hidden dense layer.
        dropout: Share dropped after each pooling; twice that before the logits.
    """
    x = layers.Rescaling(1 / 255)(inputs)
    for stage, width in enumerate(widths, 1):
        for index in (1, 2):
            name = f"stage{stage}_conv{index}"
            x = layers.ReLU(name=f"{name}_relu")(_conv_norm(x, width, name))
        x = layers.MaxPooling2D()(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(dense, activation="relu")(x)
    return layers.Dropout(2 * dropout)(x)


NETWORKS: dict[str, Callable[..., Any]] = {"residual": residual, "vgg": vgg}
"""The networks by the name a recipe calls them."""


def macs(model: keras.Model) -> int:
    """Multiply-accumulate operations of one inference, convolutions and dense layers counted."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += macs(layer)
        elif isinstance(layer, layers.Dense):
            total += math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D):
            _, height, width, _ = layer.output.shape
            kernels = [w for w in layer.weights if len(w.shape) == 4]
            total += height * width * sum(math.prod(w.shape) for w in kernels)
    return int(total)


def _residual_block(x: Any, width: int, name: str, stride: int) -> Any:
    y = _conv_norm(x, width, f"{name}_conv1", stride=stride)
    y = layers.ReLU(name=f"{name}_relu1")(y)
    y = _conv_norm(y, width, f"{name}_conv2")
    if stride > 1:
        # Every pixel counts in the shortcut too (He et al. 2018, "ResNet-D").
        x = layers.AveragePooling2D(stride, padding="same", name=f"{name}_pool")(x)
    if stride > 1 or x.shape[-1] != width:
        x = _conv_norm(x, width, f"{name}_shortcut", size=1)
    return layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([x, y]))


def _conv_norm(x: Any, channels: int, name: str, size: int = 3, stride: int = 1) -> Any:
    x = layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return layers.BatchNormalization(momentum=0.95, name=f"{name}_norm")(x)
