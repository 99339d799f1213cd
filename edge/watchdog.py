"""Tells systemd that the run is alive (sd_notify).

The protocol is a datagram to the socket that systemd names in ``NOTIFY_SOCKET`` (see sd_notify(3));
without one nothing happens.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class Watchdog:
    """Says ``READY`` with the first result and ``WATCHDOG`` while results come.

    A run whose camera or pipeline hangs says nothing, and systemd starts it again after its
    ``WatchdogSec``.

    Args:
        environment: Where ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` stand; the process's if None.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        name = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ is in the kernel's own name space, not in the file system.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        pause = environment.get("WATCHDOG_USEC", "")
        # Three times in the time that systemd grants.
        self._pause = int(pause) / 3e6 if pause.isascii() and pause.isdigit() else 0.0
        self._next = 0.0
        self._ready = False

    def alive(self) -> None:
        """A result has come out."""
        now = time.monotonic()
        if not self._address or (self._ready and (now < self._next or not self._pause)):
            return
        self._tell("WATCHDOG=1" if self._ready else "READY=1\nWATCHDOG=1")
        self._ready, self._next = True, now + self._pause

    def ending(self) -> None:
        """The run ends by itself."""
        if self._address:
            self._tell("STOPPING=1")

    def _tell(self, state: str) -> None:
        # Whether systemd hears it or not, the run goes on.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s,
        ):
            s.sendto(state.encode(), self._address)
