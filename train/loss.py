"""What training minimises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from edge_fer.train.heads import Head


def cross_entropy(heads: Sequence[Head]) -> Callable[[Any, Any], Any]:
    """The cross-entropy of targets and softmax, summed over the heads.

    Targets are probabilities times the weight of picture and head, so a row of zeros teaches
    nothing.
    """

    def loss(targets: Any, logits: Any) -> Any:
        return sum(
            -ops.sum(targets[:, h.columns] * ops.log_softmax(logits[:, h.columns]), axis=-1)
            for h in heads
        )

    return loss


def accuracy(head: Head) -> Callable[[Any, Any], Any]:
    """The share of pictures whose most probable class is the targets'."""

    def accuracy(targets: Any, logits: Any) -> Any:
        wanted = ops.argmax(targets[:, head.columns], axis=-1)
        return ops.cast(ops.equal(wanted, ops.argmax(logits[:, head.columns], axis=-1)), "float32")

    return accuracy
