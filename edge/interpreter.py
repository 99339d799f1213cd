"""Opening a TFLite model in LiteRT."""

from __future__ import annotations

from typing import Any

from edge_fer.errors import InputError, ModelError


def open_interpreter(model: bytes, where: str, threads: int = 1) -> Any:
    """An ``ai_edge_litert`` interpreter with its tensors allocated.

    Args:
        model: The flatbuffer.
        where: The file it came from, for the message.
        threads: Threads of XNNPACK, which runs the network.

    Raises:
        ModelError: The flatbuffer is broken.
        InputError: ``threads`` is below 1.
    """
    if threads < 1:
        raise InputError(f"{threads} threads are not enough; give 1 or more")
    # `Interpreter` and not `CompiledModel`: the latter loads a GPU library that ends the process
    # on a Raspberry Pi 4.
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as e:
        line = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise ModelError(f"{where}: LiteRT cannot load the model ({line})") from e
    return interpreter
