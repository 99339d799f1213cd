"""What the processor could do: the speed of a large integer matrix product in LiteRT."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_fer.benchmarks.graph import pack
from edge_fer.benchmarks.speed import Times, timed
from edge_fer.interpreter import open_interpreter

_CHANNELS, _SIDE = 512, 16
"""Weights, input and output together are half a megabyte: they stay in the caches."""

PEAK_MACS = _CHANNELS**2 * _SIDE**2
"""Multiply-accumulate operations of one product."""


def peak_times(threads: int, runs: int, seconds: float = math.inf) -> Times:
    """Milliseconds of each matrix product, ``PEAK_MACS`` operations."""
    interpreter = open_interpreter(product(), "the matrix product", threads)
    (source,) = interpreter.get_input_details()
    rng = np.random.default_rng(0)
    interpreter.set_tensor(source["index"], rng.integers(-128, 128, source["shape"], np.int8))
    return timed(interpreter.invoke, runs, seconds)


@cache
def product() -> bytes:
    """A TFLite model of one 1x1 convolution, int8: a matrix product of 256 x 512 by 512 x 512."""
    rng = np.random.default_rng(0)
    weights, bias = schema.BufferT(), schema.BufferT()
    weights.data = rng.integers(-127, 128, _CHANNELS**2, dtype=np.int8).view(np.uint8)
    bias.data = np.zeros(_CHANNELS, np.int32).view(np.uint8)
    picture = (1, _SIDE, _SIDE, _CHANNELS)
    kinds = schema.TensorType

    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor(picture, kinds.INT8, 0, 1),
        _tensor((_CHANNELS, 1, 1, _CHANNELS), kinds.INT8, 1, 1),
        _tensor((_CHANNELS,), kinds.INT32, 2, 1),
        _tensor(picture, kinds.INT8, 0, 2000),  # wide enough that not all of it saturates
    ]
    convolution = schema.OperatorT()
    convolution.opcodeIndex = 0
    convolution.inputs = np.array([0, 1, 2], np.int32)
    convolution.outputs = np.array([3], np.int32)
    convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    options = convolution.builtinOptions = schema.Conv2DOptionsT()
    options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
    graph.operators = [convolution]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([3], np.int32)

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 3
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), weights, bias]
    return pack(model)


def _tensor(shape: tuple[int, ...], kind: int, buffer: int, scale: float) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), kind, buffer
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([0], np.int64)
    return tensor
