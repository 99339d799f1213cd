"""Frames with a known number of faces in them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks import FRAME_SIZE, PICTURE

MOST_FACES = 12
"""More would be too small in a frame for BlazeFace, which sees it in 128x128 pixels."""

_FACE = (177, 82, 96)
"""Left, top and side of the face in the picture."""
_ROOM = 1.3
"""Sides of the face that its cell is wide or high at least."""
_LARGEST = 0.35
"""Share of the frame's height that a face fills at most: a person before a camera."""


@dataclass(frozen=True)
class Scene:
    """What the pipeline is timed on.

    Attributes:
        width: Columns of the frame.
        height: Rows.
        faces: Number of faces in it, 1 to ``MOST_FACES``.
        detect_every: The detector runs every so many frames; between, faces are followed.
    """

    width: int = FRAME_SIZE[0]
    height: int = FRAME_SIZE[1]
    faces: int = 1
    detect_every: int = 1

    @property
    def size(self) -> str:
        """The frame's size in words."""
        return f"{self.width}x{self.height}"

    @property
    def words(self) -> str:
        """The scene in words."""
        faces = f"{self.faces} face{'s' if self.faces > 1 else ''}"
        return f"{self.size}, {faces}" + (
            f", detecting every {self.detect_every}" if self.detect_every > 1 else ""
        )


TYPICAL = (Scene(faces=2), Scene(faces=2, detect_every=3))
"""What a model has to hold a frame rate on: two people before a camera, each frame or every third
given to the detector."""


def draw(scene: Scene) -> NDArray[np.uint8]:
    """The blue-green-red frame of a scene: the same head in the cells of a grid."""
    portrait = cv2.imread(str(PICTURE))
    width, height, faces = scene.width, scene.height, scene.faces
    columns = max(range(1, faces + 1), key=lambda n: min(width / n, height / -(-faces // n)))
    rows = -(-faces // columns)
    cell_width, cell_height = width // columns, height // rows
    left, top, side = _FACE
    scale = min(min(cell_width, cell_height) / _ROOM, _LARGEST * height) / side
    shift_x = cell_width / 2 - scale * (left + side / 2)
    shift_y = cell_height / 2 - scale * (top + side / 2)
    head = cv2.warpAffine(
        portrait,
        np.array([[scale, 0, shift_x], [0, scale, shift_y]]),
        (cell_width, cell_height),
        borderMode=cv2.BORDER_REPLICATE,
    )
    frame = np.full((height, width, 3), 128, np.uint8)
    for place in range(faces):
        row, column = divmod(place, columns)
        y, x = row * cell_height, column * cell_width
        frame[y : y + cell_height, x : x + cell_width] = head
    return frame
