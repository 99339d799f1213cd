"""Drawing what was read onto a frame."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face

_FONT = cv2.FONT_HERSHEY_SIMPLEX
COLORS = {
    "angry": (60, 60, 230),
    "disgust": (90, 170, 60),
    "fear": (200, 90, 150),
    "happy": (60, 200, 250),
    "sad": (220, 140, 60),
    "surprise": (200, 210, 70),
    "neutral": (200, 200, 200),
    "contempt": (120, 130, 190),
}
"""Blue, green, red of each emotion; told apart by people with red-green blindness too."""
_WHITE, _DARK = (255, 255, 255), (25, 25, 25)


def annotate(
    pixels: NDArray[np.uint8], faces: Sequence[Face], blurred: bool = False
) -> NDArray[np.uint8]:
    """A copy of a frame with every face's box, emotion and probabilities.

    Args:
        pixels: Blue-green-red [H, W, 3].
        faces: Classified faces.
        blurred: Make the faces unrecognisable.
    """
    canvas = pixels.copy()
    for face in faces if blurred else ():
        _blur(canvas, face)
    for face in faces:
        _draw_face(canvas, face)
    return canvas


def hide(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame of a handful of blocks, in which nobody can be recognised."""
    blocks = cv2.resize(pixels, (8, 6), interpolation=cv2.INTER_AREA)
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(cv2.resize(blocks, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _blur(canvas: NDArray[np.uint8], face: Face) -> None:
    """Leave a handful of blocks of the head: coarser than any recognition can use."""
    x, y, w, h = face.box
    left, top = max(round(x - 0.25 * w), 0), max(round(y - 0.45 * h), 0)
    right, bottom = max(round(x + 1.25 * w), 0), max(round(y + 1.25 * h), 0)
    head = canvas[top:bottom, left:right]
    if head.size:
        head[:] = hide(head)


def _draw_face(canvas: NDArray[np.uint8], face: Face) -> None:
    height, width = canvas.shape[:2]
    x, y, w, h = (round(v) for v in face.box)
    color = COLORS.get(face.emotion or "", _WHITE)
    # Text grows with the face, between what can be read and what covers the picture.
    size = float(np.clip(w / 160, 0.4, max(0.4, min(width, height) / 400)))
    line = max(1, round(size * 1.6))
    cv2.rectangle(canvas, (x, y), (x + w, y + h), color, line, cv2.LINE_AA)
    if face.emotion is None:
        return
    mark = "?" if face.uncertain else ""
    # The font has the letters of ASCII alone.
    plain = unicodedata.normalize("NFKD", face.person or "").encode("ascii", "ignore").decode()
    who = plain.strip() or face.id
    name = f"{who}: " if who is not None else ""
    _tag(canvas, f"{name}{face.emotion}{mark} {face.confidence:.0%}", (x, y), size, color)
    _bars(canvas, face, (x, y, w, h), size)


def _tag(
    canvas: NDArray[np.uint8],
    text: str,
    corner: tuple[int, int],
    size: float,
    color: tuple[int, ...],
) -> None:
    """Text on a filled box above a corner, moved so that it stays inside the picture."""
    (w, h), below = cv2.getTextSize(text, _FONT, size, 1)
    pad = max(2, round(4 * size))
    x = int(np.clip(corner[0], 0, max(0, canvas.shape[1] - w - 2 * pad)))
    y = max(corner[1], h + below + 2 * pad)
    cv2.rectangle(canvas, (x, y - h - below - 2 * pad), (x + w + 2 * pad, y), color, -1)
    thick = max(1, round(size * 1.5))
    cv2.putText(
        canvas, text, (x + pad, y - below - pad + 1), _FONT, size, _DARK, thick, cv2.LINE_AA
    )


def _bars(
    canvas: NDArray[np.uint8], face: Face, box: tuple[int, int, int, int], size: float
) -> None:
    """The probabilities as bars on the right of the box, or on the left where there is no room."""
    small = max(0.3, size * 0.62)
    (text, tall), _ = cv2.getTextSize("surprise", _FONT, small, 1)
    row, pad = round(tall * 1.7), max(3, round(5 * size))
    length = max(24, round(60 * size))
    w, h = text + length + 3 * pad, row * len(face.probabilities) + 2 * pad
    x = box[0] + box[2] + pad
    if x + w > canvas.shape[1]:
        x = box[0] - w - pad
    if x < 0 or h > canvas.shape[0]:
        return
    y = int(np.clip(box[1], 0, canvas.shape[0] - h))
    panel = canvas[y : y + h, x : x + w]
    panel[:] = panel // 3
    for number, (name, share) in enumerate(face.probabilities.items()):
        base = y + pad + number * row
        color = COLORS.get(name, _WHITE)
        cv2.putText(canvas, name, (x + pad, base + tall), _FONT, small, _WHITE, 1, cv2.LINE_AA)
        left = x + text + 2 * pad
        cv2.rectangle(canvas, (left, base), (left + length, base + tall), (90, 90, 90), 1)
        end = left + round(length * share)
        cv2.rectangle(canvas, (left, base), (end, base + tall), color, -1)
