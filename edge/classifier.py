"""From a face in a frame to the probabilities of the emotions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import unpack
from edge_fer.crop import crop_face
from edge_fer.errors import ModelError
from edge_fer.face import Face
from edge_fer.models import DEFAULT_MODEL, find_model
from edge_fer.network import Network
from edge_fer.probabilities import softmax


class Classifier:
    """An emotion model with its card.

    Args:
        model: Name of a shipped model, or path of a ``.tflite`` file with a card inside.
        threads: Threads of the network. One is best for a small network; more pay from about
            100 MMAC.
        leave_out: Classes that are never named; what probability they have, the others share.
            Contempt is so rare in FER+ that no model learns it well.

    Attributes:
        card: What the model takes, gives and is worth.
        labels: The classes that are named.

    Raises:
        ModelError: There is no such model, it is broken, or its card does not fit it.
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        threads: int = 1,
        leave_out: Collection[str] = ("contempt",),
    ) -> None:
        path = find_model(model)
        flatbuffer, self.card = unpack(path)
        self._network = Network(flatbuffer, str(path), threads)
        spec, network = self.card.input, self._network
        if network.input_shape != (spec.height, spec.width, spec.channels):
            raise ModelError(f"{path}: the model takes {network.input_shape}, its card says {spec}")
        if network.classes != len(self.card.labels):
            raise ModelError(
                f"{path}: the model gives {network.classes} numbers and its card names"
                f" {len(self.card.labels)} labels; fetch or convert the model again"
            )
        self._columns = [i for i, x in enumerate(self.card.labels) if x not in leave_out]
        self.labels = tuple(self.card.labels[i] for i in self._columns)

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits [N, classes] of prepared pictures [N, H, W, C], 0..255."""
        return self._network.logits(pictures)

    def classify(self, frame: NDArray[np.uint8], faces: Sequence[Face]) -> list[Face]:
        """The faces with their emotions.

        Args:
            frame: The blue-green-red frame [H, W, 3] that they were found in.
            faces: What the detector found.
        """
        if not faces:
            return []
        card = self.card
        pictures = np.stack([crop_face(frame, face, card.crop, card.input) for face in faces])
        rows = softmax(self.logits(pictures)[:, self._columns], card.temperature)
        return [self._labelled(face, row) for face, row in zip(faces, rows, strict=True)]

    def _labelled(self, face: Face, probabilities: NDArray[np.float32]) -> Face:
        best = int(probabilities.argmax())
        return replace(
            face,
            emotion=self.labels[best],
            confidence=float(probabilities[best]),
            uncertain=bool(probabilities[best] < self.card.threshold),
            probabilities=dict(zip(self.labels, map(float, probabilities), strict=True)),
        )
