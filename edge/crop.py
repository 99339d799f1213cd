"""From pixels to a network's input: the one preprocessing of the project.

Training, conversion, evaluation, benchmarks and the live pipeline all come through here, so that a
network never sees on a device what it did not see in training.
"""

from __future__ import annotations

import cmath
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.card import CropRule, InputSpec
from edge_fer.face import Face

Pixels = NDArray[np.uint8]


def prepare(picture: Pixels, spec: InputSpec) -> Pixels:
    """Make a network's input of a picture that already is framed as the network wants it.

    Args:
        picture: Grey [H, W] or blue-green-red [H, W, 3] pixels.
        spec: What the network takes.

    Returns:
        Pixels [spec.height, spec.width, spec.channels], 0..255. The same memory as ``picture``
        where nothing had to change.
    """
    picture = _to_color(picture, spec.color)
    size = (spec.width, spec.height)
    if picture.shape[1::-1] != size:
        picture = cv2.resize(picture, size, interpolation=_interpolation(picture, spec))
    return picture.reshape(spec.height, spec.width, spec.channels)


def crop_face(frame: Pixels, face: Face, rule: CropRule, spec: InputSpec) -> Pixels:
    """Cut a face out of a frame, turn it upright and make a network's input of it.

    Args:
        frame: Blue-green-red [H, W, 3] or grey [H, W] pixels.
        face: Where the face is.
        rule: Where the square lies about the face.
        spec: What the network takes.

    Returns:
        Pixels [spec.height, spec.width, spec.channels], 0..255. What lies outside the frame
        repeats the frame's edge.
    """
    center, side, angle = square_of(face, rule)
    # Only the part of the frame under the square is converted and warped.
    reach = 0.5 * side * (abs(math.cos(angle)) + abs(math.sin(angle))) + 2
    height, width = frame.shape[:2]
    left = min(max(int(center[0] - reach), 0), width - 1)
    top = min(max(int(center[1] - reach), 0), height - 1)
    right = max(min(math.ceil(center[0] + reach) + 1, width), left + 1)
    bottom = max(min(math.ceil(center[1] + reach) + 1, height), top + 1)
    patch = _to_color(frame[top:bottom, left:right], spec.color)
    # The warp samples single points; a face larger than the input is warped to a whole multiple
    # of it and averaged down, or its detail would alias.
    fine = min(max(1, round(side / spec.width)), 8)
    columns, rows = spec.width * fine, spec.height * fine
    cos, sin = math.cos(angle) * side / columns, math.sin(angle) * side / rows
    # Boxes are in coordinates where pixel 0 reaches from 0 to 1; its index is its middle.
    x, y = center[0] - left - 0.5, center[1] - top - 0.5
    middle_x, middle_y = (columns - 1) / 2, (rows - 1) / 2
    back = np.array(
        [
            [cos, -sin, x - cos * middle_x + sin * middle_y],
            [sin, cos, y - sin * middle_x - cos * middle_y],
        ]
    )
    square = cv2.warpAffine(
        patch,
        back,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return prepare(np.asarray(square, np.uint8), spec)


def square_of(face: Face, rule: CropRule) -> tuple[tuple[float, float], float, float]:
    """The square that the network looks at.

    Args:
        face: Where the face is.
        rule: Where the square lies about the face.

    Returns:
        Its centre (x, y) and side in pixels of the frame, and its angle in radians: how far the
        line from the right eye to the left is turned clockwise from level.
    """
    if rule.points:
        return _square_by_points(face.keypoints, rule.points)
    x, y, width, height = face.box
    angle = 0.0
    if rule.rotate:
        (x1, y1), (x2, y2) = face.keypoints[0], face.keypoints[1]
        angle = math.atan2(float(y2 - y1), float(x2 - x1))
    up = rule.shift * width
    center = (x + width / 2 + math.sin(angle) * up, y + height / 2 - math.cos(angle) * up)
    return center, max(rule.scale * width, 1.0), angle


def _square_by_points(
    keypoints: NDArray[np.float32], places: tuple[tuple[float, ...], ...]
) -> tuple[tuple[float, float], float, float]:
    """The square in which key points lie nearest to their places: a least-squares similarity.

    Points are complex numbers, so that turning and scaling by the square's side is one factor.
    """
    there = np.array([complex(x, y) for x, y in places])
    here = np.array([complex(x, y) for x, y in keypoints[: len(places)]])
    from_mean = there - there.mean()
    factor = complex(np.vdot(from_mean, here) / np.vdot(from_mean, from_mean))
    center = complex(here.mean() + factor * (0.5 + 0.5j - there.mean()))
    return (center.real, center.imag), max(abs(factor), 1.0), cmath.phase(factor)


def _to_color(picture: Pixels, color: str) -> Pixels:
    if color == "gray":
        if picture.ndim == 3:
            return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        return picture
    if picture.ndim == 2:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
    if color == "rgb":
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    return picture


def _interpolation(picture: Pixels, spec: InputSpec) -> int:
    larger = picture.shape[0] > spec.height or picture.shape[1] > spec.width
    return cv2.INTER_AREA if larger and spec.resize == "area" else cv2.INTER_LINEAR
