"""Whether a face is seen well enough to tell whose it is."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.card import CropRule, InputSpec
from edge_fer.crop import crop_face
from edge_fer.face import Face

_EYES = 24.0
"""Least pixels between the eyes."""
_OVER = 0.1
"""Share of its box's width by which a face may reach over the picture's edge."""
_DARK, _BRIGHT = 40.0, 215.0
"""Mean grey level of the face."""
_FLAT = 14.0
"""Least standard deviation of the grey levels."""
_SHARP = 0.009
"""Least variance of the Laplacian, as a share of the grey levels' variance."""
_YAW = 0.3
"""Most that the nose is off the middle between the eyes, as a share of their distance."""
_PITCH = (0.2, 0.8)
"""Where the nose lies on the way from the eyes to the mouth."""
_SQUARE = CropRule(scale=1.0, shift=0.0)
_GREY = InputSpec(96, 96)


def flaw(frame: NDArray[np.uint8], face: Face) -> str | None:
    """What keeps a face from being recognised, in words to the person; None where nothing does.

    Args:
        frame: Blue-green-red [H, W, 3].
        face: Where the face is; its key points tell how it is turned.
    """
    right, left, nose, mouth = (complex(x, y) for x, y in face.keypoints[:4])
    height, width = frame.shape[:2]
    x, y, wide, high = face.box
    over = max(-x, -y, x + wide - width, y + high - height)
    if over > _OVER * wide:
        return "cut off by the picture's edge: move to the middle"
    eyes = abs(left - right)
    if eyes < _EYES:
        return f"too small, {eyes:.0f} pixels from eye to eye, not {_EYES:.0f} or more: come nearer"
    # With the eyes level: how far along the line between them, and how far down.
    axis = (left - right) / eyes
    nose, mouth = ((p - (right + left) / 2) / axis for p in (nose, mouth))
    if abs(nose.real) > _YAW * eyes:
        return "turned to the side: look into the camera"
    if not _PITCH[0] * mouth.imag < nose.imag < _PITCH[1] * mouth.imag:
        return "turned up or down: look into the camera"
    grey = crop_face(frame, face, _SQUARE, _GREY)[..., 0]
    level, spread = float(grey.mean()), float(grey.std())
    if level < _DARK:
        return "too dark: more light is needed"
    if level > _BRIGHT:
        return "too bright: less light is needed"
    if spread < _FLAT:
        return "without contrast: even light from the front is needed"
    if sharpness(grey) < _SHARP:
        return "blurred: hold still, or mend the focus"
    return None


def sharpness(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the variance of the grey levels: no matter how light it is."""
    edges = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return edges / max(float(grey.var()), math.ulp(1.0))
