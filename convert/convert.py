"""The conversion of a Keras model, from its file to gated files with cards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edge_fer.card import Card, pack
from edge_fer.convert import PRECISIONS
from edge_fer.convert.equalize import equalized
from edge_fer.convert.layers import LayerError, layer_errors
from edge_fer.convert.representative import calibration_inputs, stratified_sample
from edge_fer.convert.source import Given, Source, load_source
from edge_fer.convert.tflite import check_full_integer, to_tflite, without_names
from edge_fer.convert.trial import Bench, Trial
from edge_fer.errors import GateError
from edge_fer.train.dataset import Dataset
from edge_fer.train.metrics import Scores
from edge_fer.train.networks import macs
from edge_fer.train.truths import truth_of

Say = Callable[[str], None]

_MANY = 1000  # pictures, of which one decides little


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
    given: Given | None = None,
    max_drop: float = 0.5,
    calibration: int = 512,
    coverage: float = 0.8,
    seed: int = 0,
    licence: str = "",
    equalize: bool = False,
    test: bool = False,
    on_step: Say = lambda _: None,
) -> list[Converted]:
    """Convert a Keras model, hold it to the gate, and write each precision as one file.

    Nothing is written unless every precision passes.

    Args:
        model_path: A Keras model, as ``load_model`` takes it.
        data: FER-2013; the training split calibrates, the public split judges, by the truth that
            the model was trained to name. With votes the card has the figures by both.
        paths: The file to write, by precision.
        given: What is told of a model that does not tell it by itself.
        max_drop: Points of public accuracy that may be lost against float32.
        calibration: Number of pictures that calibrate int8.
        coverage: Share of the public pictures that is to be certain: it sets the card's threshold.
        seed: Chooses the calibration pictures.
        licence: Licence of the weights, for the card.
        equalize: Bring the channels of each layer level before int8; where int8 does not pass
            without, it is tried anyway.
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
    source = load_source(model_path, data, given or Given(), on_step)
    truth = truth_of(source.facts.get("recipe", {}))
    if source.facts.get("data", {}).get("sha256") not in (None, data.fingerprint()):
        on_step("note: the model was trained on other data than this; figures may flatter it")
    data = source.data
    sample = stratified_sample(data.split("training"), calibration, seed)
    bench = Bench(data, source.spec, source.labels, truth, coverage)

    on_step("converting to float32")
    exact = bench.trial(to_tflite(source.model, "float32"), "float32")
    _note_chance(exact.accuracy, bench.chance, on_step)

    passed: dict[str, Trial] = {}
    for precision in (p for p in PRECISIONS if p in paths):
        make = partial(_tried, source, precision, sample, bench, exact, on_step=on_step)
        passed[precision] = _good_enough(make, precision, exact, max_drop, equalize, on_step)

    basis = _basis(source, coverage, licence)
    results = []
    for precision, trial in passed.items():
        if test:
            on_step(f"scoring {precision} on the private pictures, once")
        drop, agreement = _drop(trial, exact), _agreement(trial, exact)
        card = replace(
            basis,
            name=paths[precision].stem,
            temperature=trial.temperature,
            threshold=trial.threshold,
            calibration=tuple(map(int, sample.rows)) if precision == "int8" else (),
            quantization=_quantization(precision, trial),
            metrics={
                "truth": truth,
                "float32_public_accuracy": round(exact.accuracy, 5),
                "drop": round(drop, 3),
                "agreement": round(agreement, 5),
                **bench.figures(trial, private=test),
            },
        )
        small = without_names(trial.flatbuffer)
        public = trial.judged.scores
        results.append(
            Converted(card, small, public, drop, agreement, trial.layers, paths[precision])
        )
    return [replace(r, card=pack(r.flatbuffer, r.card, r.path)) for r in results]


def _tried(
    source: Source,
    precision: str,
    sample: Dataset,
    bench: Bench,
    exact: Trial,
    equalize: bool,
    on_step: Say,
) -> Trial:
    if precision == "float32":
        return exact
    on_step(f"converting to {precision}" + (", channels brought level" if equalize else ""))
    pictures = sample.prepared(source.spec)
    model, flatbuffer32 = source.model, exact.flatbuffer
    if equalize:
        model = equalized(source.model, pictures)
        flatbuffer32 = to_tflite(model, "float32")
    flatbuffer = to_tflite(model, precision, lambda: calibration_inputs(sample, source.spec))
    layers = []
    if precision == "int8":
        check_full_integer(flatbuffer, precision)
        few = pictures[:: max(1, len(sample) // 64)]
        layers = layer_errors(flatbuffer32, flatbuffer, few, [x.name for x in model.layers])
    on_step(f"comparing {precision} with float32 on {len(bench.public)} pictures")
    return bench.trial(flatbuffer, precision, layers, equalize)


def _good_enough(
    make: Callable[..., Trial],
    precision: str,
    exact: Trial,
    max_drop: float,
    equalize: bool,
    on_step: Say,
) -> Trial:
    """The network in a precision, if it passes the gate; int8 has a second chance."""
    trial = make(equalize=equalize and precision == "int8")
    if precision == "int8" and not equalize and _drop(trial, exact) > max_drop:
        on_step(f"int8 lost {_drop(trial, exact):.2f} points: once more, with --equalize")
        trial = min(trial, make(equalize=True), key=lambda t: _drop(t, exact))
    if _drop(trial, exact) > max_drop:
        raise GateError(
            f"{precision} lost {_drop(trial, exact):.2f} points on PublicTest"
            f" ({exact.accuracy:.2%} -> {trial.accuracy:.2%}); {max_drop:g} are allowed"
            " (--max-drop). Nothing was written" + _worst(trial)
        )
    return trial


def _basis(source: Source, coverage: float, licence: str) -> Card:
    """What the cards of all precisions have in common."""
    recipe = source.facts.get("recipe", {})
    return Card(
        name="",
        labels=source.labels,
        input=source.spec,
        coverage=coverage,
        version="1",
        licence=licence,
        recipe=recipe,
        seed=int(recipe.get("seed", 0)),
        data=source.facts.get("data", {}),
        macs=macs(source.model),
    )


def _drop(trial: Trial, exact: Trial) -> float:
    return 100 * (exact.accuracy - trial.accuracy)


def _agreement(trial: Trial, exact: Trial) -> float:
    return float((trial.logits.argmax(1) == exact.logits.argmax(1)).mean())


def _note_chance(accuracy: float, chance: float, on_step: Say) -> None:
    if accuracy <= chance:
        on_step(
            f"note: {accuracy:.1%} in float32 is no better than always naming one class"
            f" ({chance:.1%}): was it trained too briefly, on other pixels than 0..255"
            " (--normalization), or on classes in another order (--labels)?"
        )


def _quantization(precision: str, trial: Trial) -> dict[str, Any]:
    if precision != "int8":
        return {"precision": precision}
    return {
        "precision": "int8",
        "weights": "per channel, symmetric",
        "activations": "per tensor",
        **({"equalized": True} if trial.equalized else {}),
        "worst_layers": {layer.name: round(layer.error, 4) for layer in trial.layers[:5]},
    }


def _worst(trial: Trial) -> str:
    text = ""
    if trial.layers:
        text = f"; the worst layer is {trial.layers[0].name} (error {trial.layers[0].error:.2f})"
    n = trial.judged.scores.n
    return text + (f"; of {n} pictures, one is {100 / n:.2f} points" if n < _MANY else "")
