"""Who it is: faces as embeddings, the people who are enrolled, and recognising them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import InputError
from edge_fer.face import Face

UNKNOWN = "unknown"
"""What a face is called that is nobody's who is enrolled, or that has not been looked at yet."""

Embedding = NDArray[np.float32]

EMBEDDERS = ("litert", "dlib")


class Embedder(Protocol):
    """What makes numbers of a face that lie near each other for one person."""

    @property
    def network(self) -> str:
        """Name and version: embeddings of two networks say nothing about each other."""

    @property
    def threshold(self) -> float:
        """Likeness (cosine of two embeddings) from which on two faces are one person's."""

    def embed(self, frame: NDArray[np.uint8], face: Face) -> Embedding:
        """The embedding of a face in a blue-green-red frame [H, W, 3], of length 1."""


def open_embedder(name: str = "litert", threads: int = 1) -> Embedder:
    """Open a network that tells people apart.

    Args:
        name: ``"litert"``: the shipped int8 network. ``"dlib"``: the ``face_recognition`` library.
        threads: Threads of the network (``"litert"`` only).

    Raises:
        InputError: The name is unknown.
        MissingPackageError: The library is not installed.
    """
    if name == "litert":
        from edge_fer.identity.litert import LiteRtEmbedder

        return LiteRtEmbedder(threads=threads)
    if name == "dlib":
        from edge_fer.identity.dlib_library import DlibEmbedder

        return DlibEmbedder()
    raise InputError(f"embedder {name!r} is unknown; choose one of {', '.join(EMBEDDERS)}")


def unit(vector: NDArray[np.floating]) -> Embedding:
    """The vector at length 1, or each row of a matrix."""
    length = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.asarray(vector / np.maximum(length, 1e-12), np.float32)
