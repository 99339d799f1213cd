"""Training batches, the same for the same seed and epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.train.dataset import Dataset
from edge_fer.train.heads import Head, learned_targets, picture_weights
from edge_fer.train.recipe import Recipe
from edge_fer.train.teachers import Teacher


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Augmented pictures and what to say of them; the same seed and epoch give the same.

    Args:
        data: The training split.
        recipe: Batch size, seed, input, targets and augmentation.
        heads: The truths to learn.
        teachers: Networks that say what they see in each view.
    """

    def __init__(
        self,
        data: Dataset,
        recipe: Recipe,
        heads: Sequence[Head],
        teachers: Sequence[Teacher] = (),
    ) -> None:
        super().__init__(workers=1)
        self._recipe, self._teachers = recipe, teachers
        self._pictures = data.prepared(recipe.input)
        self._targets = np.concatenate([learned_targets(h, data, recipe) for h in heads], 1)
        self._weights = np.concatenate(
            [np.repeat(picture_weights(h, data, recipe)[:, None], len(h.labels), 1) for h in heads],
            1,
        )
        self.start(0)

    def start(self, epoch: int) -> None:
        """Put the pictures in the order of an epoch, counted from 0, and ask the teachers."""
        recipe = self._recipe
        self._epoch = epoch
        self._view = epoch % recipe.targets.views if self._teachers else epoch
        self._order = np.random.default_rng([recipe.seed, epoch]).permutation(len(self._pictures))
        wanted = self._targets
        if self._teachers:
            taught = np.mean([t.say(self._pictures, self._view) for t in self._teachers], 0)
            wanted = (1 - recipe.targets.teach) * wanted + recipe.targets.teach * taught
        self._wanted = (wanted * self._weights).astype(np.float32)

    def __len__(self) -> int:
        return math.ceil(len(self._pictures) / self._recipe.batch)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Pixels [B, H, W, C] and weighted targets [B, K], both float32."""
        recipe = self._recipe
        places = self._order[index * recipe.batch : (index + 1) * recipe.batch]
        views = recipe.augment.view(self._pictures[places], places, recipe.seed, self._view)
        rng = np.random.default_rng([recipe.seed, self._epoch, index])
        covered = recipe.augment.cover(views, rng).astype(np.float32)
        return recipe.augment.mix(covered, self._wanted[places], rng)
