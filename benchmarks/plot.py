"""Benchmark results as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from edge_fer.benchmarks.results import Benchmark
from edge_fer.benchmarks.soak import Sample


def comparison(benchmark: Benchmark) -> Figure:
    """Latency by threads, size, and accuracy of every model, side by side."""
    models, truth = benchmark.models, benchmark.truth
    threads = [peak.threads for peak in benchmark.peaks]
    scores = [score for model in models if (score := model.score(truth))]
    scored = len(scores) == len(models)
    figure = Figure(figsize=(12 if scored else 8.5, 0.6 * len(models) + 2.4), layout="constrained")
    axes = figure.subplots(1, 3 if scored else 2, sharey=True, squeeze=False)[0]
    places = np.arange(len(models))
    tall = 0.8 / len(threads)
    for i, count in enumerate(threads):
        cells = [cell for model in models for cell in model.cells if cell.threads == count]
        tails = [max(cell.p95_ms.value - cell.median_ms.value, 0) for cell in cells]
        axes[0].barh(
            places + (i - (len(threads) - 1) / 2) * tall,
            [cell.median_ms.value for cell in cells],
            tall,
            label=f"{count} thread" + "s" * (count > 1),
            xerr=[np.zeros(len(models)), tails],
            error_kw={"elinewidth": 1, "capsize": 2},
        )
    axes[0].set(xlabel="ms an inference: median, whisker to p95", xlim=(0, None))
    axes[0].legend()
    axes[0].set_yticks(places, [model.name for model in models])
    axes[0].invert_yaxis()
    sizes = [model.bytes / 1000 for model in models]
    axes[1].bar_label(axes[1].barh(places, sizes, 0.6, color="tab:gray"), fmt="%.0f", padding=2)
    axes[1].set(xlabel="file, kB", xlim=(0, 1.2 * max(sizes)))
    if scored:
        # Points and not bars: the axis does not start at 0.
        shares = [100 * score.accuracy.value for score in scores]
        axes[2].plot(shares, places, "o", color="tab:green")
        for share, place in zip(shares, places, strict=True):
            axes[2].annotate(f"{share:.2f}", (share, place), (6, 4), textcoords="offset points")
        axes[2].set(
            xlabel=f"accuracy, % (n = {scores[0].n})", xlim=(min(shares) - 1, max(shares) + 1)
        )
    for one in axes:
        one.grid(axis="x", alpha=0.3)
        one.set_axisbelow(True)
    return figure


def soaked(
    samples: Sequence[Sample], ages: Sequence[tuple[float, float]] = (), period: float = 1.0
) -> Figure:
    """Memory, descriptors and threads of a long run over its minutes.

    Args:
        samples: The run.
        ages: Seconds, and the age of a reading in seconds: drawn too, where there are any.
        period: Seconds that a reading takes.
    """
    minutes = [s.seconds / 60 for s in samples]
    rows = 3 if ages else 2
    figure = Figure(figsize=(9, 2.25 * rows), layout="constrained")
    memory, counts, *rest = figure.subplots(rows, 1, sharex=True)
    memory.plot(minutes, [s.memory_mib for s in samples])
    memory.set(ylabel="resident MiB", ylim=(0, None))
    counts.plot(minutes, [s.descriptors for s in samples], label="descriptors")
    counts.plot(minutes, [s.threads for s in samples], label="threads")
    counts.set(ylim=(0, None))
    counts.legend()
    for axes in rest:
        seconds, old = np.array(ages).T
        axes.plot(seconds / 60, old / period, ".", markersize=2)
        axes.set(ylabel="age of a reading,\ntimes of a reading", ylim=(0, None))
    (rest or [counts])[-1].set(xlabel="minutes")
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    return figure
