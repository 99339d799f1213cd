"""FER+: what ten people see in each picture of FER-2013.

Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016. Its file ``fer2013new.csv`` has a row for every row of ``fer2013.csv``, in the
same order, with the number of taggers who chose each of ten answers.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_fer.errors import DataError

ANSWERS = (
    "neutral",
    "happy",
    "surprise",
    "sad",
    "angry",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "not a face",
)
"""What a tagger could choose, in the order of the file's columns."""

_COLUMNS = 2  # of each row before the votes: the split and the picture's name


def read_votes(path: Path) -> NDArray[np.uint8]:
    """Read ``fer2013new.csv``.

    Returns:
        Number of taggers by picture and answer, uint8 [N, 10].

    Raises:
        DataError: It does not exist, or a row of it is broken.
    """
    votes = []
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as f:
            rows = csv.reader(f)
            next(rows, None)
            for row in filter(None, rows):
                line = f"{path}, line {rows.line_num}"
                if len(row) != _COLUMNS + len(ANSWERS):
                    raise DataError(
                        f"{line}: {len(row)} columns; give FER+'s fer2013new.csv, which has"
                        f" {_COLUMNS + len(ANSWERS)}"
                    )
                votes.append([_count(word, line) for word in row[_COLUMNS:]])
    except (OSError, csv.Error) as e:
        raise DataError(f"{path} cannot be read; give FER+'s fer2013new.csv ({e})") from e
    if not votes:
        raise DataError(f"{path} holds no votes; give FER+'s fer2013new.csv")
    return np.array(votes, np.uint8)


def majority(votes: NDArray[np.uint8], names: Sequence[str]) -> NDArray[np.int64]:
    """The label on which most taggers agree, by the protocol of FER+.

    An answer that only one tagger gave is left out; the label is the answer of more than half of
    the rest. Pictures without one, and those that are unknown or no face, have no label.

    Args:
        votes: Number of taggers [N, 10].
        names: The classifier's classes.

    Returns:
        Class numbers [N]; -1 where there is no label, or none of these classes.
    """
    counts = np.where(votes > 1, votes, 0).astype(np.int64)
    best = counts.argmax(1)
    agreed = 2 * counts.max(1) > counts.sum(1)
    numbers = np.array([names.index(a) if a in names else -1 for a in ANSWERS], np.int64)
    return np.where(agreed, numbers[best], -1)


def distribution(votes: NDArray[np.uint8], names: Sequence[str]) -> NDArray[np.float32]:
    """The share of the taggers who saw each class, as FER+'s authors train on it.

    An answer that only one tagger gave is left out. A picture that most call unknown or no face
    teaches nothing.

    Args:
        votes: Number of taggers [N, 10].
        names: The classifier's classes.

    Returns:
        Probabilities [N, classes]; a row of zeros where nothing is to be learned.
    """
    counts = np.where(votes > 1, votes, 0).astype(np.float32)
    columns = counts[:, [ANSWERS.index(name) for name in names]]
    seen = columns.sum(1, keepdims=True)
    known = 2 * seen > counts.sum(1, keepdims=True)
    return np.where(known, columns / np.maximum(seen, 1), 0).astype(np.float32)


def _count(word: str, line: str) -> int:
    if not word.strip().isascii() or not word.strip().isdigit() or int(word) > 100:
        raise DataError(f"{line}: {word[:20]!r} is not a number of taggers")
    return int(word)
