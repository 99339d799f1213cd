"""``edge-fer people``: who is enrolled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.commands.options import (
    detector_option,
    embedder_option,
    json_option,
    people_option,
)
from edge_fer.commands.talk import say, show, write_json, write_out

if TYPE_CHECKING:
    from edge_fer.identity.people import People


@click.group(
    "people",
    short_help="List, rename, remove or export who is enrolled.",
    invoke_without_command=True,
)
@people_option
@click.pass_context
def command(context: click.Context, store: Path | None) -> None:
    """Who is enrolled; without a command, the list."""
    context.obj = store
    if context.invoked_subcommand is None:
        with _open(context) as people:
            known = people.all()
        if not known:
            say("edge-fer: nobody is enrolled: edge-fer enroll NAME PICTURE")
        for person in known:
            looks = ", ".join(f"{count} by {network}" for network, count in person.looks.items())
            kept = f", {person.pictures} pictures" if person.pictures else ""
            write_out(f"{person.name}\t{looks}{kept}, since {person.added[:10]}\n")


@command.command("rename")
@click.argument("old")
@click.argument("new")
@click.pass_context
def rename(context: click.Context, old: str, new: str) -> None:
    """Give OLD the name NEW."""
    with _open(context) as people:
        people.rename(old, new)


@command.command("remove")
@click.argument("name")
@click.pass_context
def remove(context: click.Context, name: str) -> None:
    """Forget NAME: nothing of them stays in the file."""
    with _open(context) as people:
        people.remove(name)
    say(f"edge-fer: {name} is forgotten")


@command.command("export")
@click.argument("name")
@click.argument("path", default="-")
@click.pass_context
def export(context: click.Context, name: str, path: str) -> None:
    """Write all that is stored of NAME as JSON to PATH, or to standard output."""
    with _open(context) as people:
        write_json(people.export(name), path)


@command.command("verify")
@click.argument("folder", type=click.Path(path_type=Path))
@embedder_option
@detector_option
@json_option
def verify(folder: Path, embedder: str, detector: str, json_to: str | None) -> None:
    """Measure how well people are told apart, on pictures FOLDER/PERSON/PICTURE.

    Every pair of pictures is compared: of one person, and of two. The threshold is judged on all
    of them, and one that the first half of the people (by name) would have set is judged on the
    second half. Faces need not be seen well, as they must be to be enrolled.
    """
    from rich.table import Table

    from edge_fer.benchmarks.verification import measure
    from edge_fer.detector import open_detector
    from edge_fer.identity import open_embedder

    with open_detector(detector) as finder:
        result = measure(folder, finder, open_embedder(embedder))
    if json_to:
        write_json(result, json_to)
    say(
        f"edge-fer: {result['network']}: {result['milliseconds']:.2f} ms a face,"
        f" {result['no_face']} pictures without a face"
    )
    used = result["in_use"]
    if used:
        say(
            f"edge-fer: {used['looks']} looks against {used['looks']} enrolled pictures: right"
            f" person taken {used['true_accepts']:.2%} of {used['same']}, wrong person"
            f" {used['false_accepts']:.3%} of {used['other']}"
        )
    columns = ("all", "chosen_on", "held_out")
    table = Table("", *columns)
    for key in result["all"]:
        table.add_row(key, *(f"{result[column][key]:.5g}" for column in columns))
    show(table)


def _open(context: click.Context) -> People:
    from edge_fer.identity.people import People, default_path

    return People(context.obj or default_path())
