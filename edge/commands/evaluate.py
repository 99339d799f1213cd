"""``edge-fer evaluate``: how right a model is."""

from __future__ import annotations

from pathlib import Path

import click

from edge_fer.commands.options import data_option, json_option
from edge_fer.commands.talk import scores_table, write_json


@click.command("evaluate", short_help="Score a model on FER-2013.")
@click.argument("model", type=click.Path(path_type=Path))
@data_option
@click.option(
    "--split",
    type=click.Choice(["training", "public", "private"]),
    default="public",
    show_default=True,
    help="public to choose by, private to test once.",
)
@click.option(
    "--votes",
    type=click.Path(path_type=Path),
    help="FER+'s fer2013new.csv: score by what ten people see, too.",
)
@json_option
def command(model: Path, data: Path, split: str, votes: Path | None, json_to: str | None) -> None:
    """Score MODEL: a .tflite file with its card, a shipped model's name, or a Keras model.

    Every picture counts once, as it is: no crops, no mirroring.
    """
    from edge_fer.models import find_model

    model = find_model(model)

    from edge_fer.benchmarks.accuracy import check_model, evaluate_both
    from edge_fer.train.readers import load

    check_model(model)
    dataset = load(data, votes=votes)
    scores, seen = evaluate_both(model, dataset, split)
    scores_table(f"{model.name} on {split}", scores)
    if seen:
        scores_table(f"{model.name} on {split}, by the majority of FER+'s taggers", seen)
    if json_to:
        facts = {"model": str(model), "data": dataset.describe(), "split": split}
        by_votes = {"ferplus": seen.to_dict()} if seen else {}
        write_json({**facts, **scores.to_dict(), **by_votes}, json_to)
