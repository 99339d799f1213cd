"""Where the time of a network goes, step by step."""

from __future__ import annotations

import numpy as np

from edge_fer.benchmarks.graph import Graph
from edge_fer.benchmarks.results import Operator
from edge_fer.benchmarks.speed import timed
from edge_fer.interpreter import open_interpreter


def time_operators(flatbuffer: bytes, rounds: int = 20, seed: int = 0) -> tuple[Operator, ...]:
    """What each step of a network adds to the time of an inference, in one thread.

    LiteRT's Python interface tells no times of single operators. So the network is cut after each
    step, the pieces are timed in turns and in random order, and each step is what its piece takes
    longer than the one before: caches are as they are in the whole network, and the steps add up to
    it.

    Args:
        flatbuffer: The model.
        rounds: How often each piece is timed.
        seed: Of the order.
    """
    graph, rng = Graph(flatbuffer), np.random.default_rng(seed)
    count = len(graph.steps)
    pieces = [open_interpreter(graph.prefix(n), "a part of it") for n in range(1, count + 1)]
    for piece in pieces:
        (source,) = piece.get_input_details()
        pixels = rng.integers(0, 127, source["shape"])
        piece.set_tensor(source["index"], pixels.astype(source["dtype"]))
    times = np.empty((rounds, count))
    for row in times:
        for place in rng.permutation(count):
            row[place] = np.median(timed(pieces[place].invoke, 5))
    # The lower quartile: other programs only ever make a piece slower.
    added = np.diff(np.quantile(times, 0.25, axis=0), prepend=0)
    return tuple(
        Operator(step.name, step.shape, step.macs, round(float(ms), 5), step.delegated)
        for step, ms in zip(graph.steps, added, strict=True)
    )
