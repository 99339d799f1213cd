"""What bad light, a bad camera and a bad crop cost: accuracy on changed pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_fer.benchmarks.accuracy import ScoredModel
from edge_fer.train import distort
from edge_fer.train.dataset import Dataset
from edge_fer.train.truths import judge

Picture = NDArray[np.uint8]
Change = Callable[[Picture, np.random.Generator], Picture]


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _dark(picture: Picture, rng: np.random.Generator) -> Picture:
    return distort.add_noise(distort.darken(picture, 2.5), 6, rng)


def _glare(picture: Picture, rng: np.random.Generator) -> Picture:
    return distort.shade(distort.relight(picture, light=30), rng.uniform(0, 2 * np.pi), 0.8)


def _shifted(picture: Picture, rng: np.random.Generator) -> Picture:
    angle = rng.uniform(0, 2 * np.pi)
    return distort.move(picture, right=0.15 * np.cos(angle), down=0.15 * np.sin(angle))


def _covered(picture: Picture, rng: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    box = (round(0.4 * width), round(0.4 * height))
    left, top = (
        int(rng.integers(0, size - side)) for size, side in zip((width, height), box, strict=True)
    )
    return distort.cover(picture, (left, top, *box), int(rng.integers(0, 256)))


def _mask(picture: Picture, _: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    return distort.cover(picture, (0, round(0.62 * height), width, height), 200)


CHANGES: dict[str, Change] = {
    "blur, sd 1.2 px": lambda p, _: distort.blur(p, 1.2),
    "noise, sd 15": lambda p, rng: distort.add_noise(p, 15, rng),
    "dark (gamma 2.5, noise)": _dark,
    "glare from one side": _glare,
    "JPEG, quality 20": lambda p, _: distort.compress(p, 20),
    "24 px": lambda p, _: distort.lose_resolution(p, 24 / p.shape[1]),
    "turned 20 degrees": lambda p, rng: distort.move(p, turn=20 * _sign(rng)),
    "crop shifted 15 %": _shifted,
    "crop 15 % too large or small": lambda p, rng: distort.move(p, scale=1 + 0.15 * _sign(rng)),
    "a square of 40 % hidden": _covered,
    "mouth hidden": _mask,
}
"""Changes of fixed strength to pictures of 48 px, by the words the table calls them."""


@dataclass(frozen=True)
class Robustness:
    """A line of the table.

    Attributes:
        change: What was done to the pictures.
        accuracy: Accuracy on them.
        drop: Points of accuracy lost against the pictures as they are.
    """

    change: str
    accuracy: float
    drop: float


def robustness(model: ScoredModel, data: Dataset, split: str = "public") -> list[Robustness]:
    """Judge a model, by its own truth, on pictures that were changed in each of the ways.

    Args:
        model: The model.
        data: The data set.
        split: The split; every change is the same for the same picture at each call.

    Raises:
        ModelError: The model does not know a class of the data.
        DataError: The model names what FER+'s taggers see, and the data has no votes.
    """
    part = data.split(split)

    def accuracy(changed: Dataset) -> float:
        return judge(model.logits(changed), model.labels, part, model.truth).scores.accuracy

    whole = accuracy(part)
    lines = []
    for change, function in CHANGES.items():
        pixels = [
            function(picture, np.random.default_rng([0, place]))
            for place, picture in enumerate(part.pixels)
        ]
        got = accuracy(replace(part, pixels=np.stack(pixels)))
        lines.append(Robustness(change, got, 100 * (whole - got)))
    return lines
