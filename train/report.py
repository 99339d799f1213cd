"""What a training run leaves to look at: curves, confusion matrix, figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edge_fer.figures import save_figure
from edge_fer.files import write_whole
from edge_fer.train.metrics import Scores

CURVES, CONFUSION, METRICS = "curves.png", "confusion.png", "metrics.json"


def write_report(out: Path, scores: Scores, facts: dict[str, Any], history: Path) -> None:
    """Write ``metrics.json``, ``curves.png`` and ``confusion.png`` into a folder.

    Args:
        out: The folder.
        scores: The figures on the public split.
        facts: What else ``metrics.json`` is to hold.
        history: The run's ``history.csv``.

    Raises:
        StorageError: A file cannot be written.
    """
    with write_whole(out / METRICS) as part:
        part.write_text(json.dumps({**facts, "public": scores.to_dict()}, indent=1) + "\n")
    save_figure(curves(history), out / CURVES)
    save_figure(confusion(scores), out / CONFUSION)


def curves(history: Path) -> Figure:
    """Loss and accuracy over the epochs, training beside validation."""
    with history.open(newline="") as f:
        rows = list(csv.DictReader(f))
    column = {key: [float(row[key]) for row in rows] for key in rows[0]}
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, name in ((left, "loss"), (right, "accuracy")):
        axes.plot(column["epoch"], column[name], label="training: augmented, weighted, smoothed")
        axes.plot(column["epoch"], column[f"val_{name}"], label="validation")
        axes.set(xlabel="epoch", title=name.capitalize())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def confusion(scores: Scores) -> Figure:
    """The confusion matrix: of the faces of a class (row), the share called each class."""
    shares = scores.confusion / np.maximum(scores.confusion.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(scores.names))
    axes.set_xticks(places, scores.names, rotation=45, ha="right")
    axes.set_yticks(places, scores.names)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"accuracy {scores.accuracy:.1%}, macro-F1 {scores.macro_f1:.3f}, n = {scores.n}",
    )
    for row in places:
        for col in places:
            color = "white" if shares[row, col] > 0.5 else "black"
            axes.text(
                col, row, f"{100 * shares[row, col]:.0f}", ha="center", va="center", color=color
            )
    figure.colorbar(image, ax=axes, label="share of the true class")
    return figure
