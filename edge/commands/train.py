"""``edge-fer train``: from FER-2013 to a Keras model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.commands.options import data_option, labels_option, votes_option
from edge_fer.commands.talk import progress_bar, say, scores_table

if TYPE_CHECKING:
    from edge_fer.train.dataset import Dataset
    from edge_fer.train.loop import Progress
    from edge_fer.train.recipe import Recipe


@click.command("train", short_help="Train a Keras model on FER-2013.")
@data_option
@votes_option
@click.option(
    "--recipe",
    "recipe_name",
    help="A recipe's name (plain, vgg, or a shipped model's) or a .toml file.  [default: plain]",
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
    metavar="MODEL",
    help="Start from this model's weights, pruned where it is larger. A shipped model's name or a"
    " .tflite file is trained on, by the recipe finetune where no other is named.",
)
@labels_option
@click.option(
    "--export-legacy",
    is_flag=True,
    help="Also write model.json and model.weights.h5, for scripts that expect these.",
)
def command(
    data: Path,
    votes: Path | None,
    recipe_name: str | None,
    epochs: int | None,
    out: Path | None,
    resume: bool,
    seed: int | None,
    precision: str | None,
    start: str | None,
    labels: tuple[str, ...],
    export_legacy: bool,
) -> None:
    """Train a Keras model on FER-2013, or on any folder with a sub-folder a class.

    The folder gets model.keras, history.csv, metrics.json, curves.png and confusion.png. A run
    that was ended, even killed, goes on with --resume as if nothing had happened. The networks
    that a recipe builds on, its teachers, are trained first, in folders beside this one.
    """
    from edge_fer.packages import require

    require("training", "keras", "matplotlib", os.environ.get("KERAS_BACKEND", "tensorflow"))
    from edge_fer.train.folder import check_folder
    from edge_fer.train.heads import heads_of
    from edge_fer.train.readers import load
    from edge_fer.train.recipe import load_recipe, with_needed

    changes = {"epochs": epochs, "seed": seed, "precision": precision}
    began = _start_file(start)
    of_tflite = began is not None and began.suffix == ".tflite"
    recipe = load_recipe(recipe_name or ("finetune" if of_tflite else "plain"))
    if began is not None:
        recipe = recipe.with_changes(start="")  # the given model takes its place
    if began is not None and of_tflite and recipe_name is None:
        from edge_fer.train.from_tflite import recipe_of

        known = recipe_of(began)
        recipe = recipe.with_changes(network=known.network, input=known.input)
    *needed, recipe = [r.with_changes(**changes) for r in with_needed(recipe)]
    out = out or Path("runs") / recipe.name
    check_folder(out, resume)
    dataset = load(data, votes=votes, names=labels)
    _describe(dataset, data)
    if votes is None and recipe.targets.other:
        say(f"note: {recipe.name} also learns from FER+'s votes, given with --votes; going without")
    place = _Place(dataset, out.parent)
    for one in (*needed, recipe):
        heads_of(one, dataset)  # what has no votes is refused before the long work
    for other in needed:
        folder = out.parent / other.name
        if not place.trained(other):
            say(f"{recipe.name} builds on {other.name}: training it in {folder}")
            place.train(other, folder, resume=True)
    if began is not None and of_tflite:
        began = _rebuilt(began, dataset, out)
    place.train(recipe, out, resume, began)
    if export_legacy:
        from edge_fer.train import legacy
        from edge_fer.train.folder import MODEL
        from edge_fer.train.keras_file import load_model

        for path in legacy.export_legacy(load_model(out / MODEL)[0], out):
            say(f"{path} is for scripts that expect it")


def _start_file(name: str | None) -> Path | None:
    """The file of a model to start from, given by name or path."""
    from edge_fer.models import find_model

    return None if name is None else find_model(name)


def _rebuilt(path: Path, dataset: Dataset, out: Path) -> Path:
    """The float network of a TFLite file, beside the run that starts from it."""
    from edge_fer.card import unpack
    from edge_fer.train.from_tflite import write_start

    start = out / "start.keras"
    if not start.exists():
        pictures = dataset.split("training").prepared(unpack(path)[1].input)
        write_start(path, start, pictures[:512])
    return start


@dataclass(frozen=True)
class _Place:
    """Where runs lie, side by side, and what they train on."""

    data: Dataset
    runs: Path

    def trained(self, recipe: Recipe) -> bool:
        from edge_fer.train.folder import MODEL

        return (self.runs / recipe.name / MODEL).is_file()

    def _folder(self, name: str) -> Path:
        from edge_fer.train.recipe import load_recipe

        return self.runs / load_recipe(name).name

    def train(self, recipe: Recipe, out: Path, resume: bool, start: Path | None = None) -> None:
        from edge_fer.train.folder import HISTORY, MODEL, full_model
        from edge_fer.train.heads import heads_of
        from edge_fer.train.loop import train
        from edge_fer.train.report import write_report
        from edge_fer.train.truths import judge

        if recipe.start:
            start = full_model(self._folder(recipe.start))
        with progress_bar() as bar:
            task = bar.add_task("training", total=None)

            def show(progress: Progress) -> None:
                done = (progress.epoch - 1) * progress.steps + progress.step
                text = (
                    f"epoch {progress.epoch}/{recipe.epochs}  loss {progress.loss:.3f}"
                    f"  accuracy {progress.accuracy:.1%}"
                )
                total = recipe.epochs * progress.steps
                bar.update(task, completed=done, total=total, description=text)
                if progress.row:
                    bar.console.print(_line(progress.row), highlight=False)

            model = train(
                recipe,
                self.data,
                out,
                resume=resume,
                start=start,
                teachers=[self._folder(name) for name in recipe.targets.teachers],
                on_progress=show,
                on_step=lambda text: bar.update(task, description=text),
            )
        head, public = heads_of(recipe, self.data)[0], self.data.split("public")
        logits = model.predict(public.prepared(recipe.input), batch_size=256, verbose=0)
        scores = judge(logits, head.labels, public, head.name).scores
        facts = {"recipe": recipe.to_dict(), "data": self.data.describe(), "head": head.name}
        write_report(out, scores, facts, out / HISTORY)
        scores_table(f"public, by {head.name}", scores)
        say(f"{out / MODEL} is the model; beside it lie the history, the figures and two pictures")


def _line(row: dict[str, float]) -> str:
    other = f"  other truth {row['val_other_accuracy']:.2%}" if "val_other_accuracy" in row else ""
    return (
        f"epoch {row['epoch']:3}  loss {row['loss']:.3f}  accuracy {row['accuracy']:.2%}"
        f"  validation {row['val_accuracy']:.2%}  macro-F1 {row['val_macro_f1']:.3f}{other}"
        f"  {row['seconds']:.0f} s"
    )


def _describe(dataset: Dataset, path: Path) -> None:
    facts = dataset.describe()
    say(
        f"{path}: {facts['training']} training, {facts['public']} public,"
        f" {facts['private']} private pictures; {dataset.dropped} training pictures left out that"
        " another split holds too"
    )
    training = dataset.split("training")
    missing = [n for i, n in enumerate(dataset.names) if not (training.labels == i).any()]
    if missing:
        say(f"note: no training picture of {', '.join(missing)}: the model will never name it")
