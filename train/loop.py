"""The training loop: from a recipe and a data set to a Keras model.

Every epoch ends with one file written whole, ``checkpoint.npz``: weights, optimizer, running
average, best weights, history. Order and augmentation depend on seed and epoch alone, so a run that
was killed goes on from there as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import InputError, ModelError, RecipeError, WorkError
from edge_fer.files import write_whole
from edge_fer.train.dataset import Dataset
from edge_fer.train.keras_file import load_model, save_model
from edge_fer.train.metrics import score
from edge_fer.train.networks import build
from edge_fer.train.recipe import Recipe

CHECKPOINT, MODEL, HISTORY = "checkpoint.npz", "model.keras", "history.csv"


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


@dataclass
class _State:
    """What a checkpoint holds beside the arrays."""

    recipe: dict[str, Any]
    data: str
    start: str | None = None
    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    recipe: Recipe,
    data: Dataset,
    out: Path,
    *,
    resume: bool = False,
    start: Path | None = None,
    on_progress: OnProgress = lambda _: None,
) -> keras.Model:
    """Train a network and leave ``model.keras`` and ``history.csv`` in a folder.

    Args:
        recipe: What to do.
        data: A data set with a training and a public split.
        out: The folder; made where it is missing.
        resume: Go on with the run in ``out``; starts at the beginning where there is none.
        start: A ``.keras`` model of the same network whose weights to start from.
        on_progress: Called after every step and every epoch.

    Returns:
        The best model, float32, not compiled.

    Raises:
        InputError: ``out`` holds a run that this one would overwrite or cannot go on with.
        RecipeError: The network cannot be built, or TensorFlow would crash on it.
        ModelError: ``start`` does not fit the recipe.
        DataError: A split is empty.
        WorkError: The loss became infinite or not a number.
        StorageError: A file could not be written.
    """
    training, validation = data.split("training"), data.split("public")
    checkpoint = out / CHECKPOINT
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder with --out")
    if not resume and (checkpoint.exists() or (out / MODEL).exists()):
        raise InputError(
            f"{out} already holds a run; add --resume to go on with it, or choose another --out"
        )

    batches, pictures = Batches(training, recipe), validation.prepared(recipe.input)
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    try:
        model = _compiled(recipe, len(batches), len(data.names))
    finally:
        keras.config.set_dtype_policy("float32")
    _refuse_crash(model, recipe)
    if start is not None:
        _start_from(model, start)
    average = _Average(recipe.optimizer.average)
    average.set_model(model)
    state = _State(recipe.to_dict(), data.fingerprint(), _fingerprint(start))
    best = average.weights
    if checkpoint.exists():
        best = _restore(checkpoint, model, average, state)

    while state.epoch < recipe.epochs and state.epoch - state.best_epoch < recipe.patience:
        began = time.monotonic()
        batches.start(state.epoch)
        reporter = _Reporter(state.epoch + 1, len(batches), on_progress)
        fitted = model.fit(batches, verbose=0, callbacks=[average, reporter], shuffle=False)
        with average.in_place():
            logits = model.predict(pictures, batch_size=256, verbose=0)
        scores = score(logits, validation.labels, data.names)
        state.epoch += 1
        row = {
            "epoch": state.epoch,
            "loss": round(fitted.history["loss"][0], 5),
            "accuracy": round(fitted.history["accuracy"][0], 5),
            "val_loss": round(scores.nll, 5),
            "val_accuracy": round(scores.accuracy, 5),
            "val_macro_f1": round(scores.macro_f1, 5),
            "learning_rate": round(float(model.optimizer.learning_rate), 7),
            "seconds": round(time.monotonic() - began, 1),
        }
        state.history.append(row)
        if scores.accuracy > state.best_accuracy:
            state.best_epoch, state.best_accuracy = state.epoch, scores.accuracy
            best = [w.copy() for w in average.weights]
        _save(checkpoint, model, average, best, state)
        _write_history(out / HISTORY, state.history)
        on_progress(
            Progress(state.epoch, len(batches), len(batches), row["loss"], row["accuracy"], row)
        )

    _write_history(out / HISTORY, state.history)
    final = build(recipe.network.name, recipe.input, len(data.names), recipe.network.options)
    final.set_weights(best)
    facts = {
        "recipe": recipe.to_dict(),
        "data": data.describe(),
        "best_epoch": state.best_epoch,
        "labels": list(data.names),
        "start": state.start,
    }
    save_model(final, facts, out / MODEL)
    return final


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Augmented training batches; the same seed and epoch give the same batches.

    Args:
        data: The training split.
        recipe: Batch size, seed, input, augmentation and class weights.
    """

    def __init__(self, data: Dataset, recipe: Recipe) -> None:
        super().__init__(workers=1)
        self._pictures, self._labels = data.prepared(recipe.input), data.labels
        self._recipe, self._classes = recipe, len(data.names)
        self._weights = class_weights(data.labels, len(data.names), recipe.loss.balance)
        self.start(0)

    def start(self, epoch: int) -> None:
        """Put the pictures in the order of an epoch, counted from 0."""
        self._epoch = epoch
        rng = np.random.default_rng([self._recipe.seed, epoch])
        self._order = rng.permutation(len(self._labels))

    def __len__(self) -> int:
        return math.ceil(len(self._labels) / self._recipe.batch)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Pixels [B, H, W, C], one-hot labels [B, classes] and weights [B], all float32."""
        size = self._recipe.batch
        places = self._order[index * size : (index + 1) * size]
        rng = np.random.default_rng([self._recipe.seed, self._epoch, index])
        pictures = self._recipe.augment(self._pictures[places], rng)
        labels = self._labels[places]
        hot = np.eye(self._classes, dtype=np.float32)[labels]
        return pictures.astype(np.float32), hot, self._weights[labels]


def class_weights(labels: NDArray[np.int64], classes: int, balance: float) -> NDArray[np.float32]:
    """Weight of each class, n ** -balance, scaled so that the mean over the pictures is 1."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.maximum(counts, 1) ** -float(balance)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)


