"""A network with fewer steps that gives the same: normalizations folded into convolutions.

TFLite's converter folds most batch norms by itself. What needs it done before is equalization,
which moves scales between the kernels as they will be, and the pixels' normalization.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_fer.convert.normalize import Normalization

Array = NDArray[np.float32]


def rewritten(model: keras.Model, call: Callable[..., Any], inputs: Any = None) -> keras.Model:
    """The same graph over new inputs, each layer's place taken by what ``call`` makes.

    Networks inside the network are laid flat.

    Args:
        model: Is not changed; layers that ``call`` keeps are shared with it.
        call: Given a layer and its arguments, gives the tensor.
        inputs: The new input; one of the same shape where it is not given.
    """
    if inputs is None:
        inputs = keras.Input(batch_shape=model.input_shape, name="pixels")
    return keras.Model(inputs, _through(model, call, inputs))


def _through(model: keras.Model, call: Callable[..., Any], x: Any) -> Any:
    made: dict[str, Any] = {}

    def run(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.Model):
            made[layer.name] = _through(layer, call, args[0])
        else:
            made[layer.name] = call(layer, *args, **kwargs)
        return made[layer.name]

    graph = keras.Model(model.inputs[0], model.outputs[0])
    keras.models.clone_model(
        graph, input_tensors=x, clone_function=lambda layer: layer, call_function=run
    )
    return made[graph.output._keras_history.operation.name]


def of_size(model: keras.Model, height: int, width: int) -> keras.Model:
    """A network that takes any size, for one size."""
    inputs = keras.Input((height, width, model.input_shape[-1]), name="pixels")
    return rewritten(model, lambda layer, *a, **k: layer(*a, **k), inputs)


def normalized(model: keras.Model, step: Normalization) -> keras.Model:
    """The network with the normalization of its pixels inside.

    It goes into the first convolution where that is exact: the rim that a convolution adds is 0
    after normalization, so with a rim and an offset it stays a layer of its own.

    Args:
        model: Takes normalized pixels.
        step: What was done to them.
    """
    if not step.needed:
        return model
    inputs = keras.Input(batch_shape=model.input_shape, name="pixels")
    seen: list[Any] = [inputs]

    def call(layer: keras.Layer, x: Any, *args: Any, **kwargs: Any) -> Any:
        if x is not inputs:
            return layer(x, *args, **kwargs)
        plain = type(layer) is layers.Conv2D and layer.groups == 1
        if plain and (layer.padding == "valid" or not step.offset.any()):
            kernel, bias = _weights(layer)
            more = np.einsum("hwio,i->o", kernel, step.offset)
            return _conv(layer, kernel * step.scale[:, None], bias + more)(x)
        if len(seen) == 1:
            own = layers.DepthwiseConv2D(1, name="normalization")
            seen.append(own(inputs))
            own.set_weights([step.scale.reshape(1, 1, -1, 1), step.offset])
        return layer(seen[1], *args, **kwargs)

    return rewritten(model, call, inputs)


def folded(model: keras.Model) -> keras.Model:
    """The network with each batch norm that follows a linear layer folded into it.

    Separable convolutions become two layers, since each has its own quantization.
    """
    made: dict[int, tuple[keras.Layer, Any, Any]] = {}  # by tensor: its layer, that one's input

    def apply(layer: keras.Layer, x: Any) -> Any:
        y = layer(x)
        made[id(y)] = layer, x, y
        return y

    def call(layer: keras.Layer, x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, layers.SeparableConv2D):
            first, second = _separated(layer)
            return apply(second, apply(first, x))
        if _is_linear(layer):
            return apply(layer, x)
        if isinstance(layer, layers.BatchNormalization) and id(x) in made and _last_axis(layer):
            before, source, _ = made[id(x)]
            return apply(_scaled(before, *_gain(layer)), source)
        return layer(x, *args, **kwargs)

    return rewritten(model, call)


def _is_linear(layer: keras.Layer) -> bool:
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
    return type(layer) in kinds and layer.activation is keras.activations.linear


def _last_axis(norm: keras.Layer) -> bool:
    return norm.axis in (-1, len(norm.input.shape) - 1)


def _gain(norm: layers.BatchNormalization) -> tuple[Array, Array]:
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * np.asarray(norm.gamma)
    offset = -mean * scale + (np.asarray(norm.beta) if norm.center else 0)
    return scale.astype(np.float32), offset.astype(np.float32)


def _scaled(layer: keras.Layer, scale: Array, offset: Array) -> keras.Layer:
    kernel, bias = _weights(layer)
    shape = kernel.shape[2:] if isinstance(layer, layers.DepthwiseConv2D) else kernel.shape[-1:]
    return _conv(layer, kernel * scale.reshape(shape), bias * scale + offset)


def _weights(layer: keras.Layer) -> tuple[Array, Array]:
    kernel = np.asarray(layer.kernel)
    outputs = layer.output.shape[-1]
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(outputs, np.float32)
    return kernel, bias


def _conv(layer: keras.Layer, kernel: Array, bias: Array) -> keras.Layer:
    """A layer like another, with a bias and these weights."""
    config = {**layer.get_config(), "use_bias": True, "trainable": True}
    for key in [k for k in config if k.endswith(("_regularizer", "_constraint"))]:
        config[key] = None
    made = type(layer).from_config(config)
    made.build(layer.input.shape)
    made.set_weights([kernel, bias])
    return made


def _separated(layer: layers.SeparableConv2D) -> tuple[keras.Layer, keras.Layer]:
    shared = {"padding": layer.padding, "dilation_rate": layer.dilation_rate}
    first = layers.DepthwiseConv2D(
        layer.kernel_size,
        layer.strides,
        depth_multiplier=layer.depth_multiplier,
        name=f"{layer.name}_depthwise",
        **shared,
    )
    second = layers.Conv2D(layer.filters, 1, activation=layer.activation, name=layer.name)
    first.build(layer.input.shape)
    wide = int(np.prod(layer.depthwise_kernel.shape[2:]))
    second.build((*layer.output.shape[:-1], wide))
    deep, flat = np.asarray(layer.depthwise_kernel), np.asarray(layer.pointwise_kernel)
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(layer.filters, np.float32)
    first.set_weights([deep, np.zeros(wide, np.float32)])
    second.set_weights([flat, bias])
    return first, second
