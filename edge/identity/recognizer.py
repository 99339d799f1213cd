"""Recognising the faces that are followed: a look at first sight, another now and then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge_fer.face import Face
from edge_fer.frame import Frame
from edge_fer.identity import UNKNOWN, Embedder, Embedding
from edge_fer.identity.people import Gallery
from edge_fer.identity.quality import flaw

_FIRST = 3
"""Looks that follow each other quickly: what is seen once only may be a bad moment."""
_SOON, _UNKNOWN, _KNOWN = 0.5, 2.0, 5.0
"""Seconds until the next look: among the first ones, of a face that is nobody's, and of a known
one."""
_AGAIN = 0.1
"""Seconds until a face is tried again that was not seen well enough."""
_FUSED = 5
"""Newest looks whose likeness is averaged."""
_EARN, _SAVED = 1 / 25, 3.0
"""Looks that each frame earns, and the most that are saved up. A look takes as long as one or two
frames, so that all of them together cost less than a tenth of the frames."""
_REFRESH = 2.0
"""Seconds after which it is seen whether people were enrolled or removed."""


@dataclass
class _Memory:
    seen: float
    due: float
    looks: deque[Embedding] = field(default_factory=lambda: deque(maxlen=_FUSED))
    count: int = 0
    person: str = UNKNOWN
    likeness: float = 0.0


class Recognizer:
    """Gives tracked faces their people's names.

    A track is looked at when its face is first seen well enough (``quality.flaw``), again soon
    after, and then every few seconds; the likeness of its newest looks is averaged. At most one
    face is looked at in a frame, and one in 25 frames on the average. Whether a look is due depends
    on the frames alone, so that a file gives the same names every time.

    Args:
        embedder: What makes embeddings.
        gallery: Gives everybody who is known: the same object as long as nobody else is. It is
            asked every two seconds.
        forget: Seconds after which a track that was not seen is forgotten.
    """

    def __init__(
        self, embedder: Embedder, gallery: Callable[[], Gallery], forget: float = 5.0
    ) -> None:
        self._embedder, self._ask, self._forget = embedder, gallery, forget
        self._gallery, self._asked = gallery(), 0.0
        self._memories: dict[int, _Memory] = {}
        self._saved = _SAVED

    def update(self, frame: Frame, faces: Sequence[Face]) -> list[Face]:
        """The faces with their people.

        Args:
            frame: What they were found in; in a picture, which has no tracks, every face is
                looked at.
            faces: Those without a track's number are looked at each by itself.
        """
        time = frame.time
        if frame.name is not None or not 0 <= time - self._asked < _REFRESH:
            self._refresh(time)
        self._saved = min(self._saved + _EARN, _SAVED)
        self._memories = {
            n: memory for n, memory in self._memories.items() if time - memory.seen <= self._forget
        }
        due = []
        for face in faces:
            if face.id is not None:
                memory = self._memories.setdefault(face.id, _Memory(time, time))
                memory.seen = time
                if memory.due <= time:
                    due.append((memory.count, memory.due, face))
        # Who has been looked at least comes first, then who has waited longest.
        for _, _, face in sorted(due, key=lambda one: one[:2]) if self._saved >= 1 else ():
            if flaw(frame.pixels, face) is None:
                self._look(frame, face)
                self._saved -= 1
                break
            self._memories[face.id or 0].due = time + _AGAIN
        return [self._named(frame, face) for face in faces]

    def _refresh(self, time: float) -> None:
        before, self._gallery, self._asked = self._gallery, self._ask(), time
        if self._gallery is not before:  # who was removed is not named any more from now on
            for memory in self._memories.values():
                self._name(memory)

    def _look(self, frame: Frame, face: Face) -> None:
        assert face.id is not None
        memory, threshold = self._memories[face.id], self._embedder.threshold
        look = self._embedder.embed(frame.pixels, face)
        # Somebody else's face: the track went from one person to another.
        if memory.looks and float(look @ np.mean(memory.looks, axis=0)) < threshold:
            memory.looks.clear()
            memory.count = 0
        memory.looks.append(look)
        memory.count += 1
        self._name(memory)
        known = _UNKNOWN if memory.person == UNKNOWN else _KNOWN
        memory.due = frame.time + (_SOON if memory.count < _FIRST else known)

    def _name(self, memory: _Memory) -> None:
        if not memory.looks:
            return
        name, memory.likeness = self._gallery.most_alike(np.mean(memory.looks, axis=0))
        memory.person = name if memory.likeness >= self._embedder.threshold else UNKNOWN

    def _named(self, frame: Frame, face: Face) -> Face:
        if face.id is not None:
            memory = self._memories[face.id]
            return replace(face, person=memory.person, likeness=memory.likeness)
        if flaw(frame.pixels, face) is not None:
            return replace(face, person=UNKNOWN)
        memory = _Memory(frame.time, frame.time)
        memory.looks.append(self._embedder.embed(frame.pixels, face))
        self._name(memory)
        return replace(face, person=memory.person, likeness=memory.likeness)
