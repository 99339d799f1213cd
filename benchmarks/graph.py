"""TFLite graphs taken apart and put together, with the schema that comes with LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_fer.interpreter import open_interpreter

_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if name.isupper()}
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclass(frozen=True)
class Step:
    """An operator of a graph.

    Attributes:
        name: Its kind, e.g. ``"CONV_2D"``.
        shape: Of what it gives, without the batch.
        macs: Multiply-accumulate operations.
        delegated: Whether XNNPACK runs it, and not LiteRT's own kernels.
    """

    name: str
    shape: tuple[int, ...]
    macs: int
    delegated: bool


class Graph:
    """A model with one subgraph.

    Operators on constants alone, such as the widening of float16 weights, are done once when it is
    loaded; they are no steps.

    Args:
        flatbuffer: The model.

    Attributes:
        steps: What one inference does, in order.
    """

    def __init__(self, flatbuffer: bytes) -> None:
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
        self._model.signatureDefs = []  # they name outputs that a shorter graph lacks
        self._graph = graph = self._model.subgraphs[0]
        self._inputs, self._operators = set(graph.inputs.tolist()), graph.operators
        self._outputs = set(graph.outputs.tolist())
        alive = set(self._inputs)
        self._places: list[int] = []
        for place, operator in enumerate(graph.operators):
            if alive & set(operator.inputs.tolist()):
                alive |= set(operator.outputs.tolist())
                self._places.append(place)
        self._alive = alive
        run = _delegated(flatbuffer)
        self.steps = [self._step(place, place in run) for place in self._places]

    def prefix(self, count: int) -> bytes:
        """The model that ends after ``count`` steps; it gives what the later ones would read."""
        end = self._places[count - 1] + 1
        first, later = self._operators[:end], self._operators[end:]
        made = {t for operator in first for t in operator.outputs.tolist()} & self._alive
        read = {t for operator in later for t in operator.inputs.tolist()} | self._outputs
        self._graph.operators = first
        self._graph.outputs = np.array(sorted(made & read), np.int32)
        return pack(self._model)

    def _step(self, place: int, delegated: bool) -> Step:
        operator = self._operators[place]
        code = self._model.operatorCodes[operator.opcodeIndex]
        # Codes below 127 are in the older field, as files of old converters have them.
        name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        shape = tuple(self._graph.tensors[operator.outputs[0]].shape.tolist())
        macs = 0
        if name in _WEIGHTED:
            weights = self._graph.tensors[operator.inputs[1]].shape
            macs = int(np.prod(shape[:-1]) * np.prod(weights))
        return Step(name, shape[1:], macs, delegated)


def pack(model: Any) -> bytes:
    """A model of the schema's objects as a flatbuffer."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _delegated(flatbuffer: bytes) -> set[int]:
    """Numbers of the operators that LiteRT has handed to its delegate."""
    operators = open_interpreter(flatbuffer, "the graph")._get_ops_details()
    makers = {t: op for op in operators if op["op_name"] != "DELEGATE" for t in op["outputs"]}
    found: set[int] = set()
    for delegate in (op for op in operators if op["op_name"] == "DELEGATE"):
        known, waiting = set(delegate["inputs"]), list(delegate["outputs"])
        while waiting:
            tensor = waiting.pop()
            maker = makers.get(tensor)
            if tensor not in known and maker is not None:
                known.add(tensor)
                found.add(maker["index"])
                waiting += list(maker["inputs"])
    return found
