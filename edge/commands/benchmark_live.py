"""``edge-fer benchmark --live`` and ``--soak``: the live pipeline on a video."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.commands.talk import progress_bar, say, show

if TYPE_CHECKING:
    from edge_fer.frame import Frame
    from edge_fer.train.dataset import Dataset


def check_live(
    files: list[Path],
    videos: tuple[Path, ...],
    actors: Dataset | None,
    noise: float,
    detector: str,
) -> list[dict[str, Any]]:
    """Run the live pipeline of every model over every video, in both ways.

    Args:
        files: The models.
        videos: The videos.
        actors: Pictures to make a crowd of, which is one more video.
        noise: Grey levels of noise to add.
        detector: Its name.
    """
    from rich.table import Table

    from edge_fer.benchmarks.live import measure_live, noisy
    from edge_fer.classifier import Classifier
    from edge_fer.detector import open_detector
    from edge_fer.sources.video import Video

    table = Table(caption="one thread, no decoding; own: our code on top of networks and warps")
    for name in (
        "model",
        "video",
        "detect every",
        "FPS",
        "median ms",
        "detections",
        "found %",
        "extra %",
        "switches/s",
        "unsmoothed",
        "ids",
        "own %",
    ):
        table.add_column(name, justify="left" if name in ("model", "video") else "right")
    scenes: dict[str, list[Frame]] = {}
    for video in videos:
        with Video(video) as source:
            scenes[video.name] = list(noisy(source, noise))
    if actors is not None:
        from edge_fer.benchmarks.crowd import crowd

        scenes["crowd"] = list(noisy(crowd(actors.pixels), noise))
    rows: list[dict[str, Any]] = []
    with open_detector(detector) as finder:
        ways: tuple[int | str, ...] = (1, "auto")
        for file, (name, frames), every in itertools.product(files, scenes.items(), ways):
            say(f"running {file.name} over {name}, detecting every {every}")
            live = measure_live(name, frames, Classifier(file), finder, every)
            rows.append({"model": file.name, "noise": noise, **asdict(live)})
            table.add_row(
                file.name,
                live.video,
                str(every),
                f"{live.fps:.0f}",
                f"{live.median_ms:.2f}",
                f"{live.detections} of {live.frames}",
                f"{100 * live.found:.1f}",
                f"{100 * live.extra:.1f}",
                f"{live.switches:.2f}",
                f"{live.raw_switches:.2f}",
                str(live.identities),
                f"{100 * live.own:.0f}",
            )
    show(table)
    return rows


def soak_run(
    model: Path,
    videos: tuple[Path, ...],
    minutes: float,
    period_ms: float | None,
    detector: str,
    plot: Path | None,
) -> list[dict[str, Any]]:
    """Loop a video for minutes, and tell how memory, descriptors, threads and ages grew."""
    from edge_fer.benchmarks.slowed import aged, read_ages, slowed_command
    from edge_fer.benchmarks.soak import Sample, growth, run_command, soak

    if len(videos) != 1:
        raise click.UsageError("--soak needs one --live VIDEO to loop")
    period, ages = (period_ms or 0) / 1000, []
    with tempfile.TemporaryDirectory() as folder, progress_bar() as bar:
        log = Path(folder) / "ages"
        if period:
            command = slowed_command(videos[0], model, detector, period, log)
        else:
            options = ["--loop", "--model", str(model), "--detector", detector, "--no-show"]
            command = run_command([str(videos[0]), *options, "--jsonl", "/dev/null"])
        task = bar.add_task("soaking", total=60 * minutes)

        def tell(sample: Sample) -> None:
            text = f"{sample.memory_mib:.0f} MiB, {sample.descriptors} descriptors"
            bar.update(task, completed=sample.seconds, description=text)

        samples = soak(command, 60 * minutes, 1.0, tell)
        if period:
            ages = read_ages(log)
    grown = growth(samples)
    say(
        f"after {minutes:g} minutes: {samples[-1].memory_mib:.1f} MiB, growing by"
        f" {grown.memory_mib:+.1f} MiB an hour; descriptors {grown.descriptors:+d}, threads"
        f" {grown.threads:+d}"
    )
    row = {**asdict(grown), "samples": [asdict(s) for s in samples]}
    if ages:
        age = aged(ages, period)
        row |= {"period_ms": period_ms, "age": asdict(age)}
        say(
            f"{age.readings} readings of {period_ms:g} ms each; when out, the frame of the median"
            f" was {age.median:.2f} such times old, 99 of 100 were under {age.p99:.2f}, the oldest"
            f" {age.oldest:.2f}"
        )
    if plot:
        from edge_fer.benchmarks.plot import soaked
        from edge_fer.figures import save_figure

        save_figure(soaked(samples, ages, period), plot)
        say(f"{plot} is the plot")
    return [row]
