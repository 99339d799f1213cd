"""A video that is played again and again, as if it were a camera."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from edge_fer.frame import Frame
from edge_fer.sources.video import Video


class Looped:
    """A video file at its own pace, for ever.

    Args:
        path: The file.

    Raises:
        SourceError: It is no video.
    """

    live, count = True, None

    def __init__(self, path: Path) -> None:
        self.files: Sequence[Path] = (path,)
        self._path, self._video = path, Video(path)
        self.fps = self._video.fps

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._video.__exit__()

    def __iter__(self) -> Iterator[Frame]:
        pause = 1 / (self.fps or 25)
        start = time.monotonic()
        while True:
            due = 0.0
            for frame in self._video:
                due = frame.time
                time.sleep(max(start + due - time.monotonic(), 0))
                yield replace(frame, clock=time.time())
            start += due + pause
            self._video.__exit__()
            self._video = Video(self._path)
