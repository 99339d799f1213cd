"""``edge-fer import``: a card for a TFLite model of others."""

from __future__ import annotations

from pathlib import Path

import click

from edge_fer.commands.options import FER, labels_option, normalization_option, votes_option
from edge_fer.commands.talk import judged_table, say


@click.command("import", short_help="Add a card to a TFLite model of others.")
@click.argument("model", type=click.Path(path_type=Path))
@labels_option
@click.option("--out", type=click.Path(path_type=Path), help="The file to write.")
@click.option("--data", type=click.Path(path_type=Path), help=f"Measures the model. {FER}")
@votes_option
@normalization_option
@click.option("--color", type=click.Choice(["gray", "rgb", "bgr"]), help="Of what it takes.")
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@click.option("--test", is_flag=True, help="Also score PrivateTest.")
def command(
    model: Path,
    labels: tuple[str, ...],
    out: Path | None,
    data: Path | None,
    votes: Path | None,
    normalization: str | None,
    color: str | None,
    licence: str,
    test: bool,
) -> None:
    """Make a model that edge-fer runs of MODEL, a .tflite file: float, dynamic, int8 or uint8.

    The normalization of its pixels goes into the network, a softmax at its end comes off, and the
    card is added. With --data it is measured, and the card gets temperature, threshold and figures.
    """
    from edge_fer.convert.foreign import import_model
    from edge_fer.errors import InputError
    from edge_fer.labels import own_classes
    from edge_fer.train.readers import load

    if not labels:
        raise InputError("--labels: name the model's classes in the order of its output, as a,b,c")
    out = out or model.with_name(f"{model.stem}-edge-fer.tflite")
    if out.suffix != ".tflite":
        raise InputError(f"--out {out}: name a .tflite file")
    dataset = load(data, votes=votes, names=own_classes(labels)) if data else None
    _, trial = import_model(
        model,
        out,
        labels,
        data=dataset,
        color=color or "",
        step=normalization or "",
        licence=licence,
        test=test,
        on_step=say,
    )
    if trial:
        judged_table(f"{out.name} on public", trial.judged)
    say(f"{out} is the model")
