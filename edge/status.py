"""How a run is doing: what the summary, the web page, MQTT and the watchdog tell."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from edge_fer.board import read_board
from edge_fer.frame import Reading
from edge_fer.sinks.background import Background
from edge_fer.sources import Source
from edge_fer.sources.supervised import Supervised

_RECENT = 5.0


class Status:
    """Counts what goes through the pipeline.

    Args:
        source: Where the frames come from.
        model: Name of the model.
        detector: Name of the detector.
        sinks: The sinks that are written to in the background.
    """

    def __init__(
        self,
        source: Source,
        model: str = "",
        detector: str = "",
        sinks: Sequence[Background] = (),
    ) -> None:
        self._source, self._model, self._detector = source, model, detector
        self.sinks: list[Background] = list(sinks)
        self.began = time.monotonic()
        self.frames = self.faces = self.failed = 0
        self.emotions: Counter[str] = Counter()
        self.last = 0.0
        self._recent: deque[tuple[float, dict[str, float], float | None]] = deque()
        self._total: Counter[str] = Counter()

    def add(self, reading: Reading) -> None:
        """Count a reading that has just come out of the pipeline."""
        now = time.monotonic()
        self.frames += 1
        if reading.failed:
            self.failed += 1
            return
        self.faces += len(reading.faces)
        self.emotions.update(face.emotion or "?" for face in reading.faces)
        self._total.update(reading.stages)
        self.last = now
        self._recent.append((now, reading.stages, reading.age(now)))
        while self._recent[0][0] < now - _RECENT:
            self._recent.popleft()

    @property
    def fps(self) -> float:
        """Readings a second, over the last seconds."""
        recent = list(self._recent)
        span = recent[-1][0] - recent[0][0] if recent else 0.0
        return (len(recent) - 1) / span if span > 0 else 0.0

    @property
    def stages(self) -> dict[str, float]:
        """Mean milliseconds of each stage, over the whole run."""
        return {name: 1000 * s / (self.frames - self.failed) for name, s in self._total.items()}

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds that each stage took, over the whole run."""
        return dict(self._total)

    def losses(self) -> str:
        """What was left out on purpose, in words; empty where nothing was."""
        parts = [f"{self.failed} frames could not be read"] if self.failed else []
        if isinstance(self._source, Supervised):
            health = self._source.health
            if health.dropped:
                parts.append(f"{health.dropped} frames overtaken by newer ones")
            if health.bad:
                parts.append(f"{health.bad} bad frames")
            if health.reopened:
                parts.append(f"source opened {health.reopened} times again")
        parts += [f"{s.failed} readings not written to {s.name}" for s in self.sinks if s.failed]
        return "".join(f"; {part}" for part in parts)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        recent = list(self._recent)
        ages = sorted(age for *_, age in recent if age is not None)
        now = time.monotonic()
        board = read_board()
        answer: dict[str, Any] = {
            "model": self._model,
            "detector": self._detector,
            "uptime": round(now - self.began, 1),
            "frames": self.frames,
            "faces": self.faces,
            "failed": self.failed,
            "fps": round(self.fps, 1),
            "stages_ms": {
                name: round(1000 * sum(s.get(name, 0.0) for _, s, _ in recent) / len(recent), 2)
                for name in (recent[-1][1] if recent else {})
            },
            "age_ms": round(1000 * ages[len(ages) // 2], 1) if ages else None,
            "since_last": round(now - self.last, 2) if self.last else None,
            "sinks": {
                sink.name: {"left_out": sink.left_out, "failed": sink.failed} for sink in self.sinks
            },
            "board": {
                "model": board.model,
                "temperature": board.temperature,
                "throttled": board.throttled,
            },
        }
        if isinstance(self._source, Supervised):
            health = self._source.health
            answer["source"] = {
                "state": health.state,
                "reason": health.reason,
                "frames": health.frames,
                "dropped": health.dropped,
                "bad": health.bad,
                "reopened": health.reopened,
            }
        return answer

    def healthy(self, within: float) -> bool:
        """Whether a reading came out within so many seconds."""
        return bool(self.last) and time.monotonic() - self.last <= within
