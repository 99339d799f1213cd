"""How well people are told apart: every pair of pictures, of one person or of two."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_fer.detector import Detector
from edge_fer.errors import DataError
from edge_fer.face import Face
from edge_fer.files import PICTURES
from edge_fer.identity import Embedder, Embedding

LOOKS = 3
"""Pictures that are enrolled, and looks that are averaged, where a run is imitated."""
FAR = 1e-3
"""Share of the pairs of two people that may be taken for one."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture with somebody's face.

    Attributes:
        person: Whose it is.
        pixels: Blue-green-red.
        face: The surest face in it.
    """

    person: str
    pixels: NDArray[np.uint8]
    face: Face


@dataclass(frozen=True)
class Verification:
    """What a network is worth on pairs of pictures.

    Attributes:
        people: How many.
        pictures: How many.
        same: Pairs of one person.
        other: Pairs of two people.
        eer: Equal error rate: where as many pairs of one person are refused as of two are taken.
        tar: Share of the pairs of one person that is taken where ``FAR`` of the others are.
        threshold: The likeness that was asked for.
        false_accepts: Share of the pairs of two people that reach it.
        true_accepts: Share of the pairs of one person that reach it.
        accuracy: Mean of the pairs of both kinds that are decided rightly at it.
    """

    people: int
    pictures: int
    same: int
    other: int
    eer: float
    tar: float
    threshold: float
    false_accepts: float
    true_accepts: float
    accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {k: round(v, 5) for k, v in asdict(self).items()}


def find_people(folder: Path, detector: Detector) -> tuple[list[Seen], int]:
    """Read ``FOLDER/PERSON/PICTURE`` and find the faces.

    Returns:
        The pictures by person, and how many more there are in which no face was found.

    Raises:
        DataError: There are fewer than two people with two pictures each.
    """
    files = sorted(f for f in folder.glob("*/*") if f.suffix.lower() in PICTURES)
    seen = []
    for file in files:
        pixels = cv2.imread(str(file))
        faces = detector.detect(np.asarray(pixels, np.uint8)) if pixels is not None else []
        if faces:
            seen.append(Seen(file.parent.name, np.asarray(pixels, np.uint8), faces[0]))
    names = [one.person for one in seen]
    if sum(names.count(name) > 1 for name in set(names)) < 2:
        raise DataError(
            f"{folder}: two or more people are needed, each a folder with two or more pictures"
        )
    return seen, len(files) - len(seen)


def halves(seen: list[Seen]) -> tuple[list[Seen], list[Seen]]:
    """The pictures of the first half of the people by name, and those of the second."""
    names = sorted({one.person for one in seen})
    first = set(names[: len(names) // 2])
    return [s for s in seen if s.person in first], [s for s in seen if s.person not in first]


def embed_all(seen: list[Seen], embedder: Embedder) -> tuple[Embedding, float]:
    """Everybody's embeddings [N, D], and the median milliseconds that one took."""
    rows, times = [], []
    for one in seen:
        start = perf_counter()
        rows.append(embedder.embed(one.pixels, one.face))
        times.append(perf_counter() - start)
    return np.stack(rows), 1000 * float(np.median(times))


