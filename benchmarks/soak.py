"""Whether a run stays as it is for hours: memory, descriptors and threads over time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_fer.errors import WorkError

_SETTLED = 0.2
"""Share of the time that a run may take to fill its pools."""


@dataclass(frozen=True)
class Sample:
    """What a process holds at one moment.

    Attributes:
        seconds: Since it was started.
        memory_mib: Resident memory.
        descriptors: Open files, sockets and pipes.
        threads: Threads.
    """

    seconds: float
    memory_mib: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Growth:
    """How a run grew after it had settled.

    Attributes:
        memory_mib: Memory that it would gain in an hour, by a straight line through the samples.
        descriptors: Descriptors more at the end than after settling.
        threads: Threads more.
    """

    memory_mib: float
    descriptors: int
    threads: int


def run_command(arguments: Sequence[str]) -> list[str]:
    """The command of an ``edge-fer run``.

    Args:
        arguments: What follows, e.g. a video and ``--loop``.
    """
    code = "from edge_fer.cli import main; main()"
    return [sys.executable, "-c", code, "run", *arguments]


def soak(
    command: Sequence[str],
    seconds: float,
    every: float = 1.0,
    on_sample: Callable[[Sample], None] = lambda _: None,
) -> list[Sample]:
    """Run a command for some time and look at it now and then.

    Args:
        command: Such as ``run_command``'s.
        seconds: How long.
        every: Seconds between two looks.
        on_sample: Told of each look.

    Raises:
        WorkError: The run ended by itself.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        start, samples = time.monotonic(), []
        try:
            while (now := time.monotonic() - start) < seconds:
                time.sleep(min(every, seconds - now))
                if process.poll() is not None:
                    raise WorkError(f"the run ended by itself after {now:.0f} s")
                samples.append(_look(process.pid, time.monotonic() - start))
                on_sample(samples[-1])
        finally:
            process.send_signal(signal.SIGTERM)
    return samples


def growth(samples: Sequence[Sample]) -> Growth:
    """How a run grew, its first fifth left out."""
    late = [s for s in samples if s.seconds >= _SETTLED * samples[-1].seconds]
    times = np.array([s.seconds for s in late])
    memory = np.array([s.memory_mib for s in late])
    slope = float(np.polyfit(times, memory, 1)[0]) if len(late) > 1 else 0.0
    return Growth(
        memory_mib=round(3600 * slope, 1),
        descriptors=late[-1].descriptors - late[0].descriptors,
        threads=late[-1].threads - late[0].threads,
    )


def _look(pid: int, seconds: float) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return Sample(
        seconds=round(seconds, 1),
        memory_mib=round(int(lines["VmRSS"].split()[0]) / 1024, 2),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208
        threads=int(lines["Threads"]),
    )
