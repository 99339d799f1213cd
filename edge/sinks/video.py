"""Annotated frames as a video file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Self

import cv2

from edge_fer.errors import StorageError
from edge_fer.files import storage_error
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
        self._path, self._fps, self._paced = path, fps, paced
        self._part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
        self._writer: Any = None
        self._size = (0, 0)
        self._written = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
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
        times = 1
        if self._paced:
            times = max(round(reading.frame.time * self._fps) + 1 - self._written, 0)
        for _ in range(times):
            self._writer.write(picture)
        self._written += times
        # OpenCV's writer does not say that it could not write.
        if shutil.disk_usage(self._path.parent).free < _RESERVE:
            raise StorageError(f"{self._path} cannot be written: No space left on device")

    def __exit__(self, *raised: object) -> None:
        try:
            if self._writer is None:
                return
            self._writer.release()
            if any(isinstance(error, StorageError) for error in raised):
                return
            check = cv2.VideoCapture(str(self._part), cv2.CAP_FFMPEG)
            whole = check.isOpened() and check.get(cv2.CAP_PROP_FRAME_COUNT) >= self._written - 1
            check.release()
            if not whole:
                raise StorageError(f"{self._path} cannot be written whole: is the disk full?")
            try:
                self._part.replace(self._path)
            except OSError as e:
                raise storage_error(self._path, e) from e
        finally:
            self._part.unlink(missing_ok=True)
