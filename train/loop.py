"""The training loop: from a recipe and a data set to a Keras model.

Every epoch ends with one file written whole, ``checkpoint.npz``: weights, optimizer, running
average, best weights, history. Order and augmentation depend on seed and epoch alone, so a run that
was killed goes on from there as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import RecipeError, WorkError
from edge_fer.files import write_whole
from edge_fer.train.average import WeightAverage
from edge_fer.train.batches import Batches
from edge_fer.train.checkpoint import State, restore, save
from edge_fer.train.dataset import Dataset
from edge_fer.train.finetune import fit_logits
from edge_fer.train.folder import CHECKPOINT, FULL_MODEL, HISTORY, MODEL, check_folder
from edge_fer.train.fused import fused
from edge_fer.train.heads import Head, heads_of, width_of
from edge_fer.train.keras_file import save_model
from edge_fer.train.loss import accuracy, cross_entropy
from edge_fer.train.metrics import Scores
from edge_fer.train.networks import build_recipe
from edge_fer.train.recipe import Recipe
from edge_fer.train.teachers import Teacher
from edge_fer.train.truths import judge
from edge_fer.train.weights import one_head, start_from


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        epoch: The running epoch, from 1.
        step: Steps done in it.
        steps: Steps of an epoch.
        loss: Mean training loss of the epoch so far.
        accuracy: Training accuracy of the epoch so far, on augmented pictures.
        row: The epoch's line of the history when it has ended, else None.
    """

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    row: dict[str, float] | None = None


OnProgress = Callable[[Progress], None]


def train(
    recipe: Recipe,
    data: Dataset,
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    teachers: Sequence[Path] = (),
    on_progress: OnProgress = lambda _: None,
    on_step: Callable[[str], None] = lambda _: None,
) -> keras.Model:
    """Train a network and leave ``model.keras`` and ``history.csv`` in a folder.

    Args:
        recipe: What to do.
        data: A data set with a training and a public split.
        out: The folder; made where it is missing.
        resume: Go on with the run in ``out``; starts at the beginning where there is none.
        start: A ``.keras`` model to start from: of the same network, or of a larger one to prune.
        teachers: Folders of the runs of the recipe's teachers.
        on_progress: Called after every step and every epoch.
        on_step: Told what else takes time.

    Returns:
        The best model, float32, not compiled, naming the classes of the recipe's head.

    Raises:
        InputError: ``out`` holds a run that this one would overwrite or cannot go on with.
        RecipeError: The network cannot be built, TensorFlow would crash on it, or a teacher does
            not know what it is to teach.
        ModelError: ``start`` does not fit the recipe, or a teacher is missing.
        DataError: A split is empty, or the recipe needs votes.
        WorkError: The loss became infinite or not a number.
        StorageError: A file could not be written.
    """
    training, validation = data.split("training"), data.split("public")
    check_folder(out, resume)
    checkpoint = out / CHECKPOINT
    heads = heads_of(recipe, data)
    if len(teachers) != len(recipe.targets.teachers):
        raise RecipeError(
            f"the recipe {recipe.name} has {len(recipe.targets.teachers)} teachers, and the runs of"
            f" {len(teachers)} were given"
        )
    staff = [Teacher(t, heads, recipe, data.fingerprint(), on_step) for t in teachers]
    batches = Batches(training, recipe, heads, staff)
    pictures = validation.prepared(recipe.input)
    keras.utils.set_random_seed(recipe.seed)
    model = _compiled(recipe, len(batches), heads)
    _refuse_crash(model, recipe)
    if start is not None:
        start_from(model, heads, start)
        if recipe.frozen_epochs and not checkpoint.exists():
            on_step("training the logits alone")
            fit_logits(model, batches, heads, recipe.frozen_epochs)
    average = WeightAverage(recipe.optimizer.average)
    average.set_model(model)
    state = State(recipe.to_dict(), data.fingerprint(with_votes=True), _fingerprint(start))
    best = average.weights
    if checkpoint.exists():
        best = restore(checkpoint, model, average, state)

    while state.epoch < recipe.epochs and state.epoch - state.best_epoch < recipe.patience:
        began = time.monotonic()
        batches.start(state.epoch)
        reporter = _Reporter(state.epoch + 1, len(batches), on_progress)
        fitted = model.fit(batches, verbose=0, callbacks=[average, reporter], shuffle=False)
        with average.in_place():
            logits = model.predict(pictures, batch_size=256, verbose=0)
        first, *others = [_validated(h, logits, validation) for h in heads]
        state.epoch += 1
        row = {
            "epoch": state.epoch,
            "loss": round(fitted.history["loss"][0], 5),
            "accuracy": round(fitted.history["accuracy"][0], 5),
            "val_loss": round(first.nll, 5),
            "val_accuracy": round(first.accuracy, 5),
            "val_macro_f1": round(first.macro_f1, 5),
            **({"val_other_accuracy": round(others[0].accuracy, 5)} if others else {}),
            "learning_rate": round(float(model.optimizer.learning_rate), 7),
            "seconds": round(time.monotonic() - began, 1),
        }
        state.history.append(row)
        if first.accuracy > state.best_accuracy:
            state.best_epoch, state.best_accuracy = state.epoch, first.accuracy
            best = [w.copy() for w in average.weights]
        save(checkpoint, model, average, best, state)
        _write_history(out / HISTORY, state.history)
        on_progress(
            Progress(state.epoch, len(batches), len(batches), row["loss"], row["accuracy"], row)
        )

    _write_history(out / HISTORY, state.history)
    facts = {
        "recipe": recipe.to_dict(),
        "data": data.describe(),
        "best_epoch": state.best_epoch,
        "start": state.start,
    }
    full = build_recipe(recipe, width_of(heads))
    full.set_weights(best)
    if len(heads) > 1:
        save_model(full, {**facts, **_known(heads)}, out / FULL_MODEL)
    final = one_head(full, recipe, heads[0])
    save_model(final, {**facts, **_known(heads[:1])}, out / MODEL)
    return final


