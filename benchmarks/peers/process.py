"""A worker's process: started on one core, asked, watched, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from edge_fer.errors import WorkError

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "UV_THREADPOOL_SIZE": "1",
}
"""What libraries read to know how many threads to use."""

_ALONE = {"CUDA_VISIBLE_DEVICES": "", "PYTHONNOUSERSITE": "1", "PYTHONPATH": ""}
"""No graphics card, and no package from outside of the environment."""


class PeerError(WorkError):
    """A peer cannot be installed, or ended, or did not answer; the message is its last line."""


class Process:
    """A worker, ready to be asked.

    Args:
        command: The interpreter and the worker.
        folder: Where it is started.
        log: Gets what it writes to standard error.
        core: The processor's core that it has to itself.
        timeout: Seconds that an answer may take.

    Attributes:
        import_ms: Time of the imports of the measured project.

    Raises:
        PeerError: It did not become ready.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, log: Path, core: int, timeout: float = 1800
    ) -> None:
        self._log, self._timeout = log, timeout
        self._started = time.perf_counter()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors, _pinned(core):
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **ONE_THREAD, **_ALONE},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            self.import_ms = float(self._answer()["import_ms"])
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.perf_counter() - self._started

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            PeerError: The worker ended, or took too long.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; why, it says where its answer is read
        return self._answer()

    def memory_mib(self) -> tuple[float, float]:
        """Resident memory now, and the most that it ever was."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        now, most = (int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return now, most

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(self._timeout, end)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = self._process.wait()
        if late.is_set():
            raise PeerError(f"no answer within {self._timeout:g} s")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise PeerError(f"{last_line(self._log.read_text(errors='replace'))} ({how})")


def last_line(text: str) -> str:
    """The last line that says something: the error, where a program failed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # npm ends with where its log lies.
    return next((line for line in reversed(lines) if "log of this run" not in line), "no message")


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """What is started in the block runs on one core, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
