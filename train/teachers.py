"""Networks that teach another one what they see.

A trained network's probabilities tell more than a label: how much fear there is in a surprise
(Hinton et al., "Distilling the Knowledge in a Neural Network", 2015). Teachers look at the very
view that the student is shown (Beyer et al., "Knowledge distillation: a good teacher is patient and
consistent", 2021), once for each of a number of views; what they said is kept in the teacher's
folder and serves every student after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import InputError, RecipeError
from edge_fer.files import write_whole
from edge_fer.probabilities import softmax
from edge_fer.train.folder import full_model
from edge_fer.train.heads import Head, heads_inside
from edge_fer.train.keras_file import input_spec, load_model
from edge_fer.train.networks import build_recipe
from edge_fer.train.recipe import Recipe


class Teacher:
    """A trained network that is asked about views.

    Args:
        folder: Of its training run.
        heads: The truths that the student learns, which the teacher must know.
        recipe: The student's: input, augmentation and seed make the views.
        data: Fingerprint of the student's data set.
        on_step: Told what takes time.

    Raises:
        InputError: The folder holds no teacher, or one that was trained on other data.
        RecipeError: Its input or its truths are not the student's.
    """

    def __init__(
        self,
        folder: Path,
        heads: Sequence[Head],
        recipe: Recipe,
        data: str,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        path = full_model(folder)
        model, facts = load_model(path)
        if facts.get("data", {}).get("sha256") != data:
            raise InputError(f"{folder}: the teacher was trained on other data; train it anew")
        if input_spec(model, facts, path) != recipe.input:
            raise RecipeError(f"{folder}: the teacher's input is not that of {recipe.name}")
        known = heads_inside(facts)
        missing = [h.name for h in heads if h.name not in known]
        if missing:
            raise RecipeError(
                f"{folder}: the teacher does not know {', '.join(missing)}; train it with --votes"
            )
        self._columns = [known[h.name].columns for h in heads]
        self._model, self._recipe, self._on_step = (
            _at(recipe.precision, model, facts),
            recipe,
            on_step,
        )
        self._name = folder.name
        views = recipe.augment.of_views()
        key = json.dumps([views, asdict(recipe.input), recipe.seed, recipe.precision, data])
        digest = hashlib.sha256(key.encode() + path.read_bytes()).hexdigest()[:12]
        self._said = folder / f"said-{digest}"

    def say(self, pictures: NDArray[np.uint8], view: int) -> NDArray[np.float32]:
        """What the teacher sees in a view of the training pictures.

        Args:
            pictures: The prepared training split [N, H, W, C].
            view: Number of the view.

        Returns:
            Probabilities [N, K], in the student's columns.

        Raises:
            StorageError: They cannot be kept.
        """
        path = self._said / f"{view:03}.npy"
        if path.exists():
            logits = np.load(path)
        else:
            self._on_step(f"{self._name} looks at view {view + 1} of {self._recipe.targets.views}")
            logits = self._look(pictures, view).astype(np.float16)
            with write_whole(path) as part, part.open("wb") as file:
                np.save(file, logits)
        logits = logits.astype(np.float32)
        return np.concatenate([softmax(logits[:, columns]) for columns in self._columns], 1)

    def _look(self, pictures: NDArray[np.uint8], view: int) -> NDArray[np.float32]:
        size, recipe = 256, self._recipe
        rows = []
        for start in range(0, len(pictures), size):
            places = np.arange(start, min(start + size, len(pictures)))
            seen = recipe.augment.view(pictures[places], places, recipe.seed, view)
            # A face says the same in the mirror: two looks are surer than one.
            both = np.concatenate([seen, seen[:, :, ::-1]]).astype(np.float32)
            rows.append(self._model.predict_on_batch(both).reshape(2, len(places), -1).mean(0))
        return np.concatenate(rows).astype(np.float32)


def _at(precision: str, model: keras.Model, facts: dict[str, object]) -> keras.Model:
    """The network once more, computing in another precision."""
    recipe = Recipe.from_dict(facts["recipe"])  # type: ignore[arg-type]
    made = build_recipe(recipe, model.output_shape[1], precision)
    made.set_weights(model.get_weights())
    return made
