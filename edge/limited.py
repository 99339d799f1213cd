"""Saying what happens again and again only now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

AGAIN = 30.0
"""Seconds between two lines of one kind."""


class Limited:
    """Passes a line on at most twice a minute.

    Args:
        say: Where lines go.

    Attributes:
        count: How often there was something to say.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._told = say, -AGAIN
        self.count = 0

    def failed(self, what: str, error: Exception) -> None:
        """Say that something failed, how, and how often by now."""
        self.count += 1
        now = time.monotonic()
        if now - self._told >= AGAIN:
            self._told = now
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            times = f" ({self.count} times by now)" if self.count > 1 else ""
            self._say(f"{what}: {line}{times}")
