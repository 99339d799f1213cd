"""``edge-fer models``: the models that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_fer.commands.options import json_option
from edge_fer.commands.talk import write_json, write_out

_RUNS = 100
_COLUMNS = {
    "model": "model",
    "names": "names",
    "precision": "precision",
    "kB": "bytes",
    "MMAC": "macs",
    "FER-2013 %": "fer2013",
    "FER+ %": "ferplus",
    "drop": "drop",
    "agree %": "agreement",
    "ms": "median_ms",
}


@click.command("models", short_help="List the models that come with edge-fer.")
@json_option
def command(json_to: str | None) -> None:
    """List the models that come with edge-fer.

    Accuracy on FER-2013's PrivateTest comes from their cards: by its own labels, and by what most
    of FER+'s ten taggers see; drop and agreement are against float32. Milliseconds are of one
    inference in one thread, measured now on this machine.
    """
    from rich.console import Console
    from rich.table import Table

    from edge_fer.models import DEFAULT_MODEL, find_model, model_names

    rows = [_facts(find_model(name)) for name in model_names()]
    if json_to:
        write_json({"default": DEFAULT_MODEL, "models": rows}, json_to)
        return
    table = Table()
    for title in _COLUMNS:
        table.add_column(title, justify="left" if title in ("model", "names") else "right")
    for row in sorted(rows, key=lambda row: row["bytes"]):
        row["model"] += " (default)" if row["model"] == DEFAULT_MODEL else ""
        table.add_row(*(_text(key, row[key]) for key in _COLUMNS.values()))
    console = Console(width=None if Console().is_terminal else 120)
    with console.capture() as text:
        console.print(table)
    write_out(text.get())


def _facts(path: Path) -> dict[str, Any]:
    import numpy as np

    from edge_fer.benchmarks.speed import latencies
    from edge_fer.classifier import Classifier
    from edge_fer.train.truths import truth_of

    classifier = Classifier(path)
    card = classifier.card
    return {
        "model": path.stem,
        "names": "what people see" if truth_of(card.recipe) == "ferplus" else "FER-2013's labels",
        "classes": list(card.labels),
        "precision": card.quantization.get("precision"),
        "bytes": path.stat().st_size,
        "macs": card.macs,
        **{
            truth: card.metrics.get(truth, {}).get("private", {}).get("accuracy")
            for truth in ("fer2013", "ferplus")
        },
        "drop": card.metrics.get("drop"),
        "agreement": card.metrics.get("agreement"),
        "median_ms": round(float(np.median(latencies(classifier, _RUNS))), 4),
    }


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if key in ("fer2013", "ferplus", "agreement"):
        return f"{100 * value:.2f}"
    if key == "bytes":
        return f"{value / 1000:.0f}"
    if key == "macs":
        return f"{value / 1e6:.1f}"
    if key == "median_ms":
        return f"{value:.3f}"
    return f"{value:.2f}" if key == "drop" else str(value)
