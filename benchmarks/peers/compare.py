"""All peers, one after the other, again and again in random order."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from edge_fer.benchmarks import PICTURE
from edge_fer.benchmarks.peers.catalogue import Peer
from edge_fer.benchmarks.peers.environment import Installed
from edge_fer.benchmarks.peers.material import Clip, Pixels, hits, write_clip, write_pixels
from edge_fer.benchmarks.peers.process import PeerError, Process
from edge_fer.labels import FER_LABELS, class_number
from edge_fer.train.dataset import Dataset
from edge_fer.train.truths import judge, known_truths

_TIMED = 200
"""Pictures of faces that are timed in a round."""

_WARM = 10
"""Frames of a video that are read once before it is timed: compilers get faster on the way."""


@dataclass(frozen=True)
class Accuracy:
    """How right a classifier is by one truth.

    Attributes:
        accuracy: Share of the pictures.
        n: Number of pictures that the truth tells.
    """

    accuracy: float
    n: int


@dataclass(frozen=True)
class OnClip:
    """What a peer did on a video.

    Attributes:
        fps: Frames a second, from the mean time of a frame; the median of the rounds.
        found: Faces found of those that are there.
        faces: How many those are.
        extra: Boxes that tell none of them.
    """

    fps: float
    found: int
    faces: int
    extra: int


@dataclass
class Result:
    """What was measured of a peer: medians of the rounds; None what was not.

    Attributes:
        name: The peer's.
        classifier: What read the faces; None without one.
        failure: Why it was not measured to the end; None where it was.
        megabytes: What installing it put on disk.
        versions: Of the packages in its environment.
        accuracy: Of its classifier, by truth.
        face_ms: Time in which its classifier reads a picture of a face.
        import_ms: Time of the imports alone.
        first_ms: From the start of the process to the first result.
        memory_mib: Resident memory after the videos.
        peak_mib: The most that it ever was.
        clips: What it did on the videos, by their names.
    """

    name: str
    classifier: str | None
    failure: str | None = None
    megabytes: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    face_ms: float | None = None
    import_ms: float | None = None
    first_ms: float | None = None
    memory_mib: float | None = None
    peak_mib: float | None = None
    clips: dict[str, OnClip] = field(default_factory=dict)


@dataclass(frozen=True)
class _Round:
    """What one process of a peer showed; in ``clips`` the answers about each."""

    import_ms: float
    first_ms: float
    memory_mib: float
    peak_mib: float
    face_ms: float | None
    clips: list[dict[str, Any]]


def compare(
    peers: Sequence[Peer],
    part: Dataset,
    videos: Sequence[Path],
    work: Path,
    rounds: int = 5,
    seed: int = 0,
    timeout: float = 1800,
    on_step: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """Measure peers, each in one thread on one core.

    A peer that cannot be installed, ends or hangs is not measured further; its result says why.

    Args:
        peers: What to measure.
        part: Pictures of faces with labels, and votes where they are known.
        videos: What the whole pipelines run on.
        work: Folder for environments, which are kept and used again, pixels and logs.
        rounds: How often each is started and measured.
        seed: Of the order in which they are.
        timeout: Seconds that an answer may take.
        on_step: Told of each step before it is done.

    Raises:
        SourceError: One of the videos is none.
        StorageError: The disk is full.
    """
    pixels = work / "pixels"
    faces = write_pixels(part.pixels, pixels / "faces")
    portrait = write_pixels([np.asarray(cv2.imread(str(PICTURE)), np.uint8)], pixels / "portrait")
    clips = [write_clip(video, pixels / f"clip{i}") for i, video in enumerate(videos)]
    results = {peer.name: Result(peer.name, peer.classifier) for peer in peers}
    places = _install(peers, results, work / "environments", on_step)
    core = min(os.sched_getaffinity(0))

    def run(peer: Peer, use: Callable[[Process, Peer], None]) -> None:
        """Start a peer that has not failed yet, and use it."""
        result = results[peer.name]
        if result.failure is not None:
            return
        place = places[peer.environment.name]
        command = [*place.command, str(peer.worker), json.dumps(peer.options)]
        log = work / "logs" / f"{peer.name}.log"
        try:
            with Process(command, place.folder, log, core, timeout) as process:
                use(process, peer)
        except PeerError as e:
            result.failure = str(e)

    accuracies: dict[str, dict[str, Accuracy]] = {}
    shown: dict[str, list[_Round]] = {peer.name: [] for peer in peers}

    def score(process: Process, peer: Peer) -> None:
        if peer.classifier and peer.classifier not in accuracies:
            answer = process.ask(faces.request("faces", peer.color))
            accuracies[peer.classifier] = _judge(answer, part)

    def watch(process: Process, peer: Peer) -> None:
        shown[peer.name].append(_round(process, peer, portrait, clips, faces))

    # Starting every peer here also brings its files into memory: no round has a cold disk.
    for peer in peers:
        on_step(f"{peer.name}: accuracy")
        run(peer, score)
    order = random.Random(seed)
    for number in range(rounds):
        for peer in order.sample(peers, len(peers)):
            on_step(f"{peer.name}: round {number + 1} of {rounds}")
            run(peer, watch)
    for peer in peers:
        results[peer.name].accuracy = accuracies.get(peer.classifier or "", {})
        _sum_up(results[peer.name], shown[peer.name], clips)
    return list(results.values())


def _install(
    peers: Sequence[Peer], results: dict[str, Result], work: Path, on_step: Callable[[str], None]
) -> dict[str, Installed]:
    places: dict[str, Installed] = {}
    for environment in {peer.environment.name: peer.environment for peer in peers}.values():
        its_own = [results[p.name] for p in peers if p.environment.name == environment.name]
        on_step(f"{environment.name}: installing, where it is not yet")
        try:
            place = places[environment.name] = environment.make(work / environment.name)
        except PeerError as e:
            for result in its_own:
                result.failure = f"not installed: {e}"
        else:
            for result in its_own:
                result.megabytes, result.versions = round(place.megabytes, 1), place.versions
    return places


def _judge(answer: dict[str, Any], part: Dataset) -> dict[str, Accuracy]:
    numbers = [class_number(name) for name in answer["names"]]
    columns = [numbers.index(i) for i in range(len(FER_LABELS))]
    probabilities = np.array(answer["probabilities"], np.float32)[:, columns]
    logits = np.log(probabilities + np.float32(1e-9))
    judged = {truth: judge(logits, FER_LABELS, part, truth).scores for truth in known_truths(part)}
    return {truth: Accuracy(round(s.accuracy, 5), s.n) for truth, s in judged.items()}


def _round(
    process: Process, peer: Peer, portrait: Pixels, clips: list[Clip], faces: Pixels
) -> _Round:
    process.ask(portrait.request("frames", peer.color))
    first = 1000 * process.seconds
    answers = []
    for clip in clips:
        process.ask(clip.pixels.request("frames", peer.color, _WARM))
        answers.append(process.ask(clip.pixels.request("frames", peer.color)))
    now, most = process.memory_mib()
    face_ms = None
    if peer.classifier:
        face_ms = median(process.ask(faces.request("faces", peer.color, _TIMED))["ms"])
    return _Round(process.import_ms, first, now, most, face_ms, answers)


def _sum_up(result: Result, shown: list[_Round], clips: list[Clip]) -> None:
    if not shown:
        return
    result.import_ms = round(median(one.import_ms for one in shown), 1)
    result.first_ms = round(median(one.first_ms for one in shown), 1)
    result.memory_mib = round(median(one.memory_mib for one in shown), 1)
    result.peak_mib = round(median(one.peak_mib for one in shown), 1)
    times = [one.face_ms for one in shown if one.face_ms is not None]
    result.face_ms = round(median(times), 4) if times else None
    for number, clip in enumerate(clips):
        answers = [one.clips[number] for one in shown]
        boxes = [[tuple(box) for box in frame] for frame in answers[0]["boxes"]]
        found = sum(map(hits, clip.faces, boxes))
        result.clips[clip.name] = OnClip(
            fps=round(median(1000 * len(a["ms"]) / sum(a["ms"]) for a in answers), 1),
            found=found,
            faces=sum(map(len, clip.faces)),
            extra=sum(map(len, boxes)) - found,
        )
