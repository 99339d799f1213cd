"""What a camera, a face detector and the world do to the picture of a face.

Training draws the strengths by chance (``augment``), the robustness table sets them
(``benchmarks/robustness.py``): both call these functions. All take and give one picture, uint8
[H, W] or [H, W, C].
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def move(
    picture: Picture,
    turn: float = 0,
    scale: float = 1,
    right: float = 0,
    down: float = 0,
) -> Picture:
    """Turn and scale about the centre, then shift; the border is repeated outwards.

    Args:
        picture: Pixels.
        turn: Degrees, counter-clockwise.
        scale: Above 1 enlarges.
        right: Shift as a share of the width.
        down: Shift as a share of the height.
    """
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, scale)
    matrix[:, 2] += (right * width, down * height)
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return _as(moved, picture)


def relight(picture: Picture, gain: float = 1, light: float = 0) -> Picture:
    """Change the contrast about the mean, and add grey levels."""
    mean = float(picture.mean())
    lit = np.maximum(picture * float(gain) + (mean * (1 - gain) + light), 0)
    return _as(cv2.convertScaleAbs(lit), picture)


def shade(picture: Picture, angle: float, strength: float) -> Picture:
    """Light from one side.

    Args:
        picture: Pixels.
        angle: Where the light comes from, in radians; 0 is the right side, turning downwards.
        strength: At the lit edge pixels are ``1 + strength`` times as bright, at the other
            ``1 - strength``.
    """
    height, width = picture.shape[:2]
    across = np.linspace(-1, 1, width)[None] * math.cos(angle)
    along = np.linspace(-1, 1, height)[:, None] * math.sin(angle)
    gain = 1 + strength * np.clip(across + along, -1, 1)
    if picture.ndim == 3:
        gain = gain[..., None]
    return np.asarray(np.clip(np.rint(picture * gain), 0, 255), np.uint8)


def darken(picture: Picture, gamma: float) -> Picture:
    """Raise pixels of 0..1 to a power: above 1 is darker, below is brighter."""
    table = 255 * (np.arange(256) / 255) ** gamma
    return _as(cv2.LUT(picture, np.rint(table).astype(np.uint8)), picture)


def blur(picture: Picture, deviation: float) -> Picture:
    """Gaussian blur: out of focus.

    Args:
        picture: Pixels.
        deviation: Of the Gaussian, in pixels.
    """
    return _as(cv2.GaussianBlur(picture, (0, 0), deviation), picture)


def lose_resolution(picture: Picture, share: float) -> Picture:
    """Make smaller and larger again, as a face far away: ``share`` of the width is left."""
    height, width = picture.shape[:2]
    size = (max(round(width * share), 1), max(round(height * share), 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return _as(large, picture)


def add_noise(picture: Picture, deviation: float, rng: np.random.Generator) -> Picture:
    """Add Gaussian noise, as a sensor does in the dark; the deviation is in grey levels."""
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(deviation)
    return np.asarray(np.clip(np.rint(picture + noise), 0, 255), np.uint8)


def compress(picture: Picture, quality: int) -> Picture:
    """Through JPEG and back.

    Args:
        picture: Pixels, of 1 or 3 channels.
        quality: JPEG's, 1..100.
    """
    _, content = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return _as(np.asarray(cv2.imdecode(content, cv2.IMREAD_UNCHANGED)), picture)


def cover(picture: Picture, box: tuple[int, int, int, int], value: int) -> Picture:
    """Hide a rectangle.

    Args:
        picture: Pixels.
        box: Left, top, width, height.
        value: Its grey level.
    """
    left, top, width, height = box
    covered = picture.copy()
    covered[top : top + height, left : left + width] = value
    return covered


def _as(changed: NDArray[np.generic], picture: Picture) -> Picture:
    """OpenCV drops a last axis of one channel."""
    return np.asarray(changed, np.uint8).reshape(picture.shape)
