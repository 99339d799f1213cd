"""Cameras and network streams, through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

import cv2
import numpy as np

from edge_fer.errors import SourceError, SourceLostError
from edge_fer.frame import Frame
from edge_fer.sources.video import Video, without_password


class _Live:
    """Frames that come by themselves, from an open capture."""

    live, count, files = True, None, ()

    def __init__(self, name: str, capture: Any) -> None:
        self._name, self._capture = name, capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps: float | None = fps if 0 < fps < 1000 else 30.0
        self.length = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        start, index = time.monotonic(), 0
        while True:
            good, pixels = self._capture.read()
            if not good:
                raise SourceLostError(f"{self._name} gave {index} frames and then no more")
            yield Frame(
                np.asarray(pixels, np.uint8), index, time.monotonic() - start, clock=time.time()
            )
            index += 1


class Camera(_Live):
    """A USB camera through Video4Linux.

    Args:
        device: Its number, or ``/dev/videoN``.
        width: Columns to ask for.
        height: Rows to ask for.
        fps: Frames a second to ask for.

    Raises:
        SourceError: It does not open.
    """

    def __init__(
        self,
        device: str,
        *,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
    ) -> None:
        number = int(device) if device.isdigit() else device
        capture = cv2.VideoCapture(number, cv2.CAP_V4L2)
        if not capture.isOpened():
            raise SourceError(
                f"camera {device} does not open: not plugged in, used by another program, or not"
                " permitted (v4l2-ctl --list-devices shows what is there)"
            )
        # Raw pictures fill a USB 2 bus at a few frames a second; and a queue of old frames is
        # what makes live pictures lag.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for prop, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
        ):
            if value is not None:
                capture.set(prop, value)
        super().__init__(f"camera {device}", capture)


def open_url(url: str, stall: float = 10.0) -> Stream | Video:
    """A live stream, or a video file that lies on a server: FFmpeg knows how long that is.

    Args:
        url: Where it is.
        stall: Seconds after which a read that gets nothing gives up.

    Raises:
        SourceError: It does not open.
    """
    stream = Stream(url, stall)
    if not stream.length:
        return stream
    stream.__exit__()
    return Video(url)


class Stream(_Live):
    """A network stream through FFmpeg: RTSP, HTTP, HLS.

    Args:
        url: Where it is.
        stall: Seconds after which a read that gets nothing gives up.

    Raises:
        SourceError: It does not open.
    """

    def __init__(self, url: str, stall: float = 10.0) -> None:
        name = without_password(url)
        # A reader that was given up must not wait much longer than its owner did.
        wait = round(1000 * stall) + 1000
        capture = cv2.VideoCapture(
            url,
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait],
        )
        if not capture.isOpened():
            raise SourceError(f"the stream {name} does not open: check the address and the network")
        super().__init__(name, capture)
