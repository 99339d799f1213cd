"""MediaPipe's FaceDetector and nothing else: no pipeline on it can be faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import protocol


class Loop:
    """The detector in its mode for single pictures."""

    def __init__(self, mediapipe: Any, task: Any) -> None:
        self._mediapipe, self._task = mediapipe, task

    def begin(self, fps: float) -> None:
        """It remembers nothing."""

    def frame(self, pixels: Any, index: int) -> list[protocol.Box]:
        """Detect."""
        kind = self._mediapipe.ImageFormat.SRGB
        found = self._task.detect(self._mediapipe.Image(image_format=kind, data=pixels))
        boxes = [face.bounding_box for face in found.detections]
        return [(box.origin_x, box.origin_y, box.width, box.height) for box in boxes]

    def face(self, pixels: Any) -> Mapping[str, float]:
        """It has no classifier, and is not asked."""
        raise NotImplementedError


def load(options: dict[str, Any]) -> Loop:
    """Open it with the model file of the options."""
    with protocol.importing():
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    task = vision.FaceDetector.create_from_options(
        vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_path=options["model"]))
    )
    return Loop(mediapipe, task)


protocol.serve(load)
