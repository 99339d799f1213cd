"""From a Keras model to a TFLite flatbuffer."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.tools import flatbuffer_utils

from edge_fer.errors import GateError, WorkError
from edge_fer.interpreter import open_interpreter

Calibration = Callable[[], Iterator[list[NDArray[np.float32]]]]


def to_tflite(model: keras.Model, precision: str, calibration: Calibration | None = None) -> bytes:
    """Convert a Keras model.

    Args:
        model: Takes [N, H, W, C] and gives [N, classes]; converted for one picture at a time.
        precision: ``"float32"``; ``"float16"`` (weights stored so); ``"dynamic"`` (int8 weights,
            float in and out); or ``"int8"`` (full integer, in, out and between; weights with a
            scale per output channel).
        calibration: Gives the representative inputs; needed for ``"int8"``.

    Raises:
        WorkError: TensorFlow cannot convert the model.
    """
    # A fixed batch of one: XNNPACK plans its memory ahead, and no shape is computed at run time.
    pixels = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(pixels, model(pixels)))
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = calibration
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        # Keras prints what it saves on the way, and TensorFlow warns that nobody told it the
        # input's range, which it is about to measure.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            return bytes(converter.convert())
    except Exception as e:  # the converter raises what its compiler raises
        line = (str(e).strip().splitlines() or [type(e).__name__])[0][:200]
        raise WorkError(f"TensorFlow cannot convert this model to {precision}: {line}") from e


def without_names(flatbuffer: bytes) -> bytes:
    """The same model without the names of its tensors, which no device needs: 6 kB less."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    flatbuffer_utils.strip_strings(model)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def check_full_integer(flatbuffer: bytes, where: str) -> None:
    """Make sure that nothing in an int8 model computes in floating point.

    Args:
        flatbuffer: The model.
        where: Its name, for the message.

    Raises:
        GateError: A tensor is float.
    """
    details = open_interpreter(flatbuffer, where).get_tensor_details()
    floats = [t["name"] for t in details if np.issubdtype(t["dtype"], np.floating)]
    if floats:
        raise GateError(
            f"{where}: {len(floats)} tensors of the int8 model are still float"
            f" ({floats[0]} first): a layer of it has no integer form"
        )
