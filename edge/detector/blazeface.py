"""BlazeFace (short range) through LiteRT: MediaPipe's face detector without MediaPipe.

Network: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.
Anchors, decoding and suppression follow MediaPipe's face_detection_short_range graph, so that both
give the same faces.
"""

from __future__ import annotations

from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.face import Face
from edge_fer.interpreter import open_interpreter
from edge_fer.models import BLAZEFACE

SIDE = 128
"""Height and width of the network's input."""

_OVERLAP = 0.3
"""Intersection over union above which two detections are one face."""

_KEYPOINTS = 6

_INPUTS = np.arange(256, dtype=np.float32) * np.float32(1 / 127.5) - np.float32(1)
"""What the network takes for each pixel: -1..1."""

_WARP_LIMIT = 32_000
"""``cv2.warpAffine`` takes pictures of up to 32,767 pixels a side."""


class BlazeFace:
    """The detector on LiteRT.

    Args:
        min_score: Detections below it are dropped, 0..1.
        threads: Threads of the network.
    """

    def __init__(self, min_score: float = 0.5, threads: int = 1) -> None:
        self._interpreter = open_interpreter(BLAZEFACE.read_bytes(), str(BLAZEFACE), threads)
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = {o["name"]: o["index"] for o in self._interpreter.get_output_details()}
        self._regressors, self._scores = outputs["regressors"], outputs["classificators"]
        # The score is compared before the sigmoid: 896 exponentials less a frame.
        self._min_logit = np.log(min_score / (1 - min_score))
        self._anchors = _anchors()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, frame: NDArray[np.uint8]) -> list[Face]:
        """The faces in a blue-green-red frame [H, W, 3], the surest first."""
        height, width = frame.shape[:2]
        square = float(max(height, width))
        left, top = (width - square) / 2, (height - square) / 2
        self._interpreter.set_tensor(self._input, _letterbox(frame, square, left, top))
        self._interpreter.invoke()
        logits = self._interpreter.get_tensor(self._scores)[0, :, 0]
        sure = np.flatnonzero(logits >= self._min_logit)
        if not len(sure):
            return []
        points = self._interpreter.get_tensor(self._regressors)[0, sure] / SIDE
        points = points.reshape(len(sure), 2 + _KEYPOINTS, 2)
        # Everything but the box's size is relative to the anchor's centre.
        points[:, 0] += self._anchors[sure]
        points[:, 2:] += self._anchors[sure, None]
        scores = 1 / (1 + np.exp(-logits[sure].clip(-100, 100)))
        points, scores = _suppress(points, scores)
        faces = []
        for point, score in zip(points, scores, strict=True):
            (w, h), keypoints = point[1] * square, point[2:] * square + (left, top)
            x, y = point[0] * square + (left, top) - (w / 2, h / 2)
            box = (float(x), float(y), float(w), float(h))
            faces.append(Face(box, float(score), keypoints.astype(np.float32)))
        return faces


def _letterbox(
    frame: NDArray[np.uint8], square: float, left: float, top: float
) -> NDArray[np.float32]:
    largest = max(frame.shape[:2])
    if largest > _WARP_LIMIT:
        share = _WARP_LIMIT / largest
        size = [max(1, round(share * n)) for n in frame.shape[1::-1]]
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        square, left, top = share * square, share * left, share * top
    scale = square / SIDE
    back = np.array([[scale, 0, left], [0, scale, top]])
    small = cv2.warpAffine(frame, back, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.LUT(rgb, _INPUTS), np.float32)[None]


def _anchors() -> NDArray[np.float32]:
    """Centres of the anchors, x and y as shares of the square, [896, 2]."""
    layers = []
    for cells, count in ((16, 2), (8, 6)):
        centers = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centers, centers, indexing="ij")
        layers.append(np.stack([x, y], -1).reshape(-1, 2).repeat(count, 0))
    return np.concatenate(layers).astype(np.float32)


def _suppress(
    points: NDArray[np.float32], scores: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Non-maximum suppression in which a face is the mean of its detections, weighted by score.

    Args:
        points: Centre, size and key points of each detection, [N, 8, 2].
        scores: [N].

    Returns:
        The same for each face, the surest first.
    """
    order = np.argsort(-scores, kind="stable")
    points, scores = points[order], scores[order]
    rows = points.reshape(len(points), -1)
    low, high = points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2
    area = np.maximum(points[:, 1], 0).prod(1)
    merged, kept = [], []
    left = np.arange(len(scores))
    while len(left):
        first = left[0]
        inter = np.minimum(high[first], high[left]) - np.maximum(low[first], low[left])
        inter_area = np.maximum(inter, 0).prod(1)
        union = area[first] + area[left] - inter_area
        same = inter_area > _OVERLAP * np.maximum(union, 1e-12)
        same[0] = True  # an empty box overlaps nothing, itself included
        group = left[same]
        weights = scores[group]
        merged.append(weights @ rows[group] / weights.sum())
        kept.append(scores[first])
        left = left[~same]
    return np.stack(merged).reshape(-1, *points.shape[1:]), np.array(kept)
