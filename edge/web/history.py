"""What was read in the last minutes, so that a page that is opened shows it at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge_fer.frame import Reading

SECONDS = 300


@dataclass
class _Second:
    number: int
    faces: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    emotions: dict[int, str] = field(default_factory=dict)


class History:
    """The sums of each second; a few hundred kilobytes at most, however long the run is.

    Args:
        clock: Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._seconds: deque[_Second] = deque(maxlen=SECONDS)

    def add(self, reading: Reading) -> None:
        """Count a reading."""
        number = int(self._clock())
        with self._lock:
            if not self._seconds or self._seconds[-1].number != number:
                self._seconds.append(_Second(number))
            second = self._seconds[-1]
            for place, face in enumerate(reading.faces, 1):
                second.faces += 1
                for name, share in face.probabilities.items():
                    second.sums[name] = second.sums.get(name, 0.0) + share
                if face.emotion is not None:
                    second.emotions[place if face.id is None else face.id] = face.emotion

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, each second by how long ago it was."""
        now = int(self._clock())
        with self._lock:
            rows = [
                {
                    "ago": now - second.number,
                    "n": second.faces,
                    "shares": {name: round(total, 2) for name, total in second.sums.items()},
                    "faces": list(second.emotions.items()),
                }
                for second in self._seconds
                if now - second.number < SECONDS
            ]
        return {"seconds": rows}
