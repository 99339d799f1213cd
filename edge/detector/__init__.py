"""Finding faces in a frame."""

from __future__ import annotations

import importlib.util
import logging
import platform
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import InputError
from edge_fer.face import Face
from edge_fer.packages import require

log = logging.getLogger(__name__)

DETECTORS = ("auto", "mediapipe", "blazeface")


class Detector(Protocol):
    """What finds faces; used as a context manager."""

    def detect(self, frame: NDArray[np.uint8]) -> list[Face]:
        """The faces in a blue-green-red frame [H, W, 3], the surest first."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_detector(name: str = "auto", min_score: float = 0.5, threads: int = 1) -> Detector:
    """Open a face detector. Both run the same network and find the same faces.

    Args:
        name: ``"mediapipe"``: MediaPipe's FaceDetector. ``"blazeface"``: the same network run by
            LiteRT, in half the memory. ``"auto"``: MediaPipe where it is installed and the
            processor can run it, else BlazeFace.
        min_score: Detections below it are dropped. Lower it to find faces that are turned or
            dark; raise it where things that are no faces are found.
        threads: Threads of the network (``"blazeface"`` only; MediaPipe chooses its own).

    Raises:
        MissingPackageError: MediaPipe is asked for and not installed.
        InputError: MediaPipe is asked for and this processor cannot run it, or the name is unknown.
    """
    if name not in DETECTORS:
        raise InputError(f"detector {name!r} is unknown; choose one of {', '.join(DETECTORS)}")
    installed = importlib.util.find_spec("mediapipe") is not None
    if name == "mediapipe":
        require("the detector mediapipe", "mediapipe")
    runs = can_run_mediapipe()
    if name == "mediapipe" and not runs:
        raise InputError(
            "MediaPipe's wheels need a processor with atomic instructions, which this one lacks"
            " (a Raspberry Pi 4, say); use --detector blazeface, which finds the same faces"
        )
    if not 0 < min_score < 1:
        raise InputError(f"the least score {min_score} does not lie between 0 and 1")
    if name == "mediapipe" or (name == "auto" and installed and runs):
        try:
            from edge_fer.detector.mediapipe_face import MediaPipeFace

            return MediaPipeFace(min_score)
        except (ImportError, OSError) as e:  # a system library is missing
            reason = f"MediaPipe does not load ({e}); sudo apt install libegl1 libgles2"
            if name == "mediapipe":
                raise InputError(reason) from e
            log.warning("%s. Going on with BlazeFace on LiteRT, which finds the same faces", reason)
    from edge_fer.detector.blazeface import BlazeFace

    return BlazeFace(min_score, threads)


def can_run_mediapipe(machine: str | None = None, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether importing MediaPipe is safe on this processor.

    MediaPipe's aarch64 wheels are compiled with the atomic instructions of ARMv8.1. A processor
    without them (Cortex-A72: Raspberry Pi 4) ends the process at import, which cannot be caught.

    Args:
        machine: Processor family as ``platform.machine()`` names it; this machine's if None.
        cpuinfo: The kernel's description of the processor.
    """
    if (machine or platform.machine()) not in ("aarch64", "arm64"):
        return True
    if platform.system() != "Linux":
        return True
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    features = [line.split(":", 1)[1].split() for line in lines if line.startswith("Features")]
    return bool(features) and all("atomics" in f for f in features)
