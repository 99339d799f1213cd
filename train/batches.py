"""Training batches, the same for the same seed and epoch."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.train.dataset import Dataset
from edge_fer.train.recipe import Recipe


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
