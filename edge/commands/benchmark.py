"""``edge-fer benchmark``: speed, memory and accuracy of models, side by side."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.commands.options import detector_option, json_option
from edge_fer.commands.talk import progress_bar, say, show, write_json

if TYPE_CHECKING:
    from edge_fer.train.dataset import Dataset


@click.command("benchmark", short_help="Compare models: latency, FPS, memory, accuracy.")
@click.argument("models", nargs=-1)
@click.option("--data", type=click.Path(path_type=Path), help="FER-2013, to measure accuracy too.")
@click.option(
    "--split", type=click.Choice(["public", "private"]), default="public", show_default=True
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=None,
    help="Measure with 1, 2, 4 … up to this many. Default: the processor's cores.",
)
@click.option(
    "--runs", type=click.IntRange(10), default=300, show_default=True, help="Inferences to time."
)
@json_option
@click.option("--plot", type=click.Path(path_type=Path), help="Also as a picture (PNG).")
@click.option(
    "--crop",
    is_flag=True,
    help="Instead, check the crop: paste faces into frames and read them end to end.",
)
@click.option(
    "--side",
    type=click.IntRange(48, 480),
    default=200,
    show_default=True,
    help="With --crop: pixels of a pasted face picture.",
)
@click.option(
    "--tilt",
    type=click.FloatRange(-180, 180),
    default=0,
    show_default=True,
    help="With --crop: degrees by which the heads are tilted, left and right in turns.",
)
@click.option(
    "--live",
    "videos",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead, run the live pipeline over this video; may be given several times.",
)
@click.option(
    "--crowd",
    is_flag=True,
    help="Instead, over a made scene: faces of --data come, go, cross and rush through.",
)
@click.option(
    "--noise",
    type=click.FloatRange(0, 100),
    default=0,
    show_default=True,
    help="With --live, --crowd: grey levels of noise added, which makes readings flicker.",
)
@click.option(
    "--soak",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Instead, loop the --live video for so long and watch memory and descriptors.",
)
@click.option(
    "--period",
    type=click.FloatRange(1, 10_000),
    metavar="MS",
    help="With --soak: pretend a slow board, where a reading takes so long; tells their age.",
)
@detector_option
def command(
    models: tuple[str, ...],
    data: Path | None,
    split: str,
    threads: int | None,
    runs: int,
    json_to: str | None,
    plot: Path | None,
    crop: bool,
    side: int,
    tilt: float,
    videos: tuple[Path, ...],
    crowd: bool,
    noise: float,
    soak: float | None,
    period: float | None,
    detector: str,
) -> None:
    """Measure MODELS: names of shipped models, .tflite files, or folders of them.

    Without any, all shipped models. Every figure comes from a fresh process of its own.
    """
    from edge_fer.benchmarks.machine import describe_machine
    from edge_fer.commands.benchmark_live import check_live, soak_run
    from edge_fer.packages import require
    from edge_fer.train.readers import load

    files = _files(models)
    if plot:
        require("--plot", "matplotlib")
    if crop and (data is None or plot):
        raise click.UsageError("--crop needs --data, the faces to paste, and draws no plot")
    if crowd and data is None:
        raise click.UsageError("--crowd needs --data, whose faces it shows")
    dataset = load(data) if data else None
    if soak is not None:
        rows = soak_run(files[0], videos, soak, period, detector, plot)
    elif videos or crowd:
        faces = dataset.split(split) if dataset and crowd else None
        rows = check_live(files, videos, faces, noise, detector)
    elif crop and dataset:
        rows = _check_crop(files, dataset, split, side, tilt, detector)
    else:
        rows = _compare(files, dataset, split, threads, runs)
    if json_to:
        write_json({"machine": describe_machine(), "split": split, "results": rows}, json_to)
    if plot and soak is None:
        from edge_fer.benchmarks.plot import comparison
        from edge_fer.figures import save_figure

        save_figure(comparison(rows), plot)
        say(f"{plot} is the plot")


def _files(models: tuple[str, ...]) -> list[Path]:
    from edge_fer.errors import ModelError
    from edge_fer.models import find_model, model_names

    files: list[Path] = []
    for model in models or model_names():
        if model not in model_names() and Path(model).is_dir():
            inside = sorted(Path(model).glob("*.tflite"))
            if not inside:
                raise ModelError(f"{model} holds no .tflite files; make some with edge-fer convert")
            files += inside
        else:
            files.append(find_model(model))
    return list(dict.fromkeys(files))


def _compare(
    files: list[Path], data: Dataset | None, split: str, threads: int | None, runs: int
) -> list[dict[str, Any]]:
    import os

    from edge_fer.benchmarks.accuracy import evaluate
    from edge_fer.benchmarks.speed import measure
    from edge_fer.card import unpack
    from edge_fer.train.truths import FER2013

    most = threads or len(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < most] + [most]
    # A broken model is found before the long work.
    cards = {file: unpack(file)[1] for file in files}
    plain = [file.name for file in files]
    names = {f: f.name if plain.count(f.name) == 1 else str(f) for f in files}
    rows: list[dict[str, Any]] = []
    with progress_bar() as bar:
        task = bar.add_task("", total=len(files) * len(counts))
        for file in files:
            for count in counts:
                bar.update(task, description=f"{file.name}, {count} threads")
                rows.append({"model": names[file], **asdict(measure(file, count, runs))})
                bar.advance(task)
    scores = {}
    if data:
        for file in files:
            say(f"scoring {file.name} on {split}")
            scores[file] = evaluate(file, data, split)[FER2013].scores
    for row, file in zip(rows, [f for f in files for _ in counts], strict=True):
        card = cards[file]
        row |= {
            "precision": card.quantization.get("precision"),
            "bytes": file.stat().st_size,
            "macs": card.macs,
            "sha256": card.sha256,
        }
        if file in scores:
            scored = scores[file]
            row |= {"n": scored.n, "accuracy": scored.accuracy, "macro_f1": scored.macro_f1}
    _show_rows(rows, split)
    return rows


def _show_rows(rows: list[dict[str, Any]], split: str) -> None:
    from rich.table import Table

    table = Table(
        caption="FPS: the pipeline with BlazeFace on LiteRT, one face in 640x480, no decoding"
    )
    for name in (
        "model",
        "precision",
        "kB",
        "MMAC",
        f"{split} %",
        "threads",
        "median ms",
        "p95 ms",
        "FPS",
        "start ms",
        "MiB",
    ):
        table.add_column(name, justify="left" if name in ("model", "precision") else "right")
    for row in rows:
        table.add_row(
            row["model"],
            row["precision"],
            f"{row['bytes'] / 1000:.0f}",
            f"{row['macs'] / 1e6:.1f}",
            f"{100 * row['accuracy']:.2f}" if "accuracy" in row else "",
            str(row["threads"]),
            f"{row['median_ms']:.3f}",
            f"{row['p95_ms']:.3f}",
            f"{row['fps']:.0f}",
            f"{row['start_ms']:.0f}",
            f"{row['memory_mib']:.0f}",
        )
    show(table)


def _check_crop(
    files: list[Path], data: Dataset, split: str, side: int, tilt: float, detector: str
) -> list[dict[str, Any]]:
    from rich.table import Table

    from edge_fer.benchmarks.crop_check import check_crop
    from edge_fer.classifier import Classifier
    from edge_fer.detector import open_detector

    part = data.split(split)
    rows = []
    table = Table(title=f"{split}, n = {len(part)}, pasted at {side} px into 640x480")
    for name in (
        "model",
        "found %",
        "direct %",
        "direct, found %",
        "end to end, found %",
        "scale",
        "shift",
        "roll",
    ):
        table.add_column(name, justify="left" if name == "model" else "right")
    for file in files:
        with open_detector(detector) as finder:
            result = check_crop(Classifier(file), finder, part, side, tilt)
        rows.append({"model": file.name, **asdict(result)})
        table.add_row(
            file.name,
            *(
                f"{100 * v:.2f}"
                for v in (result.found, result.direct_all, result.direct, result.end_to_end)
            ),
            f"{result.scale:.3f} ± {result.scale_spread:.3f}",
            f"{result.shift:.3f} ± {result.shift_spread[1]:.3f}",
            f"± {result.roll_spread:.1f}°",
        )
    show(table)
    return rows
