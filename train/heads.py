"""The truths that a network learns, each with a head of its own: some columns of its logits.

FER-2013's label tells how a picture was collected, FER+'s votes tell what ten people see in it.
A network that learns both at once sees more in each; a model that is shipped names one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import DataError
from edge_fer.labels import FERPLUS_LABELS
from edge_fer.train.dataset import Dataset
from edge_fer.train.recipe import Recipe
from edge_fer.train.truths import FER2013, FERPLUS
from edge_fer.train.votes import distribution

Targets = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """One truth.

    Attributes:
        name: ``"fer2013"`` or ``"ferplus"``.
        labels: Its classes.
        columns: Its place among the logits.
        weight: Its share in the loss.
    """

    name: str
    labels: tuple[str, ...]
    columns: slice
    weight: float


def heads_of(recipe: Recipe, data: Dataset) -> tuple[Head, ...]:
    """The heads of a network: first the one that the model is to name, then the other.

    Raises:
        DataError: The recipe's model names what people see, and the data has no votes.
    """
    first = recipe.targets.head
    if first == FERPLUS and data.votes is None:
        raise DataError(
            f"the recipe {recipe.name} learns what FER+'s taggers see; give --votes fer2013new.csv"
        )
    names = [first]
    if recipe.targets.other and data.votes is not None:
        names.append(FER2013 if first == FERPLUS else FERPLUS)
    heads: list[Head] = []
    start = 0
    for name in names:
        labels = FERPLUS_LABELS if name == FERPLUS else data.names
        weight = 1.0 if name == first else recipe.targets.other
        heads.append(Head(name, labels, slice(start, start + len(labels)), weight))
        start += len(labels)
    return tuple(heads)


def heads_inside(facts: Mapping[str, Any]) -> dict[str, Head]:
    """The heads of a trained network by name, from the facts in its file."""
    heads: dict[str, Head] = {}
    start = 0
    for name, labels in facts.get("heads") or [[FER2013, facts.get("labels", ())]]:
        heads[name] = Head(name, tuple(labels), slice(start, start + len(labels)), 1.0)
        start += len(labels)
    return heads


def width_of(heads: Sequence[Head]) -> int:
    """Number of logits."""
    return sum(len(head.labels) for head in heads)


def learned_targets(head: Head, data: Dataset, recipe: Recipe) -> Targets:
    """What a head is to say, [N, classes]: rows of probabilities, zero where nothing is known."""
    if head.name == FERPLUS and data.votes is not None:
        return distribution(data.votes, head.labels)
    smoothing = recipe.loss.smoothing
    hot = np.eye(len(head.labels), dtype=np.float32)[data.labels]
    return np.asarray((1 - smoothing) * hot + smoothing / len(head.labels), np.float32)


def picture_weights(head: Head, data: Dataset, recipe: Recipe) -> NDArray[np.float32]:
    """How much each picture counts for a head, [N]: its weight, rare classes more."""
    if head.name == FERPLUS:
        return np.full(len(data), head.weight, np.float32)
    balance = class_weights(data.labels, len(head.labels), recipe.loss.balance)
    return np.asarray(head.weight * balance[data.labels], np.float32)


def class_weights(labels: NDArray[np.int64], classes: int, balance: float) -> NDArray[np.float32]:
    """Weight of each class, n ** -balance, scaled so that the mean over the pictures is 1."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.maximum(counts, 1) ** -float(balance)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), np.float32)
