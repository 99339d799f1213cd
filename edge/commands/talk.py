"""What commands say to people: always on standard error, so that standard output is data only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from edge_fer.train.metrics import Scores
    from edge_fer.train.truths import Judged


def say(text: str) -> None:
    """One line."""
    click.echo(text, err=True)


def show(table: Table) -> None:
    """A table, as wide as it needs to be where nobody's terminal sets a width."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=160)
    console.print(table)


def progress_bar() -> Progress:
    """A bar with the time left; a terminal sees it move, a log file only what is printed."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def scores_table(title: str, scores: Scores) -> None:
    """Accuracy, macro-F1, and precision, recall and F1 of every class."""
    from rich.table import Table

    say(
        f"{title}: accuracy {scores.accuracy:.2%}, macro-F1 {scores.macro_f1:.3f},"
        f" calibration error {scores.ece:.1%}, n = {scores.n}"
    )
    table = Table()
    for name in ("class", "precision", "recall", "F1", "n"):
        table.add_column(name, justify="left" if name == "class" else "right")
    for i, name in enumerate(scores.names):
        values = (scores.precision[i], scores.recall[i], scores.f1[i])
        table.add_row(name, *(f"{v:.3f}" for v in values), str(int(scores.confusion[i].sum())))
    show(table)


def judged_table(title: str, judged: Judged) -> None:
    """The scores, and what the threshold and repeated pictures make of the accuracy."""
    scores_table(title, judged.scores)
    say(f"certain: {judged.certain:.1%} of the readings, accuracy {judged.certain_accuracy:.2%}")
    if judged.unique is not None:
        say(
            f"without repeated pictures: accuracy {judged.unique.accuracy:.2%}, n ="
            f" {judged.unique.n}"
        )


def write_out(text: str) -> None:
    """Write to standard output.

    Raises:
        StorageError: It goes to a full disk.
        ReaderGoneError: Who reads it has gone.
    """
    from edge_fer.sinks.lines import Lines

    Lines("-").write(text)


def write_json(value: dict[str, Any], where: str) -> None:
    """Write plain data as JSON to a file, or to standard output for ``-``.

    Raises:
        StorageError: The file cannot be written.
    """
    from edge_fer.files import write_whole

    text = json.dumps(value, indent=1) + "\n"
    if where == "-":
        write_out(text)
        return
    with write_whole(Path(where)) as part:
        part.write_text(text)