def likenesses(
    embeddings: Embedding, people: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The likeness of every pair of pictures: of one person, and of two; each sorted."""
    first, second = np.triu_indices(len(people), 1)
    names = np.array(people)
    same = names[first] == names[second]
    values = (embeddings @ embeddings.T)[first, second]
    return np.sort(values[same]), np.sort(values[~same])


def threshold_at(other: NDArray[np.float32], far: float = FAR) -> float:
    """The likeness that at most a share ``far`` of the pairs of two people reaches."""
    place = len(other) - int(far * len(other)) - 1
    return float(np.nextafter(other[place], np.float32(2)))


def verify(embeddings: Embedding, people: list[str], threshold: float) -> Verification:
    """Score every pair.

    Args:
        embeddings: [N, D], each of length 1.
        people: Whose each is.
        threshold: Likeness from which on a pair is taken for one person.
    """
    same, other = likenesses(embeddings, people)

    def reached(values: NDArray[np.float32], likeness: float) -> float:
        return 1 - float(np.searchsorted(values, likeness)) / len(values)

    errors = [(1 - reached(same, t), reached(other, t)) for t in np.concatenate([same, other])]
    refused, taken = min(errors, key=lambda pair: abs(pair[0] - pair[1]))
    false_accepts, true_accepts = reached(other, threshold), reached(same, threshold)
    return Verification(
        people=len(set(people)),
        pictures=len(people),
        same=len(same),
        other=len(other),
        eer=(refused + taken) / 2,
        tar=reached(same, threshold_at(other)),
        threshold=threshold,
        false_accepts=false_accepts,
        true_accepts=true_accepts,
        accuracy=(1 - false_accepts + true_accepts) / 2,
    )


def in_use(embeddings: Embedding, people: list[str], threshold: float) -> dict[str, Any]:
    """Score names as a run gives them: several looks against several enrolled pictures.

    The first ``LOOKS`` pictures of each person are enrolled; the others, as many at a time (the
    last ones may be fewer), are compared with everybody who is.

    Args:
        embeddings: [N, D], each of length 1.
        people: Whose each is.
        threshold: Mean likeness from which on a name is given.

    Returns:
        Plain data; empty where nobody has more pictures than are enrolled.
    """
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(people):
        rows.setdefault(name, []).append(row)
    groups = {
        name: [embeddings[own[i : i + LOOKS]].mean(0) for i in range(0, len(own), LOOKS)]
        for name, own in rows.items()
    }
    enrolled = np.stack([own[0] for own in groups.values()])
    probes = [(name, probe) for name, own in groups.items() for probe in own[1:]]
    if not probes:
        return {}
    reached = np.stack([enrolled @ probe for _, probe in probes]) >= threshold
    same = np.array([[name == other for other in groups] for name, _ in probes])
    return {
        "looks": LOOKS,
        "threshold": round(threshold, 5),
        "same": int(same.sum()),
        "other": int((~same).sum()),
        "true_accepts": round(float(reached[same].mean()), 5),
        "false_accepts": round(float(reached[~same].mean()), 5),
    }


def measure(folder: Path, detector: Detector, embedder: Embedder) -> dict[str, Any]:
    """Score an embedder on a folder of people, as plain data.

    Args:
        folder: Has a folder of pictures for each person.
        detector: What finds the faces.
        embedder: What is scored.

    Returns:
        By ``"all"``: every pair at the embedder's own threshold; by ``"chosen_on"`` and
        ``"held_out"``: the two halves of the people at the threshold that the first one sets; by
        ``"in_use"``: as a run gives names, at the embedder's threshold.

    Raises:
        DataError: There are too few people.
    """
    seen, missing = find_people(folder, detector)
    embeddings, milliseconds = embed_all(seen, embedder)
    names = [one.person for one in seen]
    first = {one.person for one in halves(seen)[0]}
    chosen_on = np.array([name in first for name in names])
    threshold = threshold_at(likenesses(embeddings[chosen_on], _only(names, chosen_on))[1])
    return {
        "network": embedder.network,
        "milliseconds": round(milliseconds, 3),
        "no_face": missing,
        "all": verify(embeddings, names, embedder.threshold).to_dict(),
        "in_use": in_use(embeddings, names, embedder.threshold),
        **{
            part: verify(embeddings[rows], _only(names, rows), threshold).to_dict()
            for part, rows in (("chosen_on", chosen_on), ("held_out", ~chosen_on))
        },
    }


def _only(names: list[str], rows: NDArray[np.bool_]) -> list[str]:
    return [name for name, wanted in zip(names, rows, strict=True) if wanted]
