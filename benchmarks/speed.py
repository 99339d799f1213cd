"""How long networks take, in this process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_fer.classifier import Classifier
from edge_fer.interpreter import open_interpreter

_FEWEST = 5
"""Times that are taken however long they are."""
_WARM_UP = 0.1
"""Share of the times that is taken before and thrown away, and at least ``_FEWEST``."""

Times = NDArray[np.float64]


def timed(function: Callable[[], object], runs: int, seconds: float = math.inf) -> Times:
    """Milliseconds of each of so many calls, after warming up.

    Args:
        function: What is timed.
        runs: How often.
        seconds: Fewer calls are made where they would take longer than this, but five at least.
    """
    times: list[float] = []
    for count in (max(int(_WARM_UP * runs), _FEWEST), runs):
        times.clear()
        end = time.perf_counter() + seconds
        while len(times) < count and (len(times) < _FEWEST or time.perf_counter() < end):
            before = time.perf_counter()
            function()
            times.append(time.perf_counter() - before)
    return 1000 * np.array(times)


def latencies(classifier: Classifier, runs: int, seconds: float = math.inf) -> Times:
    """Milliseconds of each of so many inferences, one picture each, after warming up."""
    spec = classifier.card.input
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (32, 1, spec.height, spec.width, spec.channels), np.uint8)
    turn = iter(range(2**62))
    return timed(lambda: classifier.logits(pictures[next(turn) % len(pictures)]), runs, seconds)


def batch_times(
    flatbuffer: bytes, threads: int, faces: int, runs: int, seconds: float = math.inf
) -> tuple[Times, Times] | None:
    """Milliseconds for several pictures: one after the other, and in one invocation.

    Args:
        flatbuffer: The model, made for one picture at a time.
        threads: Threads of the network.
        faces: Number of pictures.
        runs: How often.
        seconds: As for ``timed``.

    Returns:
        None where the model's batch cannot be changed.
    """
    one = open_interpreter(flatbuffer, "the model", threads)
    many = open_interpreter(flatbuffer, "the model", threads)
    (source,), (result,) = one.get_input_details(), one.get_output_details()
    pictures = np.random.default_rng(0).integers(0, 127, (faces, *source["shape"][1:]))
    pictures = pictures.astype(source["dtype"])
    try:
        many.resize_tensor_input(source["index"], pictures.shape)
        many.allocate_tensors()
        many.invoke()
    except (ValueError, RuntimeError):
        return None
    if len(many.get_tensor(result["index"])) != faces:
        return None

    def invoke(interpreter: Any, given: NDArray[np.generic]) -> None:
        interpreter.set_tensor(source["index"], given)
        interpreter.invoke()
        interpreter.get_tensor(result["index"])

    def each() -> None:
        for picture in pictures:
            invoke(one, picture[None])

    return timed(each, runs, seconds), timed(lambda: invoke(many, pictures), runs, seconds)
