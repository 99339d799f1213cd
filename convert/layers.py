"""How much each layer of a network suffers from quantization."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerError:
    """The error of one layer's output.

    Attributes:
        name: The tensor's name.
        error: Root mean square of the difference between int8 and float, over the float output's
            standard deviation.
        scale: The tensor's quantization step.
    """

    name: str
    error: float
    scale: float


def layer_errors(
    float_model: bytes,
    int8_model: bytes,
    pictures: NDArray[np.uint8],
    names: Sequence[str] = (),
) -> list[LayerError]:
    """Compare every layer's output in an int8 model with the float model's, the worst first.

    The error of a layer holds what the layers before it have added: it shows where it grows.

    Args:
        float_model: The float32 flatbuffer.
        int8_model: The full-integer flatbuffer of the same network.
        pictures: Prepared pictures [N, H, W, C]; a few dozen are enough.
        names: The Keras layers' names, the last one that of the output, to call them by.
    """
    exact, coarse = _keeping_all(float_model), _keeping_all(int8_model)
    tensors = {_key(t["name"]): t for t in coarse.get_tensor_details() if _is_activation(t)}
    pairs = [
        (t["index"], tensors[_key(t["name"])])
        for t in exact.get_tensor_details()
        if t["dtype"] == np.float32 and _key(t["name"]) in tensors and t["shape"][0] == 1
    ]
    sums = np.zeros((len(pairs), 4))
    for picture in pictures:
        pixels = picture[None].astype(np.float32)
        _feed(exact, pixels)
        _feed(coarse, (pixels - 128).astype(np.int8))
        for row, (index, tensor) in zip(sums, pairs, strict=True):
            wanted = exact.get_tensor(index).astype(np.float64)
            scale, zero = tensor["quantization"]
            got = (coarse.get_tensor(tensor["index"]).astype(np.float64) - zero) * scale
            row += (((got - wanted) ** 2).sum(), wanted.sum(), (wanted**2).sum(), wanted.size)
    errors = []
    for (wrong, total, squares, n), (_, tensor) in zip(sums, pairs, strict=True):
        variance = squares / n - (total / n) ** 2
        if variance > 0:
            error = float(np.sqrt(wrong / n / variance))
            name = _layer(tensor["name"], names)
            errors.append(LayerError(name, error, float(tensor["quantization"][0])))
    return sorted(errors, key=lambda e: -e.error)


def _keeping_all(flatbuffer: bytes) -> Any:
    with warnings.catch_warnings(action="ignore"):  # that this takes memory, which is known
        interpreter = Interpreter(
            model_content=flatbuffer, experimental_preserve_all_tensors=True, num_threads=2
        )
    interpreter.allocate_tensors()
    return interpreter


def _key(name: str) -> str:
    """``wrapper_3/model/norm/add;wrapper_3/...`` (layers fused into one) as ``model/norm/add``.

    The first part names the wrapper that the converter saw, which differs between conversions.
    """
    return name.split(";")[0].split("/", 1)[-1]


def _layer(name: str, names: Sequence[str]) -> str:
    """The Keras layer of a tensor: the converter appends numbers, and forgets the output's name."""
    parts = _key(name).split("/")
    part = parts[min(1, len(parts) - 1)]
    if part.startswith("StatefulPartitionedCall") and names:
        return names[-1]
    return max((n for n in names if part.startswith(n)), key=len, default=part)


def _is_activation(tensor: dict[str, Any]) -> bool:
    return (
        tensor["dtype"] == np.int8
        and tensor["quantization"][0] > 0
        and len(tensor["shape"]) in (2, 4)
        and tensor["shape"][0] == 1
        and not tensor["name"].startswith("arith.constant")
    )


def _feed(interpreter: Any, pixels: NDArray[Any]) -> None:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
