"""A TFLite classifier of others, made to take pixels 0..255 and to give logits.

The device feeds pixels and nothing else. So what a script did before the network goes into it, as a
convolution of one pixel; the softmax at its end comes off, for the temperature is the card's.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_fer.convert.normalize import Normalization
from edge_fer.errors import ModelError

_OPS, _KINDS = schema.BuiltinOperator, schema.TensorType


def adopted(flatbuffer: bytes, step: Normalization | None, where: str) -> bytes:
    """The same network with its normalization inside and without its softmax.

    Args:
        flatbuffer: Takes float32, int8 or uint8 pictures, one at a time.
        step: How pixels were normalized. None, for what is quantized: each step of its input is
            taken for a pixel's, as it is where the input was calibrated on 0..255.
        where: The file it came from, for messages.

    Raises:
        ModelError: It is of another kind, or a float network without ``step``.
    """
    graph = _Graph(flatbuffer, where)
    graph.open_end()
    graph.open_start(step)
    return graph.packed()


def takes_float(flatbuffer: bytes, where: str) -> bool:
    """Whether a network takes float pictures, so that their normalization must be told."""
    graph = _Graph(flatbuffer, where)
    return bool(graph.tensor(graph.skipped_input()).type == _KINDS.FLOAT32)


class _Graph:
    """A flatbuffer that can be changed."""

    def __init__(self, flatbuffer: bytes, where: str) -> None:
        try:
            self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
            (self._graph,) = self._model.subgraphs
            (self._input,), (self._output,) = self._graph.inputs, self._graph.outputs
        except Exception as e:  # a damaged flatbuffer raises many kinds of errors
            raise ModelError(
                f"{where} is no TFLite model with one graph, one input and one output"
            ) from e
        self._where = where
        shape = [int(n) for n in self.tensor(self._input).shape]
        if len(shape) != 4 or shape[0] != 1 or shape[3] not in (1, 3):
            raise ModelError(f"{where} takes {shape}; one picture of 1 or 3 channels is needed")

    def tensor(self, index: int) -> Any:
        return self._graph.tensors[index]

    def skipped_input(self) -> int:
        """The input behind what only makes it int8."""
        index = self._input
        while (op := self._only_reader(index)) and self._kind(op) == _OPS.QUANTIZE:
            index = int(op.outputs[0])
        return int(index)

    def open_end(self) -> None:
        """Let the network end before its softmax, in float32 or int8."""
        index = int(self._output)
        while (op := self._writer(index)) is not None:
            kind = self._kind(op)
            if kind == _OPS.SOFTMAX and op.builtinOptions.beta != 1:
                raise ModelError(f"{self._where} ends in a softmax of beta, which is not 1")
            if kind not in (_OPS.SOFTMAX, _OPS.QUANTIZE, _OPS.DEQUANTIZE):
                break
            self._graph.operators.remove(op)
            index = int(op.inputs[0])
        if self.tensor(index).type == _KINDS.UINT8:
            index = self._as_int8(index)
        self._graph.outputs = [index]

    def open_start(self, step: Normalization | None) -> None:
        """Let the network begin with pixels, as float32 or as int8 less 128."""
        index = int(self._input)
        while index != self.skipped_input():
            op = self._only_reader(index)
            self._graph.operators.remove(op)
            index = self._input = int(op.outputs[0])
        kind = self.tensor(index).type
        if kind == _KINDS.UINT8:
            scale, zero = self._quantization(index)
            signed = self._add(self.tensor(index).shape, _KINDS.INT8, None, [scale], [zero - 128])
            self._insert(_OPS.QUANTIZE, [signed], index, None)
            index, kind = signed, _KINDS.INT8
        if kind == _KINDS.INT8:
            self._begin_int8(index, step)
        elif kind == _KINDS.FLOAT32 and step is not None:
            self._begin_float(index, step)
        else:
            raise ModelError(
                f"{self._where} does not tell how its pixels were normalized; say --normalization"
            )

    def packed(self) -> bytes:
        self._model.signatureDefs = []
        self._model.metadata = []
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _begin_float(self, index: int, step: Normalization) -> None:
        pixels = index
        if step.needed:
            channels = len(step.scale)
            pixels = self._add(self.tensor(index).shape, _KINDS.FLOAT32)
            kernel = self._add([1, 1, 1, channels], _KINDS.FLOAT32, step.scale)
            offset = self._add([channels], _KINDS.FLOAT32, step.offset)
            self._convolve(pixels, kernel, offset, index)
        self._graph.inputs = [pixels]

    def _begin_int8(self, index: int, step: Normalization | None) -> None:
        scale, zero = self._quantization(index)
        channels = int(self.tensor(index).shape[3])
        if step is None:
            gain = np.full(channels, scale)
            shift = np.full(channels, scale * (-128 - zero))
        else:
            gain, shift = step.scale.astype(np.float64), step.offset.astype(np.float64)
        pixels = index
        if (scale, zero) != (1, -128) or (gain != 1).any() or shift.any():
            fine = gain / 127  # the kernel is 127 of these; the offset is counted in them too
            whole, none = np.full(channels, 127, np.int8), [0] * channels
            counted = np.round(shift / fine).astype(np.int32)
            pixels = self._add(self.tensor(index).shape, _KINDS.INT8, None, [1.0], [-128])
            kernel = self._add([1, 1, 1, channels], _KINDS.INT8, whole, fine, none, 3)
            offset = self._add([channels], _KINDS.INT32, counted, fine, none)
            self._convolve(pixels, kernel, offset, index)
        self._graph.inputs = [pixels]

    def _convolve(self, source: int, kernel: int, offset: int, result: int) -> None:
        options = schema.DepthwiseConv2DOptionsT()
        options.padding = schema.Padding.VALID
        options.strideW = options.strideH = options.depthMultiplier = 1
        options.dilationWFactor = options.dilationHFactor = 1
        self._insert(_OPS.DEPTHWISE_CONV_2D, [source, kernel, offset], result, options)

    def _as_int8(self, index: int) -> int:
        scale, zero = self._quantization(index)
        signed = self._add(self.tensor(index).shape, _KINDS.INT8, None, [scale], [zero - 128])
        self._insert(_OPS.QUANTIZE, [index], signed, None, at_end=True)
        return signed

    def _quantization(self, index: int) -> tuple[float, int]:
        given = self.tensor(index).quantization
        if given is None or given.scale is None or len(given.scale) != 1:
            raise ModelError(f"{self._where} does not tell how its integers are scaled")
        return float(given.scale[0]), int(given.zeroPoint[0])

    def _add(
        self,
        shape: Any,
        kind: int,
        values: NDArray[Any] | None = None,
        scale: Any = None,
        zero: Any = None,
        axis: int = 0,
    ) -> int:
        buffer = schema.BufferT()
        if values is not None:
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        made = schema.TensorT()
        made.shape = np.array(shape, np.int32)
        made.type, made.buffer = kind, len(self._model.buffers) - 1
        made.name = f"edge_fer_{len(self._graph.tensors)}"
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = np.array(scale, np.float32)
            made.quantization.zeroPoint = np.array(zero, np.int64)
            made.quantization.quantizedDimension = axis
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def _insert(
        self, kind: int, inputs: list[int], output: int, options: Any, at_end: bool = False
    ) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode = kind, min(kind, 127)
        code.version = 3
        self._model.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex = len(self._model.operatorCodes) - 1
        op.inputs, op.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            op.builtinOptionsType = schema.BuiltinOptions.DepthwiseConv2DOptions
            op.builtinOptions = options
        operators = self._graph.operators
        operators.insert(len(operators) if at_end else 0, op)

    def _kind(self, op: Any) -> int:
        code = self._model.operatorCodes[op.opcodeIndex]
        return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))

    def _writer(self, index: int) -> Any:
        return next((op for op in self._graph.operators if index in op.outputs), None)

    def _only_reader(self, index: int) -> Any:
        readers = [op for op in self._graph.operators if index in op.inputs]
        return readers[0] if len(readers) == 1 else None
