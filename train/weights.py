"""Weights from one network to another: of one head alone, or as a start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from edge_fer.errors import ModelError
from edge_fer.train.heads import Head, heads_inside
from edge_fer.train.keras_file import load_model
from edge_fer.train.networks import build_recipe
from edge_fer.train.prune import prune
from edge_fer.train.recipe import Recipe


def one_head(model: keras.Model, recipe: Recipe, head: Head) -> keras.Model:
    """The network with one head's logits only, float32.

    Args:
        model: The network with all heads.
        recipe: What it was built by.
        head: The one to keep.
    """
    single = build_recipe(recipe, len(head.labels))
    *trunk, kernel, bias = model.get_weights()
    single.set_weights([*trunk, kernel[:, head.columns], bias[head.columns]])
    return single


def start_from(model: keras.Model, heads: Sequence[Head], path: Path) -> None:
    """Give a network the weights of a trained one, or the strongest of them.

    The logits' weights go over for the heads that both know; others keep their own.

    Args:
        model: The network.
        heads: Its heads.
        path: A ``.keras`` model of the same network, or of a larger one of its kind.

    Raises:
        ModelError: It is of another network.
    """
    other, facts = load_model(path)
    try:
        *trunk, kernel, bias = prune(other, model)
    except ModelError as e:
        raise ModelError(
            f"{path} is neither of the recipe's network nor of a larger one of its kind: {e}; train"
            " from the recipe it was made with"
        ) from e
    *_, own_kernel, own_bias = model.get_weights()
    known = heads_inside(facts)
    for head in heads:
        there = known.get(head.name)
        if there is not None and there.labels == head.labels:
            own_kernel[:, head.columns] = kernel[:, there.columns]
            own_bias[head.columns] = bias[there.columns]
    model.set_weights([*trunk, own_kernel, own_bias])
