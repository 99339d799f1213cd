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

detector_option = click.option(
    "--detector",
    type=click.Choice(["auto", "mediapipe", "blazeface"]),
    default="auto",
    show_default=True,
    help="What finds faces. auto: MediaPipe where it is installed and runs, else BlazeFace.",
)