def _known(heads: Sequence[Head]) -> dict[str, Any]:
    return {
        "labels": [name for head in heads for name in head.labels],
        "heads": [[head.name, list(head.labels)] for head in heads],
    }


def _validated(head: Head, logits: NDArray[np.float32], validation: Dataset) -> Scores:
    return judge(logits[:, head.columns], head.labels, validation, head.name).scores


def _compiled(recipe: Recipe, steps: int, heads: Sequence[Head]) -> keras.Model:
    model = fused(build_recipe(recipe, width_of(heads), recipe.precision))
    settings = recipe.optimizer
    warmup = round(min(settings.warmup, recipe.epochs / 4) * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=settings.peak / 100,
        decay_steps=max(recipe.epochs * steps - warmup, 1),
        warmup_target=settings.peak,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.SGD(
        schedule,
        momentum=settings.momentum,
        nesterov=True,
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(
        optimizer,
        cross_entropy(heads),
        metrics=[accuracy(heads[0])],
        # XLA is slower than TensorFlow's own kernels on a processor.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    optimizer.build(model.trainable_variables)
    return model


def _refuse_crash(model: keras.Model, recipe: Recipe) -> None:
    """Refuse what ends the process: TensorFlow 2.21's oneDNN writes past its memory there."""
    if keras.backend.backend() != "tensorflow" or recipe.precision != "float32":
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1):
            channels = layer.kernel.shape[2]
            if layer.strides != (1, 1) and channels < 16:
                raise RecipeError(
                    f"TensorFlow crashes when it trains {layer.name} in float32: a 1x1 convolution"
                    f" of stride 2 on {channels} channels; give it 16, or use mixed_bfloat16"
                )


class _Reporter(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, epoch: int, steps: int, on_progress: OnProgress) -> None:
        super().__init__()
        self._epoch, self._steps, self._on_progress = epoch, steps, on_progress

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss, accuracy = float(logs["loss"]), float(logs["accuracy"])  # type: ignore[index]
        if not math.isfinite(loss):
            raise WorkError(
                f"the loss is {loss} in epoch {self._epoch}; lower the recipe's optimizer.peak"
            )
        self._on_progress(Progress(self._epoch, batch + 1, self._steps, loss, accuracy))


def _fingerprint(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_history(path: Path, rows: list[dict[str, float]]) -> None:
    lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
    with write_whole(path) as part:
        part.write_text("\n".join(lines) + "\n")
