"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

FER = "FER-2013: .csv, .tar.gz, .zip, or a folder."

data_option = click.option("--data", required=True, type=click.Path(path_type=Path), help=FER)

votes_option = click.option(
    "--votes",
    type=click.Path(path_type=Path),
    help="FER+'s fer2013new.csv: what ten people see in each picture.",
)

json_option = click.option(
    "--json", "json_to", metavar="PATH|-", help="Also as JSON; - is standard output."
)

people_option = click.option(
    "--people",
    "store",
    envvar="EDGE_FER_PEOPLE",
    type=click.Path(path_type=Path),
    help="The file of those who are enrolled. Default: edge-fer/people.db in your data folder.",
)

embedder_option = click.option(
    "--embedder",
    type=click.Choice(["litert", "dlib"]),
    default="litert",
    show_default=True,
    help="What tells people apart: the shipped network, or the face_recognition library.",
)

detector_option = click.option(
    "--detector",
    type=click.Choice(["auto", "mediapipe", "blazeface"]),
    default="auto",
    show_default=True,
    help="What finds faces. auto: MediaPipe where it is installed and runs, else BlazeFace.",
)

labels_option = click.option(
    "--labels",
    default="",
    metavar="A,B,C",
    callback=lambda _context, _option, text: names_of(text),
    help="The model's classes, in the order of its output. Default: those of the data.",
)

normalization_option = click.option(
    "--normalization",
    type=click.Choice(["none", "0..1", "-1..1", "imagenet"]),
    help="What was done to its pixels in training. Default: what reads training pictures best.",
)


def names_of(text: str) -> tuple[str, ...]:
    """Names that commas divide."""
    return tuple(filter(None, (name.strip() for name in text.split(","))))
