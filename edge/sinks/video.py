"""Annotated frames as a video file."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import StorageError
from edge_fer.files import part_beside, storage_error
from edge_fer.frame import Reading

_CODECS = {".webm": "VP80", ".avi": "MJPG"}
_RESERVE = 1 << 16


class VideoSink:
    """Saves the annotated frames as a video.

    Args:
        path: The file; its suffix chooses the format.
        fps: Frames a second of the file.
        paced: Frames come by themselves: repeat or leave out frames so that the video runs at the
            speed at which things happened.
    """

    def __init__(self, path: Path, fps: float, paced: bool = False) -> None:
        # MPEG-4 counts time in at most 65535 parts of a second.
        self._path, self._fps, self._paced = path, round(fps, 3 if fps < 65 else 2), paced
        self._part = part_beside(path)
        self._last: NDArray[np.uint8] | None = None
        self._writer: Any = None
        self._size = (0, 0)
        self._written = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            self._part.touch()
        except OSError as e:
            raise storage_error(path, e) from e

    def __enter__(self) -> Self:
        return self

    def write(self, reading: Reading) -> None:
        """Add one frame.

        Raises:
            StorageError: The disk is full.
        """
        picture = reading.annotated
        size = (picture.shape[1], picture.shape[0])
        if self._writer is None:
            codec = cv2.VideoWriter.fourcc(*_CODECS.get(self._path.suffix.lower(), "mp4v"))
            self._writer = cv2.VideoWriter(str(self._part), codec, self._fps, size)
            self._size = size
            if not self._writer.isOpened():
                raise StorageError(f"{self._path}: no video of {size[0]}x{size[1]} can be written")
        elif size != self._size:
            picture = cv2.resize(picture, self._size)
        if self._paced:
            # What was seen last stays until this frame's time; a frame before its time is left out.
            place = round(reading.frame.time * self._fps)
            while self._last is not None and self._written < place:
                self._add(self._last)
            self._last = picture
        if not self._paced or self._written <= place:
            self._add(picture)
        # OpenCV's writer does not say that it could not write.
        if shutil.disk_usage(self._path.parent).free < _RESERVE:
            raise StorageError(f"{self._path} cannot be written: No space left on device")

    def _add(self, picture: NDArray[np.uint8]) -> None:
        self._writer.write(picture)
        self._written += 1

    def __exit__(self, *raised: object) -> None:
        try:
            if self._writer is None:
                return
            self._writer.release()
            if any(isinstance(error, StorageError) for error in raised):
                return
            check = cv2.VideoCapture(str(self._part), cv2.CAP_FFMPEG)
            count = check.get(cv2.CAP_PROP_FRAME_COUNT)
            whole = check.isOpened() and count >= self._written - 1 and check.grab()
            check.release()
            if not whole:
                raise StorageError(f"{self._path} cannot be written whole: is the disk full?")
            try:
                self._part.replace(self._path)
            except OSError as e:
                raise storage_error(self._path, e) from e
        finally:
            self._part.unlink(missing_ok=True)
