"""The conversion of a Keras model, from its file to gated files with cards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import Card, pack
from edge_fer.convert import PRECISIONS
from edge_fer.convert.layers import LayerError, layer_errors
from edge_fer.convert.pooling import without_average_pooling
from edge_fer.convert.representative import calibration_inputs, stratified_sample
from edge_fer.convert.tflite import check_full_integer, to_tflite, without_names
from edge_fer.errors import GateError
from edge_fer.network import Network
from edge_fer.probabilities import softmax
from edge_fer.train.dataset import Dataset
from edge_fer.train.keras_file import input_spec, labels_of, load_model, without_softmax
from edge_fer.train.metrics import Scores, fit_temperature
from edge_fer.train.networks import macs
from edge_fer.train.truths import judge, known_truths, true_labels, truth_of

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Converted:
    """A model in one precision, and what it is worth.

    Attributes:
        card: Its card; size and hash are filled in when it is written.
        flatbuffer: The TFLite model.
        public: Its figures on the public split.
        drop: Points of accuracy that it lost against float32 there.
        agreement: Share of the pictures for which it and float32 say the same.
        layers: For int8, every layer's error, the worst first.
        path: Where it lies.
    """

    card: Card
    flatbuffer: bytes
    public: Scores
    drop: float
    agreement: float
    layers: list[LayerError]
    path: Path


def convert(
    model_path: Path,
    data: Dataset,
    paths: dict[str, Path],
    *,
    max_drop: float = 0.5,
    calibration: int = 512,
    coverage: float = 0.8,
    seed: int = 0,
    licence: str = "",
    test: bool = False,
    on_step: Say = lambda _: None,
) -> list[Converted]:
    """Convert a Keras model, hold it to the gate, and write each precision as one file.

    Nothing is written unless every precision passes.

    Args:
        model_path: A ``.keras`` or ``.h5`` model.
        data: FER-2013; the training split calibrates, the public split judges, by the truth that
            the model was trained to name. With votes the card has the figures by both.
        paths: The file to write, by precision.
        max_drop: Points of public accuracy that may be lost against float32.
        calibration: Number of pictures that calibrate int8.
        coverage: Share of the public pictures that is to be certain: it sets the card's threshold.
        seed: Chooses the calibration pictures.
        licence: Licence of the weights, for the card.
        test: Also score the private split, for the card of a model to be released.
        on_step: Told what is being done.

    Returns:
        What was written, in the order of ``PRECISIONS``.

    Raises:
        ModelError: The file is no model of these classes.
        DataError: The model names what FER+'s taggers see, and the data has no votes.
        GateError: A precision lost too much, or an int8 model is not full-integer.
        StorageError: A file cannot be written.
    """
    model, facts = load_model(model_path)
    spec = input_spec(model, facts, model_path)
    labels = labels_of(model, facts, data.names, model_path)
    recipe = facts.get("recipe", {})
    truth = truth_of(recipe)
    if facts.get("data", {}).get("sha256") not in (None, data.fingerprint()):
        on_step("note: the model was trained on other data than this; figures may flatter it")
    model = without_average_pooling(without_softmax(model))
    public = data.split("public")
    pictures = public.prepared(spec)
    wanted = true_labels(truth, labels, public)
    known = wanted >= 0
    sample = stratified_sample(data.split("training"), calibration, seed)

    on_step("converting to float32")
    exact = to_tflite(model, "float32")
    exact_logits = _logits(exact, "float32", pictures)
    exact_accuracy = judge(exact_logits, labels, public, truth).scores.accuracy
    _note_chance(exact_accuracy, wanted[known], on_step)
    basis = Card(
        name="",
        labels=labels,
        input=spec,
        coverage=coverage,
        version="1",
        licence=licence,
        recipe=recipe,
        seed=int(recipe.get("seed", 0)),
        data=facts.get("data", {}),
        macs=macs(model),
    )
    results = []
    for precision in (p for p in PRECISIONS if p in paths):
        path, layers = paths[precision], []
        flatbuffer, logits = exact, exact_logits
        if precision != "float32":
            on_step(f"converting to {precision}")
            flatbuffer = to_tflite(model, precision, lambda: calibration_inputs(sample, spec))
            if precision == "int8":
                check_full_integer(flatbuffer, str(path))
                few = sample.prepared(spec)[:: max(1, len(sample) // 64)]
                layers = layer_errors(exact, flatbuffer, few, [x.name for x in model.layers])
            on_step(f"comparing {precision} with float32 on {len(public)} pictures")
            logits = _logits(flatbuffer, precision, pictures)
        temperature = fit_temperature(logits[known], wanted[known])
        threshold = _threshold(logits, temperature, coverage)
        calibrated = {"temperature": temperature, "threshold": threshold}
        scores = judge(logits, labels, public, truth, **calibrated).scores
        drop = 100 * (exact_accuracy - scores.accuracy)
        if drop > max_drop:
            raise GateError(
                f"{precision} lost {drop:.2f} points on PublicTest ({exact_accuracy:.2%} ->"
                f" {scores.accuracy:.2%}); {max_drop:g} are allowed (--max-drop). Nothing was"
                " written" + _worst(layers)
            )
        agreement = float((logits.argmax(1) == exact_logits.argmax(1)).mean())
        metrics: dict[str, Any] = {
            "truth": truth,
            "float32_public_accuracy": round(exact_accuracy, 5),
            "drop": round(drop, 3),
            "agreement": round(agreement, 5),
        }
        seen = {"public": (public, logits)}
        if test:
            private = data.split("private")
            on_step(f"scoring {precision} on the {len(private)} private pictures, once")
            seen["private"] = private, _logits(flatbuffer, precision, private.prepared(spec))
        for one in known_truths(data):
            metrics[one] = {
                split: judge(given, labels, part, one, **calibrated).to_dict()
                for split, (part, given) in seen.items()
            }
        card = replace(
            basis,
            name=path.stem,
            temperature=temperature,
            threshold=threshold,
            calibration=tuple(int(r) for r in sample.rows) if precision == "int8" else (),
            quantization=_quantization(precision, layers),
            metrics=metrics,
        )
        small = without_names(flatbuffer)
        results.append(Converted(card, small, scores, drop, agreement, layers, path))
    return [replace(r, card=pack(r.flatbuffer, r.card, r.path)) for r in results]


def _note_chance(accuracy: float, wanted: NDArray[np.int64], on_step: Say) -> None:
    chance = np.bincount(wanted).max() / len(wanted)
    if accuracy <= chance:
        on_step(
            f"note: {accuracy:.1%} in float32 is no better than always naming one class"
            f" ({chance:.1%}): was it trained too briefly, on other pixels than 0..255, or on"
            " classes in another order?"
        )


def _logits(flatbuffer: bytes, name: str, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return Network(flatbuffer, name, threads=2).logits(pictures)


def _threshold(logits: NDArray[np.float32], temperature: float, coverage: float) -> float:
    confidence = softmax(logits, temperature).max(1)
    # Rounded down, so that no reading at the threshold becomes uncertain.
    return math.floor(1e4 * float(np.quantile(confidence, 1 - coverage))) / 1e4


def _quantization(precision: str, layers: list[LayerError]) -> dict[str, Any]:
    if precision != "int8":
        return {"precision": precision}
    return {
        "precision": "int8",
        "weights": "per channel, symmetric",
        "activations": "per tensor",
        "worst_layers": {layer.name: round(layer.error, 4) for layer in layers[:5]},
    }


def _worst(layers: list[LayerError]) -> str:
    return f"; the worst layer is {layers[0].name} (error {layers[0].error:.2f})" if layers else ""
