"""Trying out what could end the process, in another process.

A native library that does not fit this machine is no exception but the end of whoever imports it
(an illegal instruction, say). So each is tried in a process of its own, with a time limit.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LIMIT = 20.0
# -P: a file of the working folder that is called like a library must not come in instead of it.
_START = "import sys, json; from edge_fer.doctor import probes; \
print('\\n' + json.dumps(probes.PROBES[sys.argv[1]](*sys.argv[2:])))"


@dataclass(frozen=True)
class Outcome:
    """What became of a try.

    Attributes:
        found: What it found; empty where it did not get that far.
        error: Why it did not, in a line; empty where it did.
        ended: Whether the process was ended, or had to be: no ``except`` would have helped.
    """

    found: dict[str, Any]
    error: str = ""
    ended: bool = False


Try = Callable[..., Outcome]
"""A function like ``try_out``; tests have others."""


def try_out(probe: str, *arguments: str, limit: float = _LIMIT) -> Outcome:
    """Run one of ``PROBES`` in another process.

    Args:
        probe: Its name.
        *arguments: What it is given.
        limit: Seconds that it may take.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _START, probe, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome({}, f"it hangs: no answer within {limit:g} s", ended=True)
    except OSError as e:
        return Outcome({}, f"Python cannot be started ({e.strerror})")
    if done.returncode < 0:
        return Outcome({}, f"it ends the process ({_signal(-done.returncode)})", ended=True)
    lines = done.stderr.strip().splitlines() or [f"it ends with code {done.returncode}"]
    if done.returncode:
        return Outcome({}, lines[-1])
    try:
        return Outcome(json.loads(done.stdout.strip().splitlines()[-1]))
    except (ValueError, IndexError):
        return Outcome({}, lines[-1], ended=True)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _numpy() -> dict[str, Any]:
    import numpy

    return {"version": numpy.__version__}


def _opencv() -> dict[str, Any]:
    import cv2

    return {"version": cv2.__version__}


def _litert() -> dict[str, Any]:
    from edge_fer.interpreter import open_interpreter
    from edge_fer.models import BLAZEFACE

    open_interpreter(BLAZEFACE.read_bytes(), str(BLAZEFACE)).invoke()
    return {}


def _library(name: str) -> dict[str, Any]:
    import ctypes

    ctypes.CDLL(name)
    return {}


def _processor() -> dict[str, Any]:
    from edge_fer.detector import can_run_mediapipe

    return {"mediapipe": can_run_mediapipe()}


def _display() -> dict[str, Any]:
    from edge_fer.sinks.window import display_works

    return {"works": display_works()}


def _picamera2() -> dict[str, Any]:
    from picamera2 import Picamera2

    return {"cameras": [str(c.get("Model", "?")) for c in Picamera2.global_camera_info()]}


def _model(name: str) -> dict[str, Any]:
    import numpy as np

    from edge_fer.classifier import Classifier
    from edge_fer.models import find_model

    classifier = Classifier(find_model(name))
    spec = classifier.card.input
    logits = classifier.logits(np.zeros((1, spec.height, spec.width, spec.channels), np.uint8))
    return {
        "finite": bool(np.isfinite(logits).all()),
        "classes": len(classifier.card.labels),
        "precision": str(classifier.card.quantization.get("precision", "")),
    }


def _face(detector: str) -> dict[str, Any]:
    import cv2
    import numpy as np

    from edge_fer.benchmarks import PICTURE
    from edge_fer.classifier import Classifier
    from edge_fer.detector import open_detector

    pixels = cv2.imread(str(PICTURE))
    if pixels is None:
        raise OSError(f"{PICTURE} is missing or broken")
    frame = np.asarray(pixels, np.uint8)
    with open_detector(detector) as finder:
        faces = finder.detect(frame)
    return {
        "boxes": [list(face.box) for face in faces],
        "emotions": [face.emotion for face in Classifier().classify(frame, faces)],
    }


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    "numpy": _numpy,
    "opencv": _opencv,
    "litert": _litert,
    "library": _library,
    "processor": _processor,
    "display": _display,
    "picamera2": _picamera2,
    "model": _model,
    "face": _face,
}
"""What can be tried, by name; each gives plain data."""
