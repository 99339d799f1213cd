"""Graphs cut and looked into."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_fer.benchmarks.graph import Graph, pack
from edge_fer.benchmarks.operators import time_operators
from edge_fer.benchmarks.peak import PEAK_MACS, product
from edge_fer.card import unpack
from edge_fer.interpreter import open_interpreter
from edge_fer.models import find_model


@pytest.fixture(scope="module")
def flatbuffer():
    return unpack(find_model("fer-base"))[0]


def _outputs(flatbuffer, pixels):
    interpreter = open_interpreter(flatbuffer, "a test")
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    return [interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()]


def test_the_steps_are_those_of_the_card(flatbuffer):
    steps = Graph(flatbuffer).steps
    assert sum(step.macs for step in steps) == unpack(find_model("fer-base"))[1].macs
    assert all(step.delegated for step in steps)
    assert steps[-1].name == "FULLY_CONNECTED"
    assert steps[-1].shape == (7,)


def test_a_graph_cut_nowhere_is_the_same_network(flatbuffer):
    pixels = np.random.default_rng(0).integers(-128, 128, (1, 48, 48, 1)).astype(np.int8)
    graph = Graph(flatbuffer)
    (whole,), (uncut,) = (_outputs(f, pixels) for f in (flatbuffer, graph.prefix(len(graph.steps))))
    np.testing.assert_array_equal(whole, uncut)


def test_a_piece_gives_what_the_rest_reads(flatbuffer):
    pixels = np.zeros((1, 48, 48, 1), np.int8)
    graph = Graph(flatbuffer)
    shapes = [tuple(o.shape[1:]) for o in _outputs(graph.prefix(3), pixels)]
    # Within a residual block: what the third step gives, and what goes past it.
    assert graph.steps[2].shape in shapes
    assert len(shapes) == 2


def test_the_steps_add_up_to_the_whole(flatbuffer):
    steps = time_operators(flatbuffer, rounds=2)
    assert len(steps) == len(Graph(flatbuffer).steps)
    assert sum(step.ms for step in steps) > 0


def test_the_matrix_product_is_one():
    (step,) = Graph(product()).steps
    assert (step.macs, step.delegated) == (PEAK_MACS, True)
    pixels = np.random.default_rng(0).integers(-128, 128, (1, 16, 16, 512)).astype(np.int8)
    (result,) = _outputs(product(), pixels)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(product(), 0))
    weights = model.buffers[1].data.view(np.int8).reshape(512, 512).astype(int)
    expected = np.clip(np.round(pixels[0, 3, 5].astype(int) @ weights.T / 2000), -128, 127)
    assert np.abs(result[0, 3, 5] - expected).max() <= 1


def test_what_xnnpack_does_not_run_is_named():
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(product(), 0))
    graph = model.subgraphs[0]
    graph.tensors.append(graph.tensors[3])
    absolute = schema.OperatorT()
    absolute.opcodeIndex = 1
    absolute.inputs, absolute.outputs = np.array([3], np.int32), np.array([4], np.int32)
    graph.operators.append(absolute)
    graph.outputs = np.array([4], np.int32)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ABS
    code.version = 2
    model.operatorCodes.append(code)
    steps = Graph(pack(model)).steps
    assert [(step.name, step.delegated) for step in steps] == [("CONV_2D", True), ("ABS", False)]
