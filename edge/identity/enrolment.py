"""Looks at a person that are good enough to know them by."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.card import CropRule, InputSpec
from edge_fer.crop import crop_face
from edge_fer.detector import Detector
from edge_fer.face import Face
from edge_fer.identity import Embedder, Embedding
from edge_fer.identity.quality import flaw

_KEPT = CropRule(scale=1.6, shift=0.1), InputSpec(224, 224, 3, "bgr")
"""What is kept of a picture where that is asked for: the head."""


@dataclass(frozen=True, eq=False)
class Look:
    """One look at a person.

    Attributes:
        face: Where they are in the picture.
        embedding: What the network makes of them.
        picture: The head as a JPEG.
    """

    face: Face
    embedding: Embedding
    picture: bytes


def look_at(frame: NDArray[np.uint8], detector: Detector, embedder: Embedder) -> Look | str:
    """Look at the one person in a picture.

    Args:
        frame: Blue-green-red [H, W, 3].
        detector: What finds them.
        embedder: What tells people apart.

    Returns:
        The look, or why the picture will not do.
    """
    faces = detector.detect(frame)
    if not faces:
        return "no face is found"
    if len(faces) > 1:
        return f"{len(faces)} faces: there must be one alone"
    face = faces[0]
    reason = flaw(frame, face)
    if reason:
        return f"the face is {reason}"
    head = cv2.imencode(".jpg", crop_face(frame, face, *_KEPT))[1].tobytes()
    return Look(face, embedder.embed(frame, face), head)
