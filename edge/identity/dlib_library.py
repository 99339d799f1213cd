"""The ``face_recognition`` library (dlib) as what tells people apart."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face
from edge_fer.identity import Embedding, unit
from edge_fer.packages import require


class DlibEmbedder:
    """dlib's landmarks, alignment and network, in floating point.

    Raises:
        MissingPackageError: ``face_recognition`` is not installed.
    """

    network = "dlib resnet v1"
    threshold = 0.932

    def __init__(self) -> None:
        # Without the last one face_recognition prints, and ends the process.
        needed = ("dlib", "face_recognition", "face_recognition_models", "pkg_resources")
        require("--embedder dlib", *needed)
        import face_recognition

        self._library = face_recognition

    def embed(self, frame: NDArray[np.uint8], face: Face) -> Embedding:
        """The embedding of a face in a blue-green-red frame [H, W, 3], of length 1."""
        x, y, width, height = (round(v) for v in face.box)
        place = (y, x + width, y + height, x)
        rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        return unit(self._library.face_encodings(rgb, [place], model="small")[0])
