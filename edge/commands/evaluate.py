"""``edge-fer evaluate``: how right a model is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_fer.commands.options import data_option, json_option, votes_option
from edge_fer.commands.talk import judged_table, say, show, write_json

if TYPE_CHECKING:
    from edge_fer.benchmarks.robustness import Robustness


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
@votes_option
@click.option(
    "--robustness",
    is_flag=True,
    help="Also on the split's pictures blurred, in the dark, turned, half hidden and more.",
)
@json_option
def command(
    model: Path,
    data: Path,
    split: str,
    votes: Path | None,
    robustness: bool,
    json_to: str | None,
) -> None:
    """Score MODEL: a .tflite file with its card, a shipped model's name, or a Keras model.

    Every picture counts once, as it is: no crops, no mirroring. With --votes the figures come by
    FER-2013's labels and, apart, by what most of FER+'s ten taggers see.
    """
    from edge_fer.models import find_model

    model = find_model(model)

    from edge_fer.benchmarks.accuracy import ScoredModel, evaluate
    from edge_fer.benchmarks.robustness import robustness as lines_of
    from edge_fer.files import KERAS_MODELS
    from edge_fer.labels import FER_LABELS, own_classes
    from edge_fer.train.readers import load
    from edge_fer.train.truths import FER2013, FERPLUS, WORDS

    if model.suffix in KERAS_MODELS:  # which may not tell its classes: they are the data's
        dataset = load(data, votes=votes)
        scored = ScoredModel(model, dataset.names)
    else:
        scored = ScoredModel(model, FER_LABELS)
        dataset = load(data, votes=votes, names=own_classes(scored.labels))
    if not set(dataset.names) <= set(scored.labels):
        dataset = dataset.known_to(scored.labels)
        say(f"only pictures of {', '.join(scored.labels)} count: the model knows no other class")
    words = WORDS | ({FER2013: "the data's labels"} if own_classes(scored.labels) else {})
    judged = evaluate(scored, dataset, split)
    for truth, one in judged.items():
        judged_table(f"{model.name} on {split}, by {words[truth]}", one)
    answer: dict[str, Any] = {"model": str(model), "data": dataset.describe(), "split": split}
    answer |= judged[FER2013].to_dict()
    if FERPLUS in judged:
        answer[FERPLUS] = judged[FERPLUS].to_dict()
    if robustness:
        lines = lines_of(scored, dataset, split)
        _robustness_table(lines, f"{split}, by {words[scored.truth]}")
        answer["robustness"] = [asdict(line) for line in lines]
    if json_to:
        write_json(answer, json_to)


def _robustness_table(lines: list[Robustness], title: str) -> None:
    from rich.table import Table

    table = Table(title=title)
    for name in ("pictures", "accuracy %", "drop, points"):
        table.add_column(name, justify="left" if name == "pictures" else "right")
    for line in lines:
        table.add_row(line.change, f"{100 * line.accuracy:.2f}", f"{line.drop:.2f}")
    drops = [line.drop for line in lines]
    accuracies = [line.accuracy for line in lines]
    table.add_section()
    table.add_row(
        "mean", f"{100 * sum(accuracies) / len(lines):.2f}", f"{sum(drops) / len(lines):.2f}"
    )
    show(table)
