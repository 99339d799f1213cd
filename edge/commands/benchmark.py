"""``edge-fer benchmark``: speed, memory and accuracy of models, side by side."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.commands.options import FER, detector_option, json_option, votes_option
from edge_fer.commands.talk import say, write_json

if TYPE_CHECKING:
    from edge_fer.benchmarks.measure import Plan
    from edge_fer.train.dataset import Dataset


class _Size(click.ParamType):  # type: ignore[type-arg]
    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        width, by, height = str(value).lower().partition("x")
        if not by or not (width + height).isdecimal() or not (width + height).isascii():
            self.fail(f"{value!r} is not a size such as 640x480", param, ctx)
        size = int(width), int(height)
        if not all(64 <= side <= 8192 for side in size):
            self.fail(f"{value!r} does not lie between 64 and 8192 pixels a side", param, ctx)
        return size


@click.command("benchmark", short_help="Compare models: latency, FPS, memory, accuracy.")
@click.argument("models", nargs=-1)
@click.option("--data", type=click.Path(path_type=Path), help=f"Measure accuracy too. {FER}")
@votes_option
@click.option(
    "--split", type=click.Choice(["public", "private"]), default="public", show_default=True
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    help="Measure with 1, 2, 4 … up to this many. Default: the processor's cores.",
)
@click.option(
    "--rounds",
    type=click.IntRange(2),
    help="Fresh processes for each model and number of threads. Default: 10.",
)
@click.option(
    "--runs",
    type=click.IntRange(10),
    help="Times to take of everything in each round. Default: 50.",
)
@click.option(
    "--size",
    "sizes",
    type=_Size(),
    multiple=True,
    help="Frame size; may be given several times. Default: 640x480, 1280x720 and 1920x1080.",
)
@click.option(
    "--faces",
    type=click.IntRange(1, 12),
    multiple=True,
    help="Faces in a frame; may be given several times. Default: 1, 2, 5 and 10.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random order.")
@click.option("--quick", is_flag=True, help="Less of everything: all in less than a minute.")
@click.option(
    "--ops", "operators", is_flag=True, help="Also where the time goes, operator by operator."
)
@json_option
@click.option("--report", type=click.Path(path_type=Path), help="Also as one page (.html).")
@click.option("--plot", type=click.Path(path_type=Path), help="Also as a picture (PNG).")
@click.option(
    "--compare",
    "old",
    type=click.Path(path_type=Path),
    help="Tell what changed since this --json was written, beyond the noise.",
)
@click.option(
    "--max-regression",
    type=click.FloatRange(0),
    default=5,
    show_default=True,
    metavar="PERCENT",
    help="With --compare: exit with 1 where something got worse by more than this.",
)
@click.option(
    "--target-fps",
    type=click.FloatRange(min=0, min_open=True),
    help="Name the best model and settings that hold this frame rate here.",
)
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
    votes: Path | None,
    split: str,
    threads: int | None,
    rounds: int | None,
    runs: int | None,
    sizes: tuple[tuple[int, int], ...],
    faces: tuple[int, ...],
    seed: int,
    quick: bool,
    operators: bool,
    json_to: str | None,
    report: Path | None,
    plot: Path | None,
    old: Path | None,
    max_regression: float,
    target_fps: float | None,
    crop: bool,
    side: int,
    tilt: float,
    videos: tuple[Path, ...],
    crowd: bool,
    noise: float,
    soak: float | None,
    period: float | None,
    detector: str,
) -> int:
    """Measure MODELS: names of shipped models, .tflite files, or folders of them.

    Without any, all shipped models. Every model runs in many short, fresh processes, all of them in
    random order. The detector is BlazeFace on LiteRT, unless --detector says mediapipe.
    """
    from edge_fer.benchmarks.machine import describe_machine
    from edge_fer.commands.benchmark_crop import crop_rows
    from edge_fer.commands.benchmark_live import check_live, soak_run
    from edge_fer.packages import require
    from edge_fer.train.readers import load

    files = _files(models)
    other = crop or videos or crowd or soak is not None
    if other and (report or old or target_fps or operators):
        raise click.UsageError(
            "--report, --compare, --target-fps, --ops are not for --crop, --live, --crowd, --soak"
        )
    if plot:
        require("--plot", "matplotlib")
    if crop and (data is None or plot):
        raise click.UsageError("--crop needs --data, the faces to paste, and draws no plot")
    if crowd and data is None:
        raise click.UsageError("--crowd needs --data, whose faces it shows")
    if (videos or crowd) and plot and soak is None:
        raise click.UsageError("--live and --crowd draw no plot")
    dataset = load(data, votes=votes) if data else None
    if soak is not None:
        rows = soak_run(files[0], videos, soak, period, detector, plot)
    elif videos or crowd:
        actors = dataset.split(split) if dataset and crowd else None
        rows = check_live(files, videos, actors, noise, detector)
    elif crop and dataset:
        rows = crop_rows(files, dataset, split, side, tilt, detector)
    else:
        plan = _plan(quick, threads, rounds, runs, sizes, faces, seed, detector)
        outputs = (json_to, report, plot)
        return _compare(
            files, plan, dataset, split, operators, target_fps, outputs, old, max_regression
        )
    if json_to:
        write_json({"machine": describe_machine(), "split": split, "results": rows}, json_to)
    return 0


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


def _plan(
    quick: bool,
    threads: int | None,
    rounds: int | None,
    runs: int | None,
    sizes: tuple[tuple[int, int], ...],
    faces: tuple[int, ...],
    seed: int,
    detector: str,
) -> Plan:
    from edge_fer.benchmarks.measure import QUICK, Plan

    most = threads or len(os.sched_getaffinity(0))
    counts = (*(n for n in (1, 2, 4, 8, 16, 32, 64) if n < most), most)
    plan = replace(
        QUICK if quick else Plan(),
        threads=tuple(dict.fromkeys((1, most))) if quick else counts,
        seed=seed,
        detector="blazeface" if detector == "auto" else detector,
    )
    return replace(
        plan,
        rounds=rounds or plan.rounds,
        runs=runs or plan.runs,
        sizes=sizes or plan.sizes,
        faces=faces or plan.faces,
    )


def _compare(
    files: list[Path],
    plan: Plan,
    data: Dataset | None,
    split: str,
    operators: bool,
    target_fps: float | None,
    outputs: tuple[str | None, Path | None, Path | None],
    old: Path | None,
    max_regression: float,
) -> int:
    from edge_fer.benchmarks.report import page
    from edge_fer.benchmarks.results import read_benchmark
    from edge_fer.commands.benchmark_models import measure_models, show_benchmark, show_changes
    from edge_fer.files import check_page, write_whole

    json_to, report, plot = outputs
    if report:
        check_page(report)
    before = read_benchmark(old) if old else None
    stems = [file.stem for file in files]
    names = {f.stem if stems.count(f.stem) == 1 else str(f): f for f in files}
    benchmark = measure_models(names, plan, data, split, operators, target_fps)
    show_benchmark(benchmark)
    if json_to:
        write_json(benchmark.to_dict(), json_to)
    if report:
        with write_whole(report) as part:
            part.write_text(page(benchmark), "utf-8")
        say(f"{report} is the page")
    if plot:
        from edge_fer.benchmarks.plot import comparison
        from edge_fer.figures import save_figure

        save_figure(comparison(benchmark), plot)
        say(f"{plot} is the plot")
    return int(before is not None and show_changes(before, benchmark, max_regression))
