"""What ``edge-fer run`` says of itself: a live line, and the figures at the end."""

from __future__ import annotations

import sys
import time

import click

from edge_fer.frame import Reading
from edge_fer.sources import Source
from edge_fer.status import Status

_EVERY = 0.2


class Summary:
    """Tells at a terminal how the run goes, and everywhere how it went.

    Args:
        source: Where the frames come from.
        status: What is counted.
    """

    def __init__(self, source: Source, status: Status) -> None:
        self._count, self._status = source.count, status
        self._live, self._shown = sys.stderr.isatty(), time.monotonic()

    def show(self, reading: Reading) -> None:
        """Bring the live line up to date, a few times a second."""
        now = time.monotonic()
        if not self._live or now - self._shown < _EVERY:
            return
        self._shown = now
        of = f"/{self._count}" if self._count else ""
        faces = ", ".join(f"{f.emotion} {f.confidence:.0%}" for f in reading.faces) or "no face"
        line = f"frame {self._status.frames}{of}  {self._status.fps:.0f} FPS  {faces}"
        click.echo(f"\r\x1b[2K{line[:100]}", err=True, nl=False)

    def close(self) -> None:
        """The figures of the whole run."""
        status = self._status
        took = time.monotonic() - status.began
        stages = ", ".join(f"{name} {ms:.1f} ms" for name, ms in status.stages.items())
        found = "".join(f", {count} {name}" for name, count in status.emotions.most_common())
        click.echo(
            f"{self._clear()}{status.frames} frames, {status.faces} faces in {took:.1f} s:"
            f" {status.frames / took:.0f} FPS"
            + (f" ({stages})" if stages else "")
            + found
            + status.losses(),
            err=True,
        )

    def _clear(self) -> str:
        return "\r\x1b[2K" if self._live else ""
