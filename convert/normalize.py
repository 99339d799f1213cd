"""What a network expects of its pixels, as a part of the network.

Scripts divide pixels by 255, or bring them to -1..1, before the network sees them. On the device
nothing does: the network takes pixels 0..255 and has that step inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import InputError

Channels = NDArray[np.float32]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, red first


@dataclass(frozen=True, eq=False)
class Normalization:
    """A pixel p of channel c becomes ``scale[c] * p + offset[c]``.

    Attributes:
        name: A key of ``NORMALIZATIONS``.
        scale: By channel.
        offset: By channel.
    """

    name: str
    scale: Channels
    offset: Channels

    @property
    def needed(self) -> bool:
        """Whether it changes anything."""
        return bool((self.scale != 1).any() or (self.offset != 0).any())


TRIED_ON = 256
"""Training pictures that tell how a network wants its pixels."""

NORMALIZATIONS = ("none", "0..1", "-1..1", "imagenet")
"""What is usual. ``imagenet``: 0..1, less ImageNet's mean, over its deviation, by channel."""


def normalization(name: str, color: str) -> Normalization:
    """One of the usual normalizations.

    Args:
        name: One of ``NORMALIZATIONS``.
        color: ``"gray"``, ``"rgb"`` or ``"bgr"``: the order of the channels.

    Raises:
        InputError: It is unknown, or does not go with grey pictures.
    """
    if name not in NORMALIZATIONS:
        raise InputError(f"normalization {name!r} is not one of {', '.join(NORMALIZATIONS)}")
    if name == "imagenet" and color == "gray":
        raise InputError("the normalization imagenet is for pictures in color, not grey ones")
    mean, deviation = {"imagenet": (_MEAN, _DEVIATION), "-1..1": ((0.5,), (0.5,))}.get(
        name, ((0.0,), (1.0,))
    )
    step = 1 if name == "none" else 255
    channels = 1 if color == "gray" else 3
    order = -1 if color == "bgr" else 1
    scale = 1 / (step * np.array(deviation[::order]))
    offset = -np.array(mean[::order]) / np.array(deviation[::order])
    return Normalization(
        name,
        np.broadcast_to(scale, channels).astype(np.float32),
        np.broadcast_to(offset, channels).astype(np.float32),
    )


def tried(
    read: Callable[[Normalization], NDArray[np.float32]],
    color: str,
    wanted: NDArray[np.int64],
    on_step: Callable[[str], None],
) -> Normalization:
    """The normalization under which a network reads some pictures clearly best, else none.

    Args:
        read: The network's logits of the pictures after a normalization, [N, classes].
        color: The order of the channels.
        wanted: The pictures' classes [N].
        on_step: Told what came out.
    """
    steps = [
        normalization(name, color)
        for name in NORMALIZATIONS
        if (color, name) != ("gray", "imagenet")
    ]
    right = {step.name: float((read(step).argmax(1) == wanted).mean()) for step in steps}
    best = max(steps, key=lambda step: right[step.name])
    spread = 2 * (0.25 / len(wanted)) ** 0.5
    found = best if right[best.name] > right["none"] + spread else steps[0]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in right.items())
    on_step(
        f"normalization {found.name}, since of {len(wanted)} training pictures these shares are"
        f" named rightly: {shares} (else say --normalization)"
    )
    return found
