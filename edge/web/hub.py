"""The newest reading, handed from the pipeline's thread to everybody who watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import cv2

from edge_fer.frame import Reading

_QUALITY = 80
_LONGEST = 1280


def encode(reading: Reading) -> bytes:
    """The annotated frame as JPEG, made smaller where it is larger than a page shows."""
    picture = reading.annotated
    height, width = picture.shape[:2]
    scale = _LONGEST / max(height, width)
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


class Hub:
    """Holds the newest reading, and its picture once somebody asks for it.

    ``put`` and ``close`` are called in any thread; all the rest in the server's event loop. Nothing
    is queued: who comes late gets what is newest then, and what came between is skipped.

    Args:
        encoder: What makes a JPEG of a reading.

    Attributes:
        encoded: How many pictures were encoded.
        closed: Whether no more readings will come.
    """

    def __init__(self, encoder: Callable[[Reading], bytes] = encode) -> None:
        self._encoder = encoder
        self._newest: tuple[int, Reading | None] = (0, None)
        self._picture = (0, b"")
        self._changed, self._encoding = asyncio.Event(), asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = 0
        self.encoded = 0
        self.closed = False

    @property
    def newest(self) -> Reading | None:
        """The reading that was put last."""
        return self._newest[1]

    def put(self, reading: Reading) -> None:
        """Make a reading the newest; costs next to nothing while nobody waits for one."""
        self._newest = (self._newest[0] + 1, reading)
        if self._waiting:
            self._call(self._wake)

    def close(self) -> None:
        """End every wait, now and from now on."""
        self.closed = True
        self._call(self._wake)

    async def reading(self, after: int) -> tuple[int, Reading] | None:
        """Wait for a reading that is newer than one had before.

        Args:
            after: Number of the one had before; 0 for none.

        Returns:
            Its number and the reading; None when no more will come.
        """
        self._loop = asyncio.get_running_loop()
        # Counted before looking, so that a reading put in between is not slept over.
        self._waiting += 1
        try:
            while not self.closed:
                number, reading = self._newest
                if reading is not None and number > after:
                    return number, reading
                await self._changed.wait()
        finally:
            self._waiting -= 1
        return None

    async def picture(self, after: int) -> tuple[int, bytes] | None:
        """Wait for a picture newer than one had before; it is encoded once for all who ask.

        Args:
            after: Number of the reading whose picture was had before; 0 for none.

        Returns:
            The reading's number and its JPEG; None when no more will come.
        """
        if await self.reading(after) is None:
            return None
        async with self._encoding:
            if self._picture[0] <= after:
                number, reading = self._newest
                assert reading is not None
                self._picture = (number, await asyncio.to_thread(self._encoder, reading))
                self.encoded += 1
            return self._picture

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _call(self, function: Callable[[], None]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the server has ended, and its loop is closed
            self._loop = None
