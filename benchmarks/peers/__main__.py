"""``python -m edge_fer.benchmarks.peers``: edge-fer beside other projects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli import main
from edge_fer.commands.options import data_option, json_option, votes_option
from edge_fer.commands.talk import say, show, write_json

if TYPE_CHECKING:
    from edge_fer.benchmarks.peers.compare import Result


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "clips",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@data_option
@votes_option
@click.option(
    "--work",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the peers' environments (10 GB), which are kept, and for logs.",
)
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only peers whose name begins so; repeatable."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the rounds' order.")
@click.option(
    "--pictures", type=click.IntRange(1), metavar="N", help="Only the first N, to try it out."
)
@json_option
@click.option(
    "--markdown",
    "markdown_to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also as a Markdown file.",
)
def command(
    clips: tuple[Path, ...],
    data: Path,
    votes: Path | None,
    work: Path,
    only: tuple[str, ...],
    rounds: int,
    seed: int,
    pictures: int | None,
    json_to: str | None,
    markdown_to: Path | None,
) -> None:
    """Measure fer, face-api.js, MediaPipe and edge-fer on the same pictures and the same CLIPS.

    Each is installed from its package registry into an environment of its own (this needs the
    network once, and npm for face-api.js), and runs in one thread on one core. What does not
    install or run is listed with the reason.
    """
    import numpy as np

    from edge_fer.benchmarks.machine import describe_machine
    from edge_fer.benchmarks.peers.catalogue import choose_peers
    from edge_fer.benchmarks.peers.compare import compare
    from edge_fer.benchmarks.peers.report import NOTES, markdown
    from edge_fer.files import write_whole
    from edge_fer.train.readers import load

    peers = choose_peers(only)
    part = load(data, votes=votes).split("private")
    part = part.take(np.arange(len(part))[:pictures])
    machine = describe_machine()
    results = compare(peers, part, clips, work, rounds, seed, on_step=say)
    _show(results, machine)
    if markdown_to:
        with write_whole(markdown_to) as path:
            path.write_text(markdown(results, machine))
    if json_to:
        rows = [asdict(result) for result in results]
        facts = {"machine": machine, "rounds": rounds, "seed": seed, "notes": NOTES}
        write_json({**facts, "results": rows}, json_to)


def _show(results: Sequence[Result], machine: dict[str, object]) -> None:
    import rich.table

    from edge_fer.benchmarks.peers.report import NOTES, measured_on, tables

    for table in tables(results):
        shown = rich.table.Table(title=table.title)
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="left" if number < table.words else "right")
        for row in table.rows:
            shown.add_row(*row)
        show(shown)
    say(measured_on(results, machine))
    for note in NOTES:
        say(f"- {note}")


if __name__ == "__main__":
    main(command=command, name="python -m edge_fer.benchmarks.peers")
