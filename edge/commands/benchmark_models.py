"""``edge-fer benchmark``: models side by side, as tables and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.commands.talk import progress_bar, say, show

if TYPE_CHECKING:
    from edge_fer.benchmarks.measure import Plan
    from edge_fer.benchmarks.results import Benchmark
    from edge_fer.train.dataset import Dataset


def measure_models(
    files: Mapping[str, Path],
    plan: Plan,
    data: Dataset | None,
    split: str,
    operators: bool,
    target_fps: float | None,
) -> Benchmark:
    """Measure every model, and score it on data or take its card's word."""
    from edge_fer.benchmarks.accuracy import card_scores, with_scores
    from edge_fer.benchmarks.measure import measure
    from edge_fer.benchmarks.operators import time_operators
    from edge_fer.benchmarks.target import choose
    from edge_fer.card import unpack

    opened = {name: unpack(file) for name, file in files.items()}
    with progress_bar() as bar:
        task = bar.add_task("", total=1.0)
        benchmark = measure(
            files, plan, lambda what, share: bar.update(task, description=what, completed=share)
        )
    models = benchmark.models
    if data:
        say(f"scoring on {split}")
        models = with_scores(models, files, data, split)
    else:
        models = tuple(replace(m, scores=card_scores(opened[m.name][1])) for m in models)
    if operators:
        say("timing every operator")
        models = tuple(replace(m, operators=time_operators(opened[m.name][0])) for m in models)
    benchmark = replace(benchmark, models=models)
    if target_fps:
        cards = {name: card for name, (_, card) in opened.items()}
        benchmark = replace(benchmark, target=choose(benchmark, cards, target_fps))
    return benchmark


def show_benchmark(benchmark: Benchmark) -> None:
    """The tables, and what to think of them."""
    from edge_fer.benchmarks.report import target_words, warnings

    _show_classifiers(benchmark)
    _show_scores(benchmark)
    _show_pipelines(benchmark)
    _show_operators(benchmark)
    for words in warnings(benchmark):
        say(f"note: {words}")
    if benchmark.target:
        say(target_words(benchmark))


def _show_classifiers(benchmark: Benchmark) -> None:
    from rich.table import Table

    from edge_fer.train.truths import WORDS

    table = Table(
        caption=f"accuracy by {WORDS[benchmark.truth]}; ± ends of 95 % intervals;"
        " % of peak: of a large int8 matrix product"
    )
    titles = ("model", "precision", "kB", "MMAC", "accuracy %", "threads", "median ms", "p95 ms")
    for name in (*titles, "p99 ms", "GMAC/s", "% of peak", "start ms", "MiB"):
        table.add_column(name, justify="left" if name in ("model", "precision") else "right")
    for model in benchmark.models:
        score = model.score(benchmark.truth)
        for cell in model.cells:
            table.add_row(
                model.name,
                model.precision,
                f"{model.bytes / 1000:.0f}",
                f"{model.macs / 1e6:.1f}",
                f"{100 * score.accuracy.value:.2f}" if score else "",
                str(cell.threads),
                cell.median_ms.text(),
                f"{cell.p95_ms.value:.3f}",
                f"{cell.p99_ms.value:.3f}",
                f"{cell.gmacs.value:.1f}",
                f"{100 * cell.of_peak.value:.0f}",
                f"{cell.start_ms.value:.0f}",
                f"{cell.memory_mib.value:.0f}",
            )
    show(table)


def _show_scores(benchmark: Benchmark) -> None:
    from rich.table import Table

    from edge_fer.train.truths import WORDS

    if not any(score.measured for model in benchmark.models for score in model.scores):
        return
    table = Table(caption="agrees: names the same as the float32 file of the same network")
    for name in ("model", "by", "n", "accuracy %", "macro-F1", "ECE %", "agrees %"):
        table.add_column(name, justify="left" if name in ("model", "by") else "right")
    for model in benchmark.models:
        for score in model.scores:
            one = score.accuracy
            table.add_row(
                model.name,
                WORDS[score.truth],
                str(score.n),
                f"{100 * one.value:.2f} ({100 * one.low:.2f} to {100 * one.high:.2f})",
                f"{score.macro_f1:.3f}",
                f"{100 * score.ece:.1f}",
                "" if model.agreement is None else f"{100 * model.agreement:.2f}",
            )
    show(table)


def _show_pipelines(benchmark: Benchmark) -> None:
    from rich.table import Table

    table = Table(
        caption=f"frames a second: detector ({benchmark.method.detector}), tracker, crop,"
        " classifier, smoothing; no decoding"
    )
    scenes = [pipeline.scene for pipeline in benchmark.models[0].single.pipelines]
    for name in ("model", "threads", *(scene.words for scene in scenes)):
        table.add_column(name, justify="left" if name == "model" else "right")
    for model in benchmark.models:
        for cell in model.cells:
            found = (cell.pipeline(scene) for scene in scenes)
            rates = (f"{one.fps.value:.0f}" if one else "" for one in found)
            table.add_row(model.name, str(cell.threads), *rates)
    show(table)


def _show_operators(benchmark: Benchmark) -> None:
    from rich.table import Table

    for model in benchmark.models:
        if not model.operators:
            continue
        table = Table(title=f"{model.name}, one thread")
        for name in ("operator", "gives", "MMAC", "µs", "GMAC/s", "run by"):
            table.add_column(name, justify="left" if name in ("operator", "run by") else "right")
        for step in model.operators:
            table.add_row(
                step.name,
                "x".join(map(str, step.shape)),
                f"{step.macs / 1e6:.2f}",
                f"{1000 * step.ms:.1f}",
                f"{step.macs / step.ms / 1e6:.0f}" if step.macs and step.ms > 0 else "",
                "XNNPACK" if step.delegated else "LiteRT",
            )
        show(table)


def show_changes(old: Benchmark, new: Benchmark, bound: float) -> bool:
    """What changed beyond the noise; whether something got worse by more than ``bound`` percent.

    Raises:
        InputError: The two have nothing in common.
    """
    from rich.table import Table

    from edge_fer.benchmarks.compare import changes, machine_differences
    from edge_fer.errors import InputError

    found = changes(old, new)
    if not found:
        raise InputError("the benchmark to compare with has no model of these names")
    differences = machine_differences(old, new)
    if differences:
        say("DIFFERENT MACHINES: what changed may be the machine and not the model")
        for line in differences:
            say(f"  {line}")
    beyond = [change for change in found if change.beyond_noise]
    regressed = [change for change in found if change.regressed(bound)]
    say(
        f"{len(found)} figures compared with those of {old.made[:16]}: {len(beyond)} changed beyond"
        f" the noise, {len(regressed)} worse by more than {bound:g} %"
    )
    if beyond:
        table = Table()
        for name in ("model", "figure", "before", "now", "change", ""):
            table.add_column(name, justify="left" if name in ("model", "figure", "") else "right")
        for change in beyond:
            percent = change.percent
            table.add_row(
                change.model,
                change.what,
                change.old.text(),
                change.new.text(),
                f"{percent.value:+.1f} % ({percent.low:+.1f} to {percent.high:+.1f})",
                "REGRESSION" if change in regressed else "worse" if change.worse else "better",
            )
        show(table)
    return bool(regressed)
