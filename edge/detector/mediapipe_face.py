"""MediaPipe's own FaceDetector task."""

from __future__ import annotations

import sys
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face
from edge_fer.models import BLAZEFACE

_LONGEST = 640


class MediaPipeFace:
    """The detector on MediaPipe Tasks.

    Args:
        min_score: Detections below it are dropped, 0..1.
    """

    def __init__(self, min_score: float = 0.5) -> None:
        self._mediapipe, tasks = _import_mediapipe()
        options = tasks.vision.FaceDetectorOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(BLAZEFACE)),
            min_detection_confidence=min_score,
        )
        self._task = tasks.vision.FaceDetector.create_from_options(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._task.close()

    def detect(self, frame: NDArray[np.uint8]) -> list[Face]:
        """The faces in a blue-green-red frame [H, W, 3], the surest first."""
        height, width = frame.shape[:2]
        # The network sees 128 pixels of the whole frame: more than a few times that many are only
        # work for the colours' conversion.
        shrink = max(1.0, max(height, width) / _LONGEST)
        if shrink > 1:
            size = (round(width / shrink), round(height / shrink))
            frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB,
            data=cv2.cvtColor(frame, cv2.COLOR_BGR2RGB),
        )
        faces = []
        for found in self._task.detect(image).detections:
            box = found.bounding_box
            keypoints = np.array([(p.x * width, p.y * height) for p in found.keypoints], np.float32)
            x, y = box.origin_x * shrink, box.origin_y * shrink
            faces.append(
                Face(
                    (x, y, box.width * shrink, box.height * shrink),
                    float(found.categories[0].score),
                    keypoints,
                )
            )
        return sorted(faces, key=lambda f: -f.score)


def _import_mediapipe() -> tuple[Any, Any]:
    # MediaPipe imports TensorFlow wherever it is installed, for its documentation only: three
    # seconds and 400 MB. Hiding it while MediaPipe comes in costs nothing.
    hidden = "tensorflow" not in sys.modules
    if hidden:
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        import mediapipe
        from mediapipe.tasks import python as tasks
    finally:
        if hidden:
            del sys.modules["tensorflow"]
    return mediapipe, tasks
