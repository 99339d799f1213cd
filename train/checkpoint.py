"""Where a training run stands, as one file that is written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import InputError
from edge_fer.files import write_whole
from edge_fer.train.average import WeightAverage


@dataclass
class State:
    """What a checkpoint holds beside the arrays.

    Attributes:
        recipe: The recipe, as plain data.
        data: Fingerprint of the data set.
        start: Hash of the model whose weights the run started from.
        epoch: Epochs done.
        best_epoch: The epoch of the best validation accuracy, from 1.
        best_accuracy: That accuracy.
        history: A row an epoch.
    """

    recipe: dict[str, Any]
    data: str
    start: str | None = None
    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)


def save(
    path: Path,
    model: keras.Model,
    average: WeightAverage,
    best: list[NDArray[np.float32]],
    state: State,
) -> None:
    """Write a checkpoint.

    Args:
        path: The file.
        model: Its weights, random states and optimizer.
        average: The running average.
        best: The best weights so far.
        state: The rest.

    Raises:
        StorageError: The file cannot be written.
    """
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


def restore(
    path: Path, model: keras.Model, average: WeightAverage, state: State
) -> list[NDArray[np.float32]]:
    """Read a checkpoint into a model, an average and a state that were made anew.

    Args:
        path: The file.
        model: Gets its weights, random states and optimizer back.
        average: Gets its weights back.
        state: Gets its progress back; its recipe, data and start must be the checkpoint's.

    Returns:
        The best weights so far.

    Raises:
        InputError: The file is damaged, or of another run.
    """
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            saved = State(**json.loads(str(arrays["state"])))
            for what, before, now in (
                ("data", saved.data, state.data),
                ("recipe, seed or number of epochs", saved.recipe, state.recipe),
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
