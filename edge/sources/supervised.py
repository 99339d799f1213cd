"""A live source that is never behind and does not die.

The thread takes every frame as it comes and keeps the newest only, so that a slow pipeline sees
the present and not a queue of the past. A source that freezes, ends, fails, slows down or changes
its shape is noticed, reported and opened again, at first at once and then ever more patiently.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from edge_fer.frame import Frame, as_bgr
from edge_fer.sources import Source

log = logging.getLogger(__name__)

LADDER: tuple[tuple[float, int], ...] = ((1, 5), (5, 10), (10, 20), (60, 1))
"""Seconds to wait before opening again, and how many times; the last for ever."""

_POLL = 0.05
_SLOW = 0.2
_OPENING = 15.0
_LAST = 0.5


@dataclass
class Health:
    """How a live source is, and what it has been through.

    Attributes:
        state: ``"reading"``, ``"opening"`` or ``"waiting"`` to be opened again.
        reason: Why it was given up last; empty where it never was.
        frames: Good frames that came.
        dropped: Frames that were overtaken by newer ones before they were taken.
        bad: Frames that were no picture.
        reopened: How often it was opened again.
        last: Monotonic time of the last good frame.
    """

    state: str = "opening"
    reason: str = ""
    frames: int = 0
    dropped: int = 0
    bad: int = 0
    reopened: int = 0
    last: float = 0.0


class Supervised:
    """A live source, watched.

    Args:
        opener: Opens the source anew; called in another thread.
        first: The source, open already.
        stall: Seconds without a good frame after which the source counts as frozen.
        ladder: Seconds to wait before each try, and how many tries.
        on_event: Told in a line what happened; logs a warning if None.

    Attributes:
        health: How it is.
    """

    live, count = True, None

    def __init__(
        self,
        opener: Callable[[], Source],
        *,
        first: Source,
        stall: float = 5.0,
        ladder: Sequence[tuple[float, int]] = LADDER,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        self._opener, self._stall, self._ladder = opener, stall, ladder
        self._say = on_event or (lambda text: log.warning("%s", text))
        self._first: Source | None = first
        self.fps: float | None = first.fps
        self.files: Sequence[Path] = first.files
        self.health = Health()
        self._lock, self._came = threading.Lock(), threading.Event()
        self._newest: Frame | None = None
        self._reader: _Reader | None = None
        self._retired: list[_Reader] = []
        self._begun = self._since = time.monotonic()
        self._tries = 0
        self._stopped = False

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._reader is not None:
            self._retire(self._reader)
        end = time.monotonic() + _LAST
        for reader in self._retired:  # one that hangs in a driver ends with the process
            reader.join(max(end - time.monotonic(), 0.0))
        if self._first is not None:
            self._first.__exit__(None, None, None)

    def stop(self) -> None:
        """End the iteration soon; may be called from a signal handler."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        while not self._stopped:
            self._watch()
            frame = self._take()
            if frame is not None:
                yield frame
            elif self._came.wait(_POLL):
                self._came.clear()

    def put(self, reader: _Reader, frame: Frame) -> bool:
        """Take a frame from a reader; False when the reader is to end."""
        pixels = as_bgr(frame.pixels)
        now = time.monotonic()
        with self._lock:
            if reader is not self._reader or self._stopped:
                return False
            if pixels is None:
                self.health.bad += 1
                return True
            if self._newest is not None:
                self.health.dropped += 1
            self._newest = replace(
                frame, pixels=pixels, index=self.health.frames, time=now - self._begun, taken=now
            )
            self.health.frames += 1
            self.health.last = now
            reader.saw(pixels.shape, now)
        self._came.set()
        return True

    def _take(self) -> Frame | None:
        with self._lock:
            frame, self._newest = self._newest, None
        return frame

    def _watch(self) -> None:
        """Notice what is wrong, and open again when it is time."""
        now, reader, health = time.monotonic(), self._reader, self.health
        self._retired = [r for r in self._retired if r.is_alive()]
        if reader is None:
            # A reader that hangs may still hold the camera; never leave more than one behind.
            if now >= self._since and len(self._retired) < 2:
                health.reopened += 1
                self._open()
            return
        if health.state == "opening" and reader.times:
            if health.reopened:
                self._say(f"the source is back after {now - self._since:.0f} s")
            health.state = "reading"
        if health.state == "reading" and now - reader.began > self._stall:
            self._tries = 0
        reason = self._trouble(reader, now)
        if reason:
            self._retire(reader)
            delay = self._delay()
            health.state, health.reason = "waiting", reason
            self._say(f"{reason}; opening it again in {delay:g} s")
            self._since, self._tries = now + delay, self._tries + 1

    def _trouble(self, reader: _Reader, now: float) -> str:
        if reader.ended is not None:
            return reader.ended
        if not reader.times:
            patience = max(self._stall, _OPENING)
            return f"no frame within {patience:g} s" if now - reader.began > patience else ""
        if now - reader.times[-1] > self._stall:
            return f"the source froze: no frame for {self._stall:g} s"
        if len(reader.shapes) > 1:
            (height, width, _), (rows, columns, _) = reader.shapes[:2]
            return f"the source changed from {width}x{height} to {columns}x{rows}"
        return reader.slowed(self._stall, now)

    def _open(self) -> None:
        source, self._first = self._first, None
        self.health.state = "opening"
        self._since = time.monotonic() if not self.health.reopened else self._since
        self._reader = _Reader(self, source, self._opener)
        self._reader.start()

    def _retire(self, reader: _Reader) -> None:
        with self._lock:
            self._reader = self._newest = None
        self._retired.append(reader)

    def _delay(self) -> float:
        tries = self._tries
        for seconds, times in self._ladder:
            if tries < times:
                return seconds
            tries -= times
        return self._ladder[-1][0]


class _Reader(threading.Thread):
    """Reads one opening of a source until it ends or is retired; closes it itself."""

    def __init__(
        self, owner: Supervised, source: Source | None, opener: Callable[[], Source]
    ) -> None:
        super().__init__(name="edge-fer-source", daemon=True)
        self._owner, self._source, self._opener = owner, source, opener
        self.began = time.monotonic()
        self.ended: str | None = None
        self.shapes: list[tuple[int, ...]] = []
        self.times: deque[float] = deque()
        self._usual = 0.0

    def run(self) -> None:
        try:
            with self._source or self._opener() as source:
                for frame in source:
                    if not self._owner.put(self, frame):
                        return
            self.ended = "the source ended"
        except Exception as e:  # a driver may raise whatever it likes: the source is opened again
            self.ended = (str(e).strip().splitlines() or [type(e).__name__])[0]

    def saw(self, shape: tuple[int, ...], now: float) -> None:
        """Note a good frame."""
        if shape not in self.shapes:
            self.shapes.append(shape)
        self.times.append(now)

    def slowed(self, window: float, now: float) -> str:
        """Why the source is too slow, measured by its own first seconds; empty where it is not."""
        while len(self.times) > 1 and self.times[0] < now - window:
            self.times.popleft()
        if now - self.began < 2 * window:
            self._usual = max(self._usual, len(self.times) / window)
            return ""
        rate = len(self.times) / window
        # One that has stopped altogether is not slow: soon it counts as frozen.
        if rate >= _SLOW * self._usual or now - self.times[-1] > window / 2:
            return ""
        return f"the source slowed down from {self._usual:.0f} to {rate:.1f} frames a second"
