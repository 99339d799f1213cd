"""A card for a TFLite model that edge-fer did not make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import Card, InputSpec, pack
from edge_fer.convert.adopt import adopted, takes_float
from edge_fer.convert.normalize import TRIED_ON, Normalization, normalization, tried
from edge_fer.convert.representative import stratified_sample
from edge_fer.convert.trial import Bench, Trial
from edge_fer.errors import InputError, ModelError
from edge_fer.interpreter import open_interpreter
from edge_fer.network import Network
from edge_fer.train.dataset import Dataset
from edge_fer.train.truths import FER2013, true_labels

Say = Callable[[str], None]


def import_model(
    path: Path,
    out: Path,
    labels: tuple[str, ...],
    *,
    data: Dataset | None = None,
    color: str = "",
    step: str = "",
    coverage: float = 0.8,
    licence: str = "",
    test: bool = False,
    on_step: Say = lambda _: None,
) -> tuple[Card, Trial | None]:
    """Make a file that the device runs of a TFLite classifier of faces.

    Args:
        path: A ``.tflite`` file: float32, float16, dynamic range, int8 or uint8.
        out: The file to write.
        labels: Its classes, in the order of its output.
        data: Measures it: temperature, threshold and figures go into the card.
        color: ``"gray"``, ``"rgb"`` or ``"bgr"``; what its channels suggest where empty.
        step: One of ``NORMALIZATIONS``; tried on the data where empty, and without data taken from
            the quantization of the input.
        coverage: Share of the public pictures that is to be certain.
        licence: Licence of the weights, for the card.
        test: Also score the private split.
        on_step: Told what is being done.

    Returns:
        The card as it was written, and the model on the public split where there is data.

    Raises:
        ModelError: It is no such model, or gives another number of classes.
        InputError: Neither data nor normalization is given, for a float model.
        StorageError: The file cannot be written.
    """
    try:
        content = path.read_bytes()
    except OSError as e:
        raise ModelError(f"{path}: the model cannot be read ({e.strerror})") from e
    if content[4:8] != b"TFL3":
        raise ModelError(f"{path} is not a TFLite model; edge-fer convert takes Keras models")
    details = open_interpreter(content, str(path)).get_input_details()[0]
    data = data.known_to(labels) if data is not None else None
    _, height, width, channels = (*map(int, details["shape"]), 0, 0, 0)[:4]
    spec = InputSpec(height, width, channels, color or ("gray" if channels == 1 else "rgb"))
    chosen: Normalization | None = None
    if step:
        chosen = normalization(step, spec.color)
    elif data is not None:
        chosen = _tried(content, data, spec, str(path), on_step)
    elif takes_float(content, str(path)):
        raise InputError(
            f"{path} takes float pictures and does not tell how pixels become them: give"
            " --normalization, or --data to try"
        )
    flatbuffer = adopted(content, chosen, str(path))
    network = Network(flatbuffer, str(path))
    if network.classes != len(labels):
        raise ModelError(
            f"{path} gives {network.classes} numbers, and {len(labels)} labels are named"
            f" ({', '.join(labels)})"
        )
    how = chosen.name if chosen else "as its quantization has it, a step a pixel's"
    on_step(
        f"{path.name} takes {width}x{height} pixels, {spec.color}, normalization {how}; its classes"
        f" are {', '.join(labels)}"
    )
    card = Card(
        name=out.stem,
        labels=labels,
        input=spec,
        licence=licence,
        version="1",
        quantization={"precision": _precision(flatbuffer, str(path)), "imported": path.name},
    )
    if data is None:
        return pack(flatbuffer, card, out), None
    bench = Bench(data, spec, labels, FER2013, coverage)
    on_step(f"reading the {len(bench.public)} public pictures")
    trial = bench.trial(flatbuffer, str(path))
    measured = {
        "temperature": trial.temperature,
        "threshold": trial.threshold,
        "coverage": coverage,
        "metrics": {"truth": FER2013, **bench.figures(trial, private=test)},
    }
    return pack(flatbuffer, Card(**{**vars(card), **measured}), out), trial


def _tried(
    content: bytes, data: Dataset, spec: InputSpec, where: str, on_step: Say
) -> Normalization:
    sample = stratified_sample(data.split("training"), TRIED_ON, 0)
    pictures = sample.prepared(spec)

    def read(step: Normalization) -> NDArray[np.float32]:
        return Network(adopted(content, step, where), where, threads=2).logits(pictures)

    return tried(read, spec.color, true_labels(FER2013, data.names, sample), on_step)


def _precision(flatbuffer: bytes, where: str) -> str:
    interpreter = open_interpreter(flatbuffer, where)
    if interpreter.get_input_details()[0]["dtype"] == np.int8:
        return "int8"
    kinds = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    return "dynamic" if np.int8 in kinds else "float16" if np.float16 in kinds else "float32"
