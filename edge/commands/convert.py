"""``edge-fer convert``: from a Keras model to gated TFLite files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.commands.options import (
    data_option,
    labels_option,
    normalization_option,
    votes_option,
)
from edge_fer.commands.talk import say, show
from edge_fer.convert import PRECISIONS

if TYPE_CHECKING:
    from edge_fer.convert.convert import Converted


@click.command("convert", short_help="Convert a Keras model to TFLite, int8 first of all.")
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--architecture",
    type=click.Path(path_type=Path),
    help="A network's description, model.json, instead of MODEL; with --weights.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="Its weights, .h5.")
@data_option
@votes_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A .tflite file or a folder. Default: beside the model.",
)
@click.option(
    "--precision", type=click.Choice([*PRECISIONS, "all"]), default="int8", show_default=True
)
@click.option(
    "--max-drop",
    type=float,
    default=0.5,
    show_default=True,
    help="Points of accuracy that may be lost against float32; below 0 demands a gain.",
)
@click.option(
    "--calibration",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="Number of training pictures that calibrate int8.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    help="Share of readings that is to be certain.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Chooses the calibration pictures.",
)
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@labels_option
@click.option("--input-size", metavar="WxH", help="For a network that takes any size.")
@click.option("--color", type=click.Choice(["gray", "rgb", "bgr"]), help="Of what it takes.")
@normalization_option
@click.option(
    "--equalize",
    is_flag=True,
    help="Bring the channels of each layer level before int8; also tried where int8 fails without.",
)
@click.option("--unsafe", is_flag=True, help="Run the code that the file carries (Lambda layers).")
@click.option("--test", is_flag=True, help="Also score PrivateTest, for a model to be released.")
def command(
    model: Path | None,
    architecture: Path | None,
    weights: Path | None,
    data: Path,
    votes: Path | None,
    out: Path | None,
    precision: str,
    max_drop: float,
    calibration: int,
    coverage: float,
    seed: int,
    licence: str,
    labels: tuple[str, ...],
    input_size: str | None,
    color: str | None,
    normalization: str | None,
    equalize: bool,
    unsafe: bool,
    test: bool,
) -> None:
    """Convert MODEL, compare it with float32, and refuse what lost too much.

    MODEL is a .keras, .h5 or .hdf5 file or a SavedModel folder, of Keras 3 or 2. What a model that
    edge-fer train did not make needs is found out and said, or told with --labels, --color and
    --normalization.

    Each file carries its card and labels inside. With --precision all, --out is a folder.
    """
    from edge_fer.packages import require

    require("conversion", "tensorflow", "keras")
    from edge_fer.errors import InputError, ModelError

    if math.isnan(max_drop) or math.isnan(coverage):
        raise InputError("--max-drop and --coverage need numbers")
    if (model is None) == (architecture is None) or (architecture is None) != (weights is None):
        raise InputError("give a MODEL, or --architecture model.json with --weights model.h5")
    model = model or architecture
    assert model is not None
    if not model.exists():
        raise ModelError(f"{model}: no such file; give a .keras model made by edge-fer train")
    wanted = PRECISIONS if precision == "all" else (precision,)
    out = out or model.parent
    if out.suffix != ".tflite" and (out.is_file() or (out.suffix and not out.is_dir())):
        raise InputError(f"--out {out}: name a .tflite file or a folder")
    if out.suffix != ".tflite":
        name = model.parent.resolve().name if model.stem == "model" else model.stem
        paths = {p: out / (f"{name}-{p}.tflite") for p in wanted}
    elif len(wanted) == 1:
        paths = {precision: out}
    else:
        raise InputError(f"--out {out}: --precision all writes several files; name a folder")

    from edge_fer.convert.convert import convert
    from edge_fer.convert.source import Given
    from edge_fer.labels import own_classes
    from edge_fer.train.readers import load

    given = Given(weights, labels, _size(input_size), color or "", normalization or "", unsafe)
    results = convert(
        model,
        load(data, votes=votes, names=own_classes(labels)),
        paths,
        given=given,
        max_drop=max_drop,
        calibration=calibration,
        coverage=coverage,
        seed=seed,
        licence=licence,
        equalize=equalize,
        test=test,
        on_step=say,
    )
    _report(results)


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width of ``48x48`` or ``48``, where the width comes first."""
    from edge_fer.errors import InputError

    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not width.isdecimal() or not (height or width).isdecimal():
        raise InputError(f"--input-size {text}: give columns and rows, as 48x48")
    return int(height or width), int(width)


def _report(results: list[Converted]) -> None:
    from rich.table import Table

    table = Table(title=f"PublicTest, n = {results[0].public.n}")
    for name in ("precision", "kB", "accuracy %", "drop, points", "agreement %", "file"):
        table.add_column(name, justify="left" if name in ("precision", "file") else "right")
    for r in results:
        table.add_row(
            str(r.card.quantization["precision"]),
            f"{r.path.stat().st_size / 1000:.0f}",
            f"{100 * r.public.accuracy:.2f}",
            f"{r.drop:.2f}",
            f"{100 * r.agreement:.2f}",
            str(r.path),
        )
    show(table)
    for r in results:
        if r.layers:
            worst = Table(title="int8 error of the worst layers, against float32")
            worst.add_column("error / deviation", justify="right")
            worst.add_column("step", justify="right")
            worst.add_column("layer")
            for layer in r.layers[:5]:
                worst.add_row(f"{layer.error:.3f}", f"{layer.scale:.4g}", layer.name)
            show(worst)
