"""Video in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from edge_fer.errors import SourceError
from edge_fer.frame import Frame


class Video:
    """A video frame by frame, none lost; rotated as the file asks.

    Args:
        path: A file, or the URL of one.

    Raises:
        SourceError: It is no video that FFmpeg can read.
    """

    live = False

    def __init__(self, path: Path | str) -> None:
        self._name = without_password(str(path))
        self.files: Sequence[Path] = (path,) if isinstance(path, Path) else ()
        broken = f"{self._name} is neither a picture nor a video, or is broken or cut short"
        # FFmpeg makes a film of any text, as a terminal would show it.
        if isinstance(path, Path) and _is_text(path):
            raise SourceError(broken)
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SourceError(broken)
        fps, count = (
            self._capture.get(cv2.CAP_PROP_FPS),
            self._capture.get(cv2.CAP_PROP_FRAME_COUNT),
        )
        self.fps: float | None = fps if 0 < fps < 1000 else 25.0
        self.count: int | None = int(count) if count > 0 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while True:
            good, pixels = self._capture.read()
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if not good:
                break
            if index and seconds <= 0:  # a container without timestamps
                seconds = index / (self.fps or 25)
            yield Frame(np.asarray(pixels, np.uint8), index, max(seconds, 0.0))
            index += 1
        # Containers only estimate their length, so a few frames less are no fault.
        if not index or (self.count and index < 0.9 * self.count - 2):
            raise SourceError(
                f"{self._name} is broken or cut short: {index} of {self.count or 'unknown'} frames"
                " could be read"
            )


def without_password(url: str) -> str:
    """A URL as it may stand in a log."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as f:
            head = f.read(4096)
        head.decode()
    except (OSError, UnicodeDecodeError):
        return False
    return b"\0" not in head and not head.startswith(b"#EXTM3U")
