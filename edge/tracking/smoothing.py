"""Calm readings: what a face says over time rather than in one frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face

_LEAST = 1e-4
"""Below this a probability's logarithm says nothing but noise."""


@dataclass
class _Memory:
    logs: NDArray[np.float64]
    emotion: str
    time: float


class Smoother:
    """Averages the logarithms of each track's probabilities over time.

    The average forgets at a pace of seconds, not of frames, so that it is the same at 5 and at 60
    frames a second. The emotion that is named changes only when another one is more probable by a
    margin (hysteresis).

    Args:
        seconds: Time constant: what was seen so long ago counts a third. Raise it for calmer
            readings, lower it to see fleeting expressions.
        margin: Probability by which another emotion must be ahead of the one that is named.
        forget: Seconds after which a track that was not seen is forgotten.
    """

    def __init__(self, seconds: float = 0.6, margin: float = 0.08, forget: float = 5.0) -> None:
        self._seconds, self._margin, self._forget = seconds, margin, forget
        self._memories: dict[int, _Memory] = {}

    def update(self, faces: Sequence[Face], time: float, threshold: float = 0.0) -> list[Face]:
        """The faces with what they say over time.

        Args:
            faces: Classified faces; those without a track's number pass as they are.
            time: Of the frame, in seconds.
            threshold: Confidence below which a reading is uncertain.
        """
        self._memories = {
            number: memory
            for number, memory in self._memories.items()
            if time - memory.time <= self._forget
        }
        return [self._smooth(face, time, threshold) for face in faces]

    def _smooth(self, face: Face, time: float, threshold: float) -> Face:
        if face.id is None or not face.probabilities:
            return face
        names = tuple(face.probabilities)
        logs = np.log(np.maximum(list(face.probabilities.values()), _LEAST))
        memory = self._memories.get(face.id)
        if memory is None or len(memory.logs) != len(logs):
            memory = _Memory(logs, str(face.emotion), time)
            self._memories[face.id] = memory
        else:
            new = 1 - math.exp(-max(time - memory.time, 0.0) / max(self._seconds, 1e-9))
            memory.logs = memory.logs + new * (logs - memory.logs)
            memory.time = time
        grown = np.exp(memory.logs - memory.logs.max())
        shares = dict(zip(names, (float(p) for p in grown / grown.sum()), strict=True))
        best = max(shares, key=shares.__getitem__)
        if shares[best] > shares.get(memory.emotion, 0.0) + self._margin:
            memory.emotion = best
        confidence = shares[memory.emotion]
        return replace(
            face,
            emotion=memory.emotion,
            confidence=confidence,
            uncertain=confidence < threshold,
            probabilities=shares,
        )
