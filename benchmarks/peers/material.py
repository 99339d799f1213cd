"""What every peer is shown: raw pixels in files, decoded before anything is timed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.detector import open_detector
from edge_fer.files import write_whole
from edge_fer.sources.video import Video
from edge_fer.tracking.tracker import Box


@dataclass(frozen=True)
class Pixels:
    """Pictures of one size, uint8 [count, height, width, 3], in files without a header.

    Attributes:
        files: By the order of the channels, ``"bgr"`` and ``"rgb"``.
        count: Number of pictures.
        height: Of each.
        width: Of each.
        fps: Pictures a second, where they are a video.
    """

    files: dict[str, Path]
    count: int
    height: int
    width: int
    fps: float = 25.0

    def request(self, read: str, color: str, most: int | None = None) -> dict[str, Any]:
        """What asks a worker to read them (see ``workers/protocol.py``).

        Args:
            read: ``"faces"`` or ``"frames"``.
            color: ``"bgr"`` or ``"rgb"``.
            most: The first so many, not all.
        """
        return {
            "read": read,
            "path": str(self.files[color].resolve()),
            "count": self.count if most is None else min(self.count, most),
            "height": self.height,
            "width": self.width,
            "fps": self.fps,
        }


@dataclass(frozen=True)
class Clip:
    """A video and the faces in it.

    Attributes:
        name: Of the file.
        pixels: Its frames.
        faces: The boxes in each frame that a peer is to find.
    """

    name: str
    pixels: Pixels
    faces: list[list[Box]]


def write_pixels(pictures: Iterable[NDArray[np.uint8]], place: Path, fps: float = 25.0) -> Pixels:
    """Write pictures to ``PLACE.bgr`` and ``PLACE.rgb``.

    Args:
        pictures: Blue-green-red [H, W, 3], or grey [H, W], of one size; at least one.
        place: Where to, without a suffix.
        fps: Pictures a second.

    Raises:
        StorageError: The disk is full.
    """
    files = {color: place.with_name(f"{place.name}.{color}") for color in ("bgr", "rgb")}
    count, shape = 0, (0, 0)
    with ExitStack() as stack:
        parts = {color: stack.enter_context(write_whole(file)) for color, file in files.items()}
        bgr, rgb = (stack.enter_context(part.open("wb")) for part in parts.values())
        for picture in pictures:
            if picture.ndim == 2:
                picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
            bgr.write(picture.tobytes())
            rgb.write(picture[..., ::-1].tobytes())
            count, shape = count + 1, picture.shape[:2]
    return Pixels(files, count, *shape, fps)


def write_clip(video: Path, place: Path) -> Clip:
    """Decode a video, and find the faces that are in it.

    They are those that BlazeFace, run by LiteRT on every frame, finds: a reference, not a truth.

    Raises:
        SourceError: It is no video.
        StorageError: The disk is full.
    """
    faces: list[list[Box]] = []
    with Video(video) as source, open_detector("blazeface") as detector:

        def frames() -> Iterable[NDArray[np.uint8]]:
            for frame in source:
                faces.append([face.box for face in detector.detect(frame.pixels)])
                yield frame.pixels

        pixels = write_pixels(frames(), place, source.fps or 25.0)
    return Clip(video.name, pixels, faces)


def hits(faces: list[Box], boxes: list[Box]) -> int:
    """How many of the faces the boxes tell; each box tells one face at most.

    Detectors frame a face in ways of their own, some with the hair, some without the chin. So a box
    tells a face where the centre of each lies in the other, and neither is twice as wide.
    """
    left = list(boxes)
    count = 0
    for face in faces:
        box = next((box for box in left if _same(face, box)), None)
        if box is not None:
            left.remove(box)
            count += 1
    return count


def _same(box: Box, other: Box) -> bool:
    inside = _centre_inside(box, other) and _centre_inside(other, box)
    return inside and max(box[2], other[2]) <= 2 * min(box[2], other[2])


def _centre_inside(box: Box, other: Box) -> bool:
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    return other[0] <= x <= other[0] + other[2] and other[1] <= y <= other[1] + other[3]
