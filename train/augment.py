"""Random changes to training pictures.

In two steps. A *view* is the picture as another camera and another detection might have given it:
moved, turned, scaled, lit, blurred, noisy. What a teacher says of a view is worth learning, so a
view depends on seed, number and picture alone, and can be shown again. The *cover* comes after:
mirroring, a hidden part, and two pictures laid over each other, new each time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edge_fer.train import distort

Pictures = NDArray[np.uint8]


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
        shade: Probability that light comes from one side.
        blur: Probability that the picture loses resolution.
        noise: Probability of a sensor's noise.
        jpeg: Probability that the picture goes through JPEG.
        erase: Probability that a rectangle (random erasing, Zhong et al. 2017) hides a part.
        mixup: Two pictures are laid over each other, and their targets with them, in shares from
            a beta distribution with this parameter (mixup, Zhang et al. 2017); 0 is never.
    """

    flip: float = 0.5
    rotate: float = 12.0
    scale: float = 0.12
    shift: float = 0.08
    contrast: float = 0.3
    brightness: float = 30.0
    shade: float = 0.0
    blur: float = 0.1
    noise: float = 0.0
    jpeg: float = 0.0
    erase: float = 0.25
    mixup: float = 0.0

    def of_views(self) -> dict[str, float]:
        """What decides a view, and nothing of the cover: the same for students who differ there."""
        cover = ("flip", "erase", "mixup")
        return {name: value for name, value in asdict(self).items() if name not in cover}

    def view(
        self, pictures: Pictures, places: NDArray[np.int64], seed: int, number: int
    ) -> Pictures:
        """One view of each picture.

        Args:
            pictures: Pixels [N, H, W, C].
            places: Place of each picture in the training split [N]; it decides with the rest.
            seed: The run's.
            number: Number of the view.

        Returns:
            New pixels of the same shape.
        """
        out = np.empty_like(pictures)
        for i, (picture, place) in enumerate(zip(pictures, places, strict=True)):
            out[i] = self._view(picture, np.random.default_rng([seed, number, int(place)]))
        return out

    def cover(self, pictures: Pictures, rng: np.random.Generator) -> Pictures:
        """Mirror pictures and hide parts of them.

        Args:
            pictures: Pixels [N, H, W, C].
            rng: Where chance comes from.

        Returns:
            New pixels of the same shape.
        """
        out = pictures.copy()
        mirrored = rng.random(len(out)) < self.flip
        out[mirrored] = out[mirrored, :, ::-1]
        height, width = pictures.shape[1:3]
        for i in np.flatnonzero(rng.random(len(out)) < self.erase):
            h, w = (rng.uniform(0.15, 0.45, 2) * (height, width)).astype(int)
            y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
            out[i] = distort.cover(out[i], (x, y, w, h), int(rng.integers(0, 256)))
        return out

    def mix(
        self, pixels: NDArray[np.float32], targets: NDArray[np.float32], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lay each picture over another of the batch, and its targets with it.

        Args:
            pixels: [N, H, W, C].
            targets: [N, K].
            rng: Where chance comes from.
        """
        if not self.mixup:
            return pixels, targets
        share = rng.beta(self.mixup, self.mixup, len(pixels)).astype(np.float32)
        share = np.maximum(share, 1 - share)
        other = rng.permutation(len(pixels))
        over, beside = share[:, None, None, None], share[:, None]
        return (
            pixels * over + pixels[other] * (1 - over),
            targets * beside + targets[other] * (1 - beside),
        )

    def _view(self, picture: Pictures, rng: np.random.Generator) -> Pictures:
        turn, grow, right, down, contrast, light = rng.uniform(-1, 1, 6)
        shade, blur, noise, jpeg = rng.random(4) < (self.shade, self.blur, self.noise, self.jpeg)
        strength = rng.random(4)
        changed = distort.move(
            picture,
            turn * self.rotate,
            1 + grow * self.scale,
            right * self.shift,
            down * self.shift,
        )
        changed = distort.relight(changed, 1 + contrast * self.contrast, light * self.brightness)
        if shade:
            changed = distort.shade(changed, rng.uniform(0, 2 * np.pi), 0.2 + 0.6 * strength[0])
        if blur:
            changed = distort.lose_resolution(changed, 0.4 + 0.5 * strength[1])
        if noise:
            changed = distort.add_noise(changed, 2 + 14 * strength[2], rng)
        if jpeg:
            changed = distort.compress(changed, round(20 + 60 * strength[3]))
        return changed