def _compiled(recipe: Recipe, steps: int, classes: int) -> keras.Model:
    model = build(recipe.network.name, recipe.input, classes, recipe.network.options)
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
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=recipe.loss.smoothing
        ),
        weighted_metrics=[],
        metrics=["accuracy"],
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


def _start_from(model: keras.Model, path: Path) -> None:
    other, _ = load_model(path)
    try:
        model.set_weights(other.get_weights())
    except ValueError as e:
        raise ModelError(
            f"{path} is not of the recipe's network; train from the recipe it was made with"
        ) from e


class _Average(keras.callbacks.Callback):  # type: ignore[misc]
    """A running average of all weights, batch-norm statistics with them.

    Averaged weights generalise better than the last ones and make validation calm (Polyak and
    Juditsky 1992). It is brought up to date every few steps only, which costs nothing and does
    not change the average.
    """

    EVERY = 4

    def __init__(self, decay: float) -> None:
        super().__init__()
        self._decay, self.seen = decay, 0
        self.weights: list[NDArray[np.float32]] = []

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if not self.weights:
            self.weights = [np.array(w) for w in model.get_weights()]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.seen += 1
        if self.seen % self.EVERY:
            return
        # In the beginning the average is short, so that it forgets the random weights.
        decay = min(self._decay, (1 + self.seen) / (10 + self.seen)) ** self.EVERY
        for average, weight in zip(self.weights, self.model.get_weights(), strict=True):
            average += (1 - decay) * (weight - average)

    def in_place(self) -> _Swapped:
        """The model with the average as its weights, while the block runs."""
        return _Swapped(self.model, self.weights)


class _Swapped:
    def __init__(self, model: keras.Model, weights: list[NDArray[np.float32]]) -> None:
        self._model, self._weights = model, weights

    def __enter__(self) -> None:
        self._own = self._model.get_weights()
        self._model.set_weights(self._weights)

    def __exit__(self, *_: object) -> None:
        self._model.set_weights(self._own)


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


def _save(
    path: Path,
    model: keras.Model,
    average: _Average,
    best: list[NDArray[np.float32]],
    state: _State,
) -> None:
    arrays = {
        **{f"model/{i}": np.asarray(v) for i, v in enumerate(model.variables)},
        **{f"optimizer/{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)},
        **{f"average/{i}": v for i, v in enumerate(average.weights)},
        **{f"best/{i}": v for i, v in enumerate(best)},
        "seen": np.array(average.seen),
        "state": np.array(json.dumps(vars(state))),
    }
    with write_whole(path) as part:
        np.savez(part, **arrays)  # type: ignore[arg-type]


def _restore(
    path: Path, model: keras.Model, average: _Average, state: _State
) -> list[NDArray[np.float32]]:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            saved = _State(**json.loads(str(arrays["state"])))
            for what, before, now in (
                ("data", saved.data, state.data),
                ("recipe, seed or number of epochs", saved.recipe, _plain(state.recipe)),
                ("model to start from", saved.start, state.start),
            ):
                if before != now:
                    raise InputError(
                        f"{path.parent} holds a run with another {what}; choose another --out"
                    )
            for i, variable in enumerate(model.variables):
                variable.assign(arrays[f"model/{i}"])
            for i, variable in enumerate(model.optimizer.variables):
                variable.assign(arrays[f"optimizer/{i}"])
            average.weights = [arrays[f"average/{i}"] for i in range(len(average.weights))]
            average.seen = int(arrays["seen"])
            best = [arrays[f"best/{i}"] for i in range(len(average.weights))]
    except InputError:
        raise
    except Exception as e:  # a damaged archive raises many kinds of errors
        raise InputError(f"{path} is no checkpoint of this version; choose another --out") from e
    state.__dict__.update(vars(saved))
    return best


def _plain(value: dict[str, Any]) -> Any:
    """The value as it comes back from JSON: tuples as lists."""
    return json.loads(json.dumps(value))


def _fingerprint(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_history(path: Path, rows: list[dict[str, float]]) -> None:
    lines = [",".join(rows[0]), *(",".join(str(v) for v in row.values()) for row in rows)]
    with write_whole(path) as part:
        part.write_text("\n".join(lines) + "\n")
