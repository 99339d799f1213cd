"""The first step of fine-tuning: new logits on a trunk that is left as it is.

Logits that know nothing yet would pull the trunk about; so they first learn alone, from what the
trunk says of the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from edge_fer.train.batches import Batches
from edge_fer.train.heads import Head
from edge_fer.train.loss import cross_entropy

_RATE = 3e-3


def fit_logits(model: keras.Model, batches: Batches, heads: Sequence[Head], epochs: int) -> None:
    """Train the last layer of a network alone.

    Args:
        model: Its other layers are not changed, their batch norms neither.
        batches: What to learn from.
        heads: The truths that the logits tell.
        epochs: Passes over the pictures, each with other views of them.
    """
    *_, logits = model.layers
    trunk = keras.Model(model.inputs, logits.input)
    features = keras.Input(logits.input.shape[1:])
    head = keras.Model(features, keras.layers.Dense(logits.units)(features))
    head.set_weights(logits.get_weights())
    head.compile(keras.optimizers.Adam(_RATE), cross_entropy(heads), jit_compile=False)
    for epoch in range(epochs):
        batches.start(epoch)
        seen = [batches[i] for i in range(len(batches))]
        x = np.concatenate([trunk.predict_on_batch(pixels) for pixels, _ in seen])
        y = np.concatenate([wanted for _, wanted in seen])
        head.fit(x.astype(np.float32), y, batch_size=32, verbose=0)
    logits.set_weights(head.get_weights())
