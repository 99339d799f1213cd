"""A picture or a stream of JPEG pictures (MJPEG) on standard input."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import SourceError
from edge_fer.frame import Frame

_CHUNK = 1 << 16
_LARGEST = 1 << 26
_POLL = 0.1
_START = b"\xff\xd8"


class StandardInput:
    """Pictures from a pipe, in order, none lost: the writer waits while they are read.

    ``rpicam-vid -t 0 --codec mjpeg -o - | edge-fer run -``, or ``edge-fer run - < face.png``.

    Args:
        stream: Where to read; standard input if None.

    Raises:
        SourceError: What comes first is no picture.
    """

    live, files = False, ()

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stopped = False
        self._pictures = _pictures(self._reads(stream or sys.stdin.buffer))
        first = list(islice(self._pictures, 2))  # the second tells that more are to come
        if not first or _decoded(first[0]) is None:
            raise SourceError("standard input holds no picture: send JPEG pictures, or one PNG")
        self._first = first
        single = len(first) == 1
        self.count: int | None = 1 if single else None
        self.fps: float | None = None if single else 25.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stop(self) -> None:
        """End the iteration soon; may be called from a signal handler."""
        self._stopped = True

    def _reads(self, stream: BinaryIO) -> Iterator[bytes]:
        """What the stream holds, piece by piece, until it ends or is to be stopped."""
        while not self._stopped:
            if stream is not sys.stdin.buffer or select.select([stream], [], [], _POLL)[0]:
                chunk = stream.read1(_CHUNK)  # type: ignore[attr-defined]
                if not chunk:
                    return
                yield chunk

    def __iter__(self) -> Iterator[Frame]:
        start, index = time.monotonic(), 0
        name = "standard input" if self.count == 1 else None
        for content in chain(self._first, self._pictures):
            pixels = _decoded(content)
            if pixels is not None:
                seconds = 0.0 if name else time.monotonic() - start
                yield Frame(pixels, index, seconds, name=name)
                index += 1


def _decoded(content: bytes) -> NDArray[np.uint8] | None:
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        return None if pixels is None else np.asarray(pixels, np.uint8)
    except cv2.error:
        return None


def _pictures(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The JPEG pictures of a stream one by one, or all of it where it begins as something else."""
    held = bytearray()

    def more() -> bool:
        chunk = next(chunks, b"")
        held.extend(chunk)
        return bool(chunk)

    while len(held) < len(_START) and more():
        pass
    if not held.startswith(_START):
        while more():
            pass
        if held:
            yield bytes(held)
        return
    while True:
        while (begin := held.find(_START)) < 0:
            del held[: max(len(held) - 1, 0)]
            if not more():
                return
        del held[:begin]
        end, place, inside = 0, len(_START), False
        while not end:
            end, place, inside = _scan(held, place, inside)
            if not end and (len(held) > _LARGEST or not more()):
                return
        yield bytes(held[:end])
        del held[:end]


def _scan(data: bytearray, place: int, inside: bool) -> tuple[int, int, bool]:
    """Walk over the segments of a JPEG picture (ITU T.81, annex B) as far as the data go.

    A picture may hold another one, its thumbnail, so its end cannot just be searched for.

    Args:
        data: The picture, from its first byte.
        place: Where to go on.
        inside: Whether that is inside of entropy-coded data.

    Returns:
        Where the picture ends, or 0 where more is needed; where to go on, and inside of what.
    """
    while True:
        if inside:
            place = data.find(b"\xff", place)
            if place < 0:
                return 0, len(data), True
        if place + 2 > len(data):
            return 0, place, inside
        marker = data[place + 1]
        if marker == 0xD9:
            return place + 2, 0, False
        if inside and (marker == 0 or 0xD0 <= marker <= 0xD7):  # a stuffed byte, a restart
            place += 2
        elif marker == 0xFF or data[place] != 0xFF:  # padding, or damage: look for a marker
            place, inside = place + 1, True
        elif place + 4 > len(data):
            return 0, place, inside
        else:
            inside = marker == 0xDA
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
