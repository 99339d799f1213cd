"""The shipped network that tells people apart, on LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import unpack
from edge_fer.crop import crop_face
from edge_fer.errors import ModelError
from edge_fer.face import Face
from edge_fer.identity import Embedding, unit
from edge_fer.models import IDENTITY
from edge_fer.network import Network


class LiteRtEmbedder:
    """An embedding network with its card.

    Args:
        model: A ``.tflite`` file with a card inside that names no labels.
        threads: Threads of the network.

    Attributes:
        card: What the network takes, and is worth.

    Raises:
        ModelError: The file is broken, is no embedding network, or its card does not fit it.
    """

    def __init__(self, model: Path = IDENTITY, threads: int = 1) -> None:
        flatbuffer, self.card = unpack(model)
        self._network = Network(flatbuffer, str(model), threads)
        spec = self.card.input
        shape = (spec.height, spec.width, spec.channels)
        if self.card.labels or self._network.input_shape != shape:
            raise ModelError(f"{model} is not a network that tells people apart")

    @property
    def network(self) -> str:
        """Name and version."""
        return f"{self.card.name} {self.card.version}"

    @property
    def threshold(self) -> float:
        """Likeness from which on two faces are one person's."""
        return self.card.threshold

    def embed(self, frame: NDArray[np.uint8], face: Face) -> Embedding:
        """The embedding of a face in a blue-green-red frame [H, W, 3], of length 1."""
        picture = crop_face(frame, face, self.card.crop, self.card.input)
        return unit(self._network.logits(picture[None])[0])
