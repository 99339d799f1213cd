"""Annotated frames as picture files."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import cv2
import numpy as np

from edge_fer.errors import StorageError
from edge_fer.files import write_whole
from edge_fer.frame import Reading


class PictureSink:
    """Saves every annotated frame as a picture, each file whole or not at all.

    Args:
        folder: Where to; made where it is missing.
        name: File name where there is one frame only; else the source's own names are kept, and
            frames of a video are numbered.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self._folder, self._name = folder, name
        self._used: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, reading: Reading) -> None:
        """Save one frame.

        Raises:
            StorageError: The disk is full, or the folder is not writable.
        """
        frame = reading.frame
        name = self._name or frame.name or f"frame-{frame.index:06}.jpg"
        wanted, number = Path(name), frame.index
        while name in self._used:  # two folders of a glob may hold files of the same name
            name, number = f"{wanted.stem}-{number}{wanted.suffix}", number + 1
        self._used.add(name)
        path = self._folder / name
        pixels = reading.annotated
        if path.suffix.lower() == ".pgm":  # grey by definition
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        good, data = cv2.imencode(path.suffix, pixels)
        if not good:
            raise StorageError(f"{path}: the picture cannot be encoded")
        with write_whole(path) as part:
            part.write_bytes(data.tobytes())
