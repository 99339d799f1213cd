"""``edge-fer train``: from FER-2013 to a Keras model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.commands.options import data_option
from edge_fer.commands.talk import progress_bar, say, scores_table

if TYPE_CHECKING:
    from edge_fer.train.loop import Progress


@click.command("train", short_help="Train a Keras model on FER-2013.")
@data_option
@click.option(
    "--recipe",
    "recipe_name",
    default="fer-base",
    show_default=True,
    help="A recipe's name (fer-base, vgg) or a .toml file.",
)
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder. Default: runs/RECIPE.")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Instead of the recipe's.")
@click.option(
    "--precision", type=click.Choice(["float32", "mixed_bfloat16"]), help="Instead of the recipe's."
)
@click.option(
    "--from",
    "start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Start from this model's weights.",
)
def command(
    data: Path,
    recipe_name: str,
    epochs: int | None,
    out: Path | None,
    resume: bool,
    seed: int | None,
    precision: str | None,
    start: Path | None,
) -> None:
    """Train a Keras model on FER-2013.

    The folder gets model.keras, history.csv, metrics.json, curves.png and confusion.png. A run
    that was ended, even killed, goes on with --resume as if nothing had happened.
    """
    from edge_fer.packages import require

    require("training", "keras", "matplotlib", os.environ.get("KERAS_BACKEND", "tensorflow"))
    from edge_fer.train.folder import HISTORY, MODEL, check_folder
    from edge_fer.train.readers import load
    from edge_fer.train.recipe import load_recipe

    recipe = load_recipe(recipe_name).with_changes(epochs=epochs, seed=seed, precision=precision)
    out = out or Path("runs") / recipe.name
    check_folder(out, resume)
    dataset = load(data)
    facts = dataset.describe()
    say(
        f"{data}: {facts['training']} training, {facts['public']} public,"
        f" {facts['private']} private pictures; {dataset.dropped} training pictures left out that"
        " another split holds too"
    )
    training = dataset.split("training")
    missing = [n for i, n in enumerate(dataset.names) if not (training.labels == i).any()]
    if missing:
        say(f"note: no training picture of {', '.join(missing)}: the model will never name it")

    from edge_fer.train.loop import train
    from edge_fer.train.metrics import score
    from edge_fer.train.report import write_report

    with progress_bar() as bar:
        task = bar.add_task("training", total=None)

        def show(progress: Progress) -> None:
            done = (progress.epoch - 1) * progress.steps + progress.step
            text = (
                f"epoch {progress.epoch}/{recipe.epochs}  loss {progress.loss:.3f}"
                f"  accuracy {progress.accuracy:.1%}"
            )
            bar.update(task, completed=done, total=recipe.epochs * progress.steps, description=text)
            if progress.row:
                row = progress.row
                bar.console.print(
                    f"epoch {progress.epoch:3}  loss {row['loss']:.3f}  accuracy"
                    f" {row['accuracy']:.2%}  validation {row['val_accuracy']:.2%}"
                    f"  macro-F1 {row['val_macro_f1']:.3f}  {row['seconds']:.0f} s",
                    highlight=False,
                )

        model = train(recipe, dataset, out, resume=resume, start=start, on_progress=show)
    public = dataset.split("public")
    logits = model.predict(public.prepared(recipe.input), batch_size=256, verbose=0)
    scores = score(logits, public.labels, dataset.names)
    write_report(out, scores, {"recipe": recipe.to_dict(), "data": facts}, out / HISTORY)
    scores_table("public", scores)
    say(f"{out / MODEL} is the model; beside it lie the history, the figures and two pictures")
