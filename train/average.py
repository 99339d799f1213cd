"""The running average of a network's weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


class WeightAverage(keras.callbacks.Callback):  # type: ignore[misc]
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
        """Average this model; the average starts as its weights."""
        super().set_model(model)
        if not self.weights:
            self.weights = [np.array(w) for w in model.get_weights()]

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Bring the average up to date, every few steps."""
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
