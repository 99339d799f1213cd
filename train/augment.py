"""Random changes to training pictures: what a camera and a face detector do to a face.

The picture is moved, turned and scaled over the spread of the detector's boxes (see
``benchmarks/crop_check.py``), lit differently, blurred as a small or moving face is, and partly
covered.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augment:
    """How strongly pictures are changed; every range is drawn from evenly.

    Attributes:
        flip: Probability of mirroring.
        rotate: Largest turn, in degrees.
        scale: Largest growth or shrinkage, as a share of the size.
        shift: Largest move, as a share of the width.
        contrast: Largest change of contrast, as a share.
        brightness: Largest change of brightness, in grey levels.
        blur: Probability that the picture loses resolution.
        erase: Probability that a rectangle (random erasing, Zhong et al. 2017) hides a part.
    """

    flip: float = 0.5
    rotate: float = 12.0
    scale: float = 0.12
    shift: float = 0.08
    contrast: float = 0.3
    brightness: float = 30.0
    blur: float = 0.1
    erase: float = 0.25

    def __call__(self, pictures: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Change every picture in its own way.

        Args:
            pictures: Pixels [N, H, W, C].
            rng: Where chance comes from: the same state gives the same pictures.

        Returns:
            New pixels of the same shape.
        """
        out = np.empty_like(pictures)
        for i, picture in enumerate(pictures):
            out[i] = self._one(picture, rng).reshape(picture.shape)
        return out

    def _one(self, picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        flip, blur, erase = rng.random(3) < (self.flip, self.blur, self.erase)
        turn, grow, right, down, contrast, light = rng.uniform(-1, 1, 6)
        move = cv2.getRotationMatrix2D(
            ((width - 1) / 2, (height - 1) / 2), turn * self.rotate, 1 + grow * self.scale
        )
        move[:, 2] += (right * self.shift * width, down * self.shift * height)
        if flip:
            mirror = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], float)
            move = move @ mirror
        changed = cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        gain = 1 + contrast * self.contrast
        mean = float(changed.mean())
        changed = cv2.convertScaleAbs(
            np.maximum(changed * gain + (mean * (1 - gain) + light * self.brightness), 0)
        )
        if blur:
            share = rng.uniform(0.4, 0.9)
            small = cv2.resize(changed, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            changed = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        if erase:
            h, w = (rng.uniform(0.15, 0.45, 2) * (height, width)).astype(int)
            y, x = rng.integers(0, height - h), rng.integers(0, width - w)
            changed[y : y + h, x : x + w] = rng.integers(0, 256)
        return np.asarray(changed, np.uint8)
