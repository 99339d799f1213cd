"""Optional packages."""

from __future__ import annotations

import importlib.util

from edge_fer.errors import MissingPackageError

_EXTRAS = {
    "tensorflow": "train",
    "keras": "train",
    "matplotlib": "train",
    "tf_keras": "keras2",
    "mediapipe": "mediapipe",
    "paho": "mqtt",
    "starlette": "web",
    "uvicorn": "web",
    "dlib": "identity-dlib",
    "face_recognition": "identity-dlib",
    "face_recognition_models": "identity-dlib",
    "pkg_resources": "identity-dlib",
}


def require(purpose: str, *modules: str) -> None:
    """Refuse to go on where a module of an extra is missing.

    Args:
        purpose: What it is needed for, e.g. ``"training"``.
        *modules: Names to import.

    Raises:
        MissingPackageError: One of them is not installed; the message says how to install it.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            extra = _EXTRAS.get(module)
            install = f"'edge-fer[{extra}]', in a checkout '.[{extra}]'" if extra else module
            raise MissingPackageError(module, purpose, f"pip install {install}")
