"""The peers: what is installed, and how each is asked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_fer.benchmarks.peers.environment import (
    EdgeFer,
    Environment,
    NodePackages,
    PythonPackages,
)
from edge_fer.errors import InputError
from edge_fer.models import BLAZEFACE, model_names

WORKERS = Path(__file__).parent / "workers"

_FER = PythonPackages(
    "fer",
    # setuptools: it imports pkg_resources. OpenCV: 5 has no Haar cascades.
    ("fer==25.10.3", "setuptools<81", "opencv-contrib-python<5"),
    # torch brings it; its copy of LLVM and TensorFlow's end the process where both are loaded.
    removed=("triton",),
)
_MEDIAPIPE = PythonPackages("mediapipe", ("mediapipe>=1.2,<2",))
_FACE_API = NodePackages(
    "face-api",
    {
        "@vladmandic/face-api": "1.7.15",
        "@tensorflow/tfjs": "4.22.0",
        "@tensorflow/tfjs-backend-wasm": "4.22.0",
    },
)
_OURS = {
    "mediapipe": EdgeFer("edge-fer-mediapipe", "mediapipe"),
    "blazeface": EdgeFer("edge-fer"),
}


@dataclass(frozen=True)
class Peer:
    """One way of using a project.

    Attributes:
        name: What it is called in tables.
        environment: Where it runs.
        worker: The script that asks it.
        options: For the worker.
        classifier: What reads the faces, the same for peers that share it; None without one.
        color: Order of the channels that it takes.
    """

    name: str
    environment: Environment
    worker: Path
    options: dict[str, Any] = field(default_factory=dict)
    classifier: str | None = None
    color: str = "bgr"


def all_peers() -> list[Peer]:
    """Every peer, edge-fer's models last."""
    fer, face_api = WORKERS / "fer_package.py", WORKERS / "face_api.cjs"
    return [
        Peer("fer, Haar", _FER, fer, {}, "fer, TFLite"),
        Peer("fer, MTCNN", _FER, fer, {"mtcnn": True}, "fer, TFLite"),
        Peer("fer, Haar, Keras", _FER, fer, {"use_tflite": False}, "fer, Keras (mini-Xception)"),
        Peer("face-api.js", _FACE_API, face_api, {}, "face-api.js", "rgb"),
        Peer(
            "mediapipe, detector alone",
            _MEDIAPIPE,
            WORKERS / "mediapipe_loop.py",
            {"model": str(BLAZEFACE)},
            color="rgb",
        ),
        *_ours(),
    ]


def choose_peers(names: Sequence[str]) -> list[Peer]:
    """The peers whose name begins with one of these; all where none is given.

    Raises:
        InputError: No peer's name begins so.
    """
    peers = all_peers()
    for name in names:
        if not any(peer.name.startswith(name) for peer in peers):
            known = "; ".join(peer.name for peer in peers)
            raise InputError(f"no peer's name begins with {name!r}; known are: {known}")
    return [peer for peer in peers if not names or peer.name.startswith(tuple(names))]


def _ours() -> Iterator[Peer]:
    ways: tuple[int | str, ...] = (1, "auto")
    for model, (detector, place), every in itertools.product(model_names(), _OURS.items(), ways):
        options = {"model": model, "detector": detector, "detect_every": every}
        name = f"edge-fer {model}, {detector}" + (", auto" if every == "auto" else "")
        worker = WORKERS / "edge_fer_pipeline.py"
        yield Peer(name, place, worker, options, f"edge-fer {model}")
