"""A sink that cannot hold up or end the pipeline."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Self

from edge_fer.errors import ReaderGoneError
from edge_fer.frame import Reading
from edge_fer.limited import Limited
from edge_fer.sinks import Sink

log = logging.getLogger(__name__)

_WAITING = 8
_LAST = 0.5


class Background:
    """Another sink, written to by a thread of its own.

    Where the sink is slower than the frames come, the oldest waiting readings are left out; where
    it fails, that is reported (at most twice a minute) and the next reading is tried all the same.

    Args:
        sink: What to write to.
        name: What to call it.
        on_event: Told in a line what went wrong; logs a warning if None.

    Attributes:
        name: What it is called.
        left_out: Readings that it was too slow for.
    """

    def __init__(
        self, sink: Sink, name: str, on_event: Callable[[str], None] | None = None
    ) -> None:
        self._sink, self.name = sink, name
        self._failures = Limited(on_event or (lambda text: log.warning("%s", text)))
        self._waiting: queue.Queue[Reading | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name=f"edge-fer-{name}", daemon=True)
        self._gone: ReaderGoneError | None = None
        self.left_out = 0

    @property
    def failed(self) -> int:
        """Readings that it could not write."""
        return self._failures.count

    def __enter__(self) -> Self:
        self._sink.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        end = time.monotonic() + _LAST
        self._hand_over(None)
        self._thread.join(max(end - time.monotonic(), 0.0))
        self._sink.__exit__(*raised)

    def write(self, reading: Reading) -> None:
        """Hand a reading over; never waits.

        Raises:
            ReaderGoneError: Who read standard output has gone.
        """
        if self._gone is not None:
            raise self._gone
        self._hand_over(reading)

    def _hand_over(self, reading: Reading | None) -> None:
        while True:
            try:
                self._waiting.put_nowait(reading)
                return
            except queue.Full:
                try:
                    self._waiting.get_nowait()
                    self.left_out += 1
                except queue.Empty:
                    pass

    def _run(self) -> None:
        while (reading := self._waiting.get()) is not None:
            try:
                self._sink.write(reading)
            except ReaderGoneError as e:
                self._gone = e
                return
            except Exception as e:  # whatever a sink raises, the others and the pipeline go on
                self._failures.failed(f"a reading was not written to {self.name}", e)
