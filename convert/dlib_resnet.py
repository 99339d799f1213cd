"""dlib's face recognition network, from its own file to Keras.

A residual network of 29 convolutions (King, "High Quality Face Recognition with Deep Metric
Learning", 2017; He et al., "Deep Residual Learning for Image Recognition", 2016, with half the
filters and fewer layers) that makes 128 numbers of a face: those of one person lie near each other.
The file is ``dlib_face_recognition_resnet_model_v1.dat``, which the package
``face-recognition-models`` holds; its author has put it into the public domain (CC0).
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from edge_fer.errors import ModelError

SIDE, EMBEDDING = 150, 128
_MEANS = np.array([122.782, 117.001, 104.298], np.float32)
"""Red, green, blue that dlib takes off the pixels, before it divides them by 256."""

_BLOCKS = (
    *[(32, False)] * 3,
    *[(64, True), *[(64, False)] * 3],
    *[(128, True), *[(128, False)] * 2],
    *[(256, True), *[(256, False)] * 2, (256, True)],
)
"""Filters of each residual block, and whether it halves the picture."""

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]


def load(path: Path) -> keras.Model:
    """The network with dlib's weights.

    It takes red-green-blue pixels [N, 150, 150, 3], 0..255, and gives [N, 128]. What dlib does to
    the pixels, and after each convolution (a scale and an offset a channel), is folded into the
    filters, so that the network is convolutions, sums and pooling alone.

    Args:
        path: dlib's file.

    Raises:
        ModelError: It is not that file.
    """
    try:
        tensors = _Tensors(path.read_bytes(), str(path))
    except OSError as e:
        raise ModelError(f"{path}: the model cannot be read ({e.strerror})") from e
    filters, bias = _convolution(tensors, 7, 3, 32)
    bias = bias - np.einsum("hwio,i->o", filters, _MEANS / 256).astype(np.float32)
    pixels = keras.Input((SIDE, SIDE, 3))
    x = _conv(pixels, (filters / np.float32(256), bias), 2, relu=True)
    x = layers.MaxPooling2D(3, 2)(x)
    for width, halved in _BLOCKS:
        x = _block(x, tensors, width, halved)
    x = layers.GlobalAveragePooling2D()(x)
    dense = layers.Dense(EMBEDDING, use_bias=False)
    embedding = dense(x)
    dense.set_weights([tensors.take(x.shape[-1], EMBEDDING)])
    return keras.Model(pixels, embedding, name="dlib_resnet")


class _Tensors:
    """The tensors of a network that dlib has serialised, one after another.

    Before its numbers a tensor has its version, 2, and four sizes, each an integer of as few bytes
    as it needs with their number before them. Everything between two tensors is skipped.
    """

    def __init__(self, content: bytes, where: str) -> None:
        self._content, self._where, self._at = content, where, 0

    def take(self, *shape: int) -> NDArray[np.float32]:
        """The next tensor of this shape."""
        sizes = (*shape, 1, 1, 1)[:4]
        head = b"".join(
            bytes([length]) + size.to_bytes(length, "little")
            for size in (2, *sizes)
            for length in [(size.bit_length() + 7) // 8]
        )
        count = int(np.prod(shape))
        start = self._content.find(head, self._at) + len(head)
        if start < self._at + len(head) or start + 4 * count > len(self._content):
            raise ModelError(f"{self._where} is not dlib's face recognition network, or cut short")
        self._at = start + 4 * count
        numbers = np.frombuffer(self._content, "<f4", count, start)
        return numbers.reshape(shape).astype(np.float32)


def _convolution(tensors: _Tensors, size: int, channels: int, width: int) -> Weights:
    """The next convolution's filters [H, W, C, F] and biases, its scale and offset folded in."""
    count = size * size * channels * width
    raw = tensors.take(count + width)
    scale, offset = tensors.take(2 * width).reshape(2, width)
    filters = raw[:count].reshape(width, channels, size, size).transpose(2, 3, 1, 0)
    return filters * scale, raw[count:] * scale + offset


def _block(x: keras.KerasTensor, tensors: _Tensors, width: int, halved: bool) -> keras.KerasTensor:
    y = _conv(x, _convolution(tensors, 3, x.shape[-1], width), 2 if halved else 1, relu=True)
    y = _conv(y, _convolution(tensors, 3, width, width), 1)
    if halved:
        x = layers.AveragePooling2D(2)(x)
        # dlib adds what is smaller as if it went on with zeros.
        short, narrow = x.shape[1] - y.shape[1], width - x.shape[-1]
        if narrow:
            x = keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, narrow)))
        if short:
            y = keras.ops.pad(y, ((0, 0), (0, short), (0, short), (0, 0)))
    return layers.ReLU()(layers.Add()([x, y]))


def _conv(
    x: keras.KerasTensor, weights: Weights, stride: int, relu: bool = False
) -> keras.KerasTensor:
    filters, bias = weights
    layer = layers.Conv2D(
        filters.shape[-1],
        filters.shape[0],
        stride,
        padding="valid" if stride > 1 else "same",
        activation="relu" if relu else None,
    )
    y = layer(x)
    layer.set_weights([filters, bias])
    return y
