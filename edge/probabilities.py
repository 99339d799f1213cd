"""From logits to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities over the last axis.

    Args:
        logits: Any shape [..., classes].
        temperature: Above 1 makes the probabilities more even.
    """
    scaled = (logits - logits.max(-1, keepdims=True)) / np.float32(temperature)
    grown = np.exp(scaled)
    return np.asarray(grown / grown.sum(-1, keepdims=True), np.float32)
