"""What the Python workers share: requests come and answers go as lines of JSON.

A worker runs in the environment of the project that it measures, so it imports nothing of edge-fer
(but for the one that measures edge-fer). It says ``{"import_ms"}`` when it is ready, then answers
until its input ends. Both requests name a file of raw pixels, ``count`` pictures of ``height``
times ``width`` times 3 bytes:

* ``{"read": "faces", …}``: each picture is a face. ``{"ms": […], "names": […], "probabilities":
  [[…], …]}``
* ``{"read": "frames", "fps", …}``: the frames of a video. ``{"ms": […], "boxes": [[[x, y, width,
  height], …], …]}``

The clock runs only while the measured project works, not while pixels are read from the file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol

Box = tuple[float, float, float, float]

_import_ms = 0.0


class Project(Protocol):
    """What is measured."""

    def begin(self, fps: float) -> None:
        """A video begins, or pictures without a past."""

    def frame(self, pixels: Any, index: int) -> list[Box]:
        """The boxes of the faces in a frame [H, W, 3], whose emotions are read too."""

    def face(self, pixels: Any) -> Mapping[str, float]:
        """What is seen in a picture [H, W, 3] that a face fills: names with probabilities."""


@contextmanager
def importing() -> Iterator[None]:
    """Around the imports of the measured project: their time is told."""
    global _import_ms
    start = perf_counter()
    yield
    _import_ms = 1000 * (perf_counter() - start)


def serve(load: Callable[[dict[str, Any]], Project]) -> None:
    """Load the project with the options of the command line, and answer till the input ends."""
    # Libraries write to standard output too: what they say goes to the log.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    project = load(json.loads(sys.argv[1]))
    answers.write(json.dumps({"import_ms": _import_ms}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        answer = (
            _faces(project, request) if request["read"] == "faces" else _frames(project, request)
        )
        answers.write(json.dumps(answer) + "\n")


def _faces(project: Project, request: dict[str, Any]) -> dict[str, Any]:
    times, seen = [], []
    for pixels in _pictures(request):
        start = perf_counter()
        seen.append(project.face(pixels))
        times.append(1000 * (perf_counter() - start))
    names = list(seen[0])
    rows = [[float(one[name]) for name in names] for one in seen]
    return {"ms": times, "names": names, "probabilities": rows}


def _frames(project: Project, request: dict[str, Any]) -> dict[str, Any]:
    times, boxes = [], []
    project.begin(request["fps"])
    for index, pixels in enumerate(_pictures(request)):
        start = perf_counter()
        found = project.frame(pixels, index)
        times.append(1000 * (perf_counter() - start))
        boxes.append([list(map(float, box)) for box in found])
    return {"ms": times, "boxes": boxes}


def _pictures(request: dict[str, Any]) -> Iterator[Any]:
    """One after the other, so that the process holds no more memory than the project needs."""
    import numpy as np  # only here: it would take from the time of the project's own imports

    shape = (request["height"], request["width"], 3)
    with open(request["path"], "rb") as f:  # noqa: PTH123
        for _ in range(request["count"]):
            yield np.frombuffer(f.read(shape[0] * shape[1] * 3), np.uint8).reshape(shape).copy()
