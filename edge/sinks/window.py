"""Annotated frames in a window."""

from __future__ import annotations

import os
import subprocess
import sys
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
    """

    def __init__(self, title: str = "edge-fer") -> None:
        self._title = title
        self.closed = False

    def __enter__(self) -> Self:
        cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        return self

    def __exit__(self, *_: object) -> None:
        cv2.destroyAllWindows()

    def write(self, reading: Reading) -> None:
        """Show one frame."""
        cv2.imshow(self._title, reading.annotated)
        key = cv2.waitKey(1) & 0xFF
        visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        self.closed = self.closed or key in (ord("q"), 27) or not visible
