"""A labelled set of face pictures with its three splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_fer.card import InputSpec
from edge_fer.crop import prepare
from edge_fer.errors import DataError
from edge_fer.labels import FER_LABELS

TRAINING, PUBLIC, PRIVATE = 0, 1, 2
SPLITS = ("training", "public", "private")
"""Names of the splits: to train on, to choose by (FER-2013's PublicTest), to test once (its
PrivateTest)."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Face pictures with labels and splits.

    Attributes:
        pixels: Grey pictures, uint8 [N, H, W].
        labels: Class numbers, int64 [N].
        splits: 0 training, 1 public (validation), 2 private (test), uint8 [N].
        rows: Number of each picture in the source it was read from, int64 [N].
        names: Class names.
        dropped: How many training pictures were left out since another split holds them too.
        votes: FER+'s taggers by answer, uint8 [N, 10], where they were given (see ``votes``).
        repeated: Pictures that occur in another split too, or earlier in their own, bool [N]; None
            where nobody looked.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: NDArray[np.uint8]
    rows: NDArray[np.int64]
    names: tuple[str, ...] = FER_LABELS
    dropped: int = 0
    votes: NDArray[np.uint8] | None = None
    repeated: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Dataset:
        """The pictures at the given places."""
        return replace(
            self,
            pixels=self.pixels[which],
            labels=self.labels[which],
            splits=self.splits[which],
            rows=self.rows[which],
            votes=None if self.votes is None else self.votes[which],
            repeated=None if self.repeated is None else self.repeated[which],
        )

    def split(self, name: str) -> Dataset:
        """One split: ``"training"``, ``"public"`` or ``"private"``.

        Raises:
            DataError: It is empty.
        """
        part = self.take(self.splits == SPLITS.index(name))
        if not len(part):
            raise DataError(f"the data set has no picture in its {name} split; give the whole set")
        return part

    def known_to(self, labels: Sequence[str]) -> Dataset:
        """The pictures of the classes that a model knows, numbered as it numbers them.

        Raises:
            DataError: It knows none of them.
        """
        places = [labels.index(name) if name in labels else -1 for name in self.names]
        numbers = np.array(places, np.int64)[self.labels]
        if (numbers < 0).all():
            raise DataError(
                f"the data set has no picture of {', '.join(labels)}; it has"
                f" {', '.join(self.names)}"
            )
        return replace(self, names=tuple(labels), labels=numbers).take(numbers >= 0)

    def prepared(self, spec: InputSpec) -> NDArray[np.uint8]:
        """The pictures as a network takes them, [N, H, W, C]."""
        return np.stack([prepare(picture, spec) for picture in self.pixels])

    def without_leaks(self) -> Dataset:
        """The set without the training pictures that the public or private split holds too.

        What else occurs twice stays and is marked as repeated.
        """
        keys = [hashlib.blake2b(p.tobytes(), digest_size=16).digest() for p in self.pixels]
        splits_of: dict[bytes, set[int]] = {}
        repeated = np.zeros(len(self), bool)
        for i, (key, split) in enumerate(zip(keys, self.splits.tolist(), strict=True)):
            repeated[i] = split in splits_of.setdefault(key, set())
            splits_of[key].add(split)
        elsewhere = np.array([len(splits_of[key]) > 1 for key in keys], bool)
        keep = (self.splits != TRAINING) | ~elsewhere
        whole = replace(self, repeated=repeated | elsewhere)
        return replace(whole.take(keep), dropped=self.dropped + int((~keep).sum()))

    def fingerprint(self, with_votes: bool = False) -> str:
        """Hash over pixels, labels and splits: the same data give the same text.

        Args:
            with_votes: Over the votes too, where there are any.
        """
        digest = hashlib.sha256()
        votes = () if self.votes is None or not with_votes else (self.votes,)
        for array in (self.pixels, self.labels, self.splits, *votes):
            digest.update(str((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def describe(self) -> dict[str, object]:
        """The set in the words of the model card."""
        counts = {name: int((self.splits == i).sum()) for i, name in enumerate(SPLITS)}
        return {**counts, "duplicates_left_out": self.dropped, "sha256": self.fingerprint()}


def stratified(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Mark a random ``share`` of every class, at least one picture where a class has two or more.

    Args:
        labels: Class numbers [N].
        share: 0..1.
        seed: The same seed marks the same pictures.
    """
    rng = np.random.default_rng(seed)
    marked = np.zeros(len(labels), bool)
    for number in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == number))
        count = round(share * len(places)) if len(places) > 1 else 0
        marked[places[: max(count, int(len(places) > 1))]] = True
    return marked
