"""Facial-emotion recognition for small devices.

    from edge_fer import Classifier, Pipeline, Smoother, Tracker, open_detector, open_source

    with open_source("clip.mp4") as source, open_detector() as detector:
        for reading in Pipeline(detector, Classifier(), Tracker(), Smoother()).run(source):
            for face in reading.faces:
                print(reading.frame.time, face.id, face.emotion, face.confidence)

Names load when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_fer.card import Card, CropRule, InputSpec
    from edge_fer.classifier import Classifier
    from edge_fer.detector import Detector, open_detector
    from edge_fer.errors import EdgeFerError, InputError, WorkError
    from edge_fer.face import Face
    from edge_fer.frame import Frame, Reading
    from edge_fer.pipeline import Pipeline
    from edge_fer.sinks import Sink, open_saver
    from edge_fer.sources import Source, open_source
    from edge_fer.tracking.smoothing import Smoother
    from edge_fer.tracking.tracker import Tracker

_HOMES = {
    "Card": "card",
    "Classifier": "classifier",
    "CropRule": "card",
    "Detector": "detector",
    "EdgeFerError": "errors",
    "Face": "face",
    "Frame": "frame",
    "InputError": "errors",
    "InputSpec": "card",
    "Pipeline": "pipeline",
    "Reading": "frame",
    "Sink": "sinks",
    "Smoother": "tracking.smoothing",
    "Source": "sources",
    "Tracker": "tracking.tracker",
    "WorkError": "errors",
    "open_detector": "detector",
    "open_saver": "sinks",
    "open_source": "sources",
}

__all__ = [
    "Card",
    "Classifier",
    "CropRule",
    "Detector",
    "EdgeFerError",
    "Face",
    "Frame",
    "InputError",
    "InputSpec",
    "Pipeline",
    "Reading",
    "Sink",
    "Smoother",
    "Source",
    "Tracker",
    "WorkError",
    "__version__",
    "open_detector",
    "open_saver",
    "open_source",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("edge-fer")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"edge_fer.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'edge_fer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
