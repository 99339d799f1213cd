"""Annotated frames in a window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Self

import cv2

from edge_fer.frame import Reading

_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1); cv2.destroyAllWindows()"


def display_works() -> bool:
    """Whether a window can be opened here.

    Qt, which OpenCV draws with, ends the whole process when it cannot reach the display (over SSH
    with a stale ``DISPLAY``, say). So another process tries it first.
    """
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0


class Window:
    """A window; q, Esc or closing it asks to stop.

    Args:
        title: What stands in its title bar.
        hold: For pictures: each stays until a key is pressed, or until this says no.
    """

    def __init__(self, title: str = "edge-fer", hold: Callable[[], bool] | None = None) -> None:
        self._title, self._hold = title, hold
        self.closed = self._sized = False

    def __enter__(self) -> Self:
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(self._title, flags)
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyAllWindows()

    def write(self, reading: Reading) -> None:
        """Show one frame."""
        picture = reading.annotated
        if not self._sized:
            cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._sized = True
        cv2.imshow(self._title, picture)
        key = self._key(1)
        while self._hold is not None and key is None and not self.closed and self._hold():
            key = self._key(50)
        self.closed = self.closed or key in (ord("q"), 27)

    def _key(self, milliseconds: int) -> int | None:
        key = cv2.waitKey(milliseconds)
        visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        self.closed = self.closed or not visible
        return None if key < 0 else key & 0xFF
