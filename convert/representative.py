"""The pictures that calibrate a quantization."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import InputSpec
from edge_fer.train.dataset import Dataset


def stratified_sample(training: Dataset, count: int, seed: int) -> Dataset:
    """About ``count`` training pictures, every class alike as far as it has pictures.

    A class that is rare in the data is not rare in front of a camera, and its activations must
    not be clipped; so every class gets the same share.

    Args:
        training: The training split: calibrating on another would flatter the figures on it.
        count: Number of pictures.
        seed: The same seed takes the same pictures.
    """
    rng = np.random.default_rng(seed)
    by_class = [np.flatnonzero(training.labels == n) for n in range(len(training.names))]
    share = -(-count // max(sum(len(places) > 0 for places in by_class), 1))
    taken = [rng.permutation(places)[:share] for places in by_class]
    return training.take(np.sort(np.concatenate(taken)))


def calibration_inputs(sample: Dataset, spec: InputSpec) -> Iterator[list[NDArray[np.float32]]]:
    """What TFLite's converter asks for, of the pictures of a data set; see ``as_inputs``."""
    return as_inputs(sample.prepared(spec))


def as_inputs(pictures: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    """What TFLite's converter asks for: inputs [1, H, W, C], one at a time.

    A black and a white picture come last, so that the input's range is exactly 0..255 and its
    quantization the identity: the device then feeds pixels as they are.

    Args:
        pictures: [N, H, W, C], 0..255.
    """
    for picture in pictures:
        yield [picture[None].astype(np.float32)]
    for value in (0, 255):
        yield [np.full((1, *pictures.shape[1:]), value, np.float32)]
